"""Curves over what is swept: labels, tasks, panels, and the table of the page."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from whitecrow.experiments import pictures
from whitecrow.experiments.curves import by_axis
from whitecrow.experiments.file import parse
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.record import run_task
from whitecrow.experiments.table import markdown
from whitecrow.experiments.task import plan

CONTENT = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "protocol": {"name": "holdout"},
    "methods": [
        {"name": "knn"},
        {"name": "isolation_forest", "grid": {"n_estimators": [10, 20]}},
    ],
    "metrics": ["auroc"],
}


def test_each_value_is_a_contender_under_its_own_protocol():
    content = {**CONTENT, "sweep": {"protocol.pollution": [0.0, 0.1]}, "seeds": 2}
    tasks = plan(parse(content))
    assert len(tasks) == 3 * 2 * 2
    assert {task.label for task in tasks if task.method == "knn"} == {
        "knn (pollution=0.0)",
        "knn (pollution=0.1)",
    }
    assert {task.protocol["pollution"] for task in tasks} == {0.0, 0.1}


def test_curves_and_their_table():
    content = {**CONTENT, "sweep": {"protocol.pollution": [0.0, 0.05, 0.2]}}
    experiment = parse(content)
    records = [run_task(task) for task in plan(experiment)]
    found = Outcomes(experiment, records)
    (row,) = by_axis(found)  # all methods side by side
    assert [panel.across for panel in row] == ["pollution"]
    assert list(row[0].curves) == [
        "knn",
        "isolation_forest (n_estimators=10)",
        "isolation_forest (n_estimators=20)",
    ]
    for curve in row[0].curves.values():
        assert list(curve) == [0.0, 0.05, 0.2]
        assert curve[0.0] > curve[0.2]
    page = markdown(found, {"curves": "c.svg"})
    assert "## By `pollution`" in page
    assert "| AUROC | 0 | 0.05 | 0.2 |" in page
    assert "![By `pollution`](c.svg)" in page
    drawn = ET.fromstring(pictures.diagram(by_axis(found)))
    assert [e.text for e in drawn.iter() if e.text == "pollution"] == ["pollution"]


def test_places_that_span_decades_are_on_a_logarithmic_axis():
    def distances(places):
        curve = {k: 50.0 + i for i, k in enumerate(places)}
        drawn = pictures.diagram([[pictures.Panel("AUROC", {"A": curve}, "size")]])
        dots = ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}circle")
        return np.diff([float(dot.get("cx")) for dot in dots])

    assert np.allclose(distances([1, 10, 100, 1000]), 250 / 3, atol=0.2)
    assert np.allclose(distances([0, 10, 20]), 125, atol=0.2)


@pytest.mark.parametrize(
    "sweep",
    [
        {"parameters.n_neighbors": [5, 50]},
        {"parameters.p": [1, 2], "protocol.pollution": [0, 0.1]},
        {"protocol.pollution": [0.1]},
    ],
)
def test_parameters_are_swept_and_two_axes_have_no_curve(sweep):
    content = {**CONTENT, "methods": [{"name": "knn"}], "sweep": sweep}
    experiment = parse(content)
    labels = [task.label for task in plan(experiment)]
    assert len(set(labels)) == len(labels)
    records = [{"error": "", "label": x, "data": "breast_cancer"} for x in labels]
    curves = by_axis(Outcomes(experiment, records))
    assert bool(curves) == (list(sweep) == ["parameters.n_neighbors"])
