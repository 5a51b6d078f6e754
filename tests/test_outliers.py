"""Auxiliary outliers: what is drawn, for whom, and that it reaches the training."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from whitecrow.errors import DataError
from whitecrow.experiments.checks import check
from whitecrow.experiments.file import load, parse
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.problem import problem
from whitecrow.experiments.record import run_task
from whitecrow.experiments.table import markdown
from whitecrow.experiments.task import plan
from whitecrow.outliers import NOISES, check_keys, outliers

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)


@pytest.fixture
def letters(tmp_path):
    """Grey pictures of 10 x 10 of five classes; the grey of a class is its own."""
    y = np.arange(100) % 5
    grey = np.full((100, 10, 10), 0, np.uint8) + (40 * y[:, None, None]).astype(
        np.uint8
    )
    names = np.array(["A", "B", "C", "D", "E"])
    np.savez(tmp_path / "l.npz", X=grey, y=y.astype(np.uint8), class_names=names)
    return str(tmp_path / "l.npz")


def test_a_smaller_number_is_a_part_of_a_larger_one(letters):
    few, many = (outliers({"data": letters, "size": n}, X).rows for n in (10, 60))
    assert few.shape == (10, 3, 8, 8)  # in the shape and the colours of the set
    np.testing.assert_array_equal(many[:10], few)
    again = outliers({"data": letters, "size": 10, "seed": 1}, X).rows
    assert not np.array_equal(again, few)


def test_fewer_classes_are_a_part_of_more(letters):
    drawn = [set(outliers({"data": letters, "classes": k}, X).classes) for k in (1, 3)]
    assert drawn[0] < drawn[1]
    found = outliers({"data": letters, "classes": ["B", "D"]}, X)
    assert set(np.unique(found.rows)) == {40, 120}


def test_classes_that_are_normal_are_never_drawn(letters):
    found = outliers({"data": letters}, X, normal=["a", "E"])
    assert found.classes == ("B", "C", "D")
    with pytest.raises(DataError, match="has 3 classes beside the normal ones"):
        outliers({"data": letters, "classes": 4}, X, normal=["A", "E"])
    with pytest.raises(
        DataError, match=r"'A' is no class of .*, or it is a normal one"
    ):
        outliers({"data": letters, "classes": ["A"]}, X, normal=["A"])


def test_blur_is_that_of_pillow_up_to_its_approximation():
    path = {"noise": "uniform", "size": 5}
    sharp = outliers(path, X).rows
    soft = outliers({**path, "blur": 1.5}, X).rows
    assert soft.dtype == np.uint8
    assert soft.std() < 0.5 * sharp.std()
    for one, other in zip(sharp, soft, strict=True):
        picture = Image.fromarray(one.transpose(1, 2, 0))
        theirs = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)))
        inside = np.s_[2:-2, 2:-2]
        apart = theirs[inside].astype(int) - other.transpose(1, 2, 0)[inside]
        assert np.abs(apart).mean() < 6


def test_pillow_blurs_as_the_released_code_does(letters):
    path = {"noise": "uniform", "size": 3, "blur": 1.5}
    sharp = outliers({**path, "blur": 0}, X).rows
    soft = outliers({**path, "blur_by": "pillow"}, X).rows
    for one, other in zip(sharp, soft, strict=True):
        picture = Image.fromarray(one.transpose(1, 2, 0))
        theirs = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)))
        np.testing.assert_array_equal(other.transpose(1, 2, 0), theirs)


@pytest.mark.parametrize(
    ("deviation", "apart"),
    [(1, 1.0), (2, 1.1), (4, 1.2), (8, 2.0), (16, 4.3), (32, 6.6)],
)
def test_golden_distance_between_the_two_blurs(deviation, apart):
    """specs/outlier_exposure.md 3.3: grey levels, on uniform noise of 32 x 32."""
    like = np.zeros((1, 1, 32, 32), dtype=np.uint8)
    path = {"noise": "uniform", "size": 200, "blur": deviation}
    true, boxes = (
        outliers({**path, "blur_by": by}, like).rows.astype(float)
        for by in ("gaussian", "pillow")
    )
    assert np.abs(true - boxes).mean() == pytest.approx(apart, abs=0.35 + 0.1 * apart)


def test_more_than_there_are_is_refused(letters):
    """It was cut without a word."""
    with pytest.raises(DataError, match=r"auxiliary.size = 101: .* has 100 rows that"):
        outliers({"data": letters, "size": 101}, X)
    with pytest.raises(DataError, match="has 40 rows of 2 classes that may be drawn"):
        outliers({"data": letters, "size": 41, "classes": 2}, X)


def test_the_training_set_itself_gives_no_outliers(letters):
    with pytest.raises(DataError, match="is what training rows come from"):
        outliers({"data": letters}, X, source=letters)
    content = {**CONTENT, "auxiliary": {"data": "breast_cancer"}}
    record = run_task(plan(parse(content))[0])
    assert "is what training rows come from" in record["error"]


@pytest.mark.parametrize(
    ("given", "rows", "message"),
    [
        ({"blur": 1.0, "noise": "uniform"}, np.zeros((9, 2)), "blur is for pictures"),
        ({"data": "breast_cancer"}, X, "holds a table, not pictures"),
        ({"data": "breast_cancer"}, np.zeros((9, 2)), "give encode"),
        ({"noise": "uniform", "blur": 1, "blur_by": "box"}, X, "use gaussian, pillow"),
    ],
)
def test_what_does_not_fit_the_rows_is_one_line(given, rows, message):
    with pytest.raises(DataError, match=message):
        outliers(given, rows)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rows", [X, RNG.normal(5, 2, (30, 4))], ids=["pic", "table"])
def test_noise_has_the_form_of_the_rows(noise, rows):
    made = outliers({"noise": noise, "size": 70}, rows).rows
    assert made.shape == (70, *rows.shape[1:])
    assert made.dtype == rows.dtype
    again = outliers({"noise": noise, "size": 70}, rows).rows
    np.testing.assert_array_equal(made, again)


def test_shuffled_rows_keep_their_numbers():
    pictures = outliers({"noise": "shuffled", "size": 40}, X).rows
    assert sorted(map(np.sum, pictures)) == sorted(map(np.sum, X))
    table = RNG.normal(size=(30, 4))
    made = outliers({"noise": "shuffled", "size": 30}, table).rows
    np.testing.assert_allclose(np.sort(made, axis=0), np.sort(table, axis=0))


CONTENT = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "protocol": {"name": "holdout"},
    "auxiliary": {"noise": "uniform", "size": 100},
    "methods": [
        {"name": "hsc", "parameters": {"epochs": 2}},
        {"name": "knn"},
    ],
}


def test_outliers_reach_the_methods_that_take_them():
    experiment = parse(CONTENT)
    records = [run_task(task) for task in plan(experiment)]
    assert [record["n_auxiliary"] for record in records] == [100, 0]
    page = markdown(Outcomes(experiment, records))
    assert "Fitted without auxiliary outliers, as they take none: knn." in page
    seen = 2 * records[0]["n_train"]  # in each of two epochs, as many as rows
    assert records[0]["n_auxiliary_drawn"] == seen
    assert f"hsc: 100 given, {seen:,} seen." in page
    without = parse({**CONTENT, "auxiliary": {}})
    plain = run_task(plan(without)[0])
    assert plain["auroc"] != records[0]["auroc"]


def test_what_is_swept_is_another_task():
    content = {**CONTENT, "sweep": {"auxiliary.size": [10, 50]}}
    tasks = plan(parse(content))
    assert tasks[0].label == "hsc (size=10)"
    assert [len(problem(task).auxiliary.rows) for task in tasks[:2]] == [10, 50]
    assert len({task.key for task in tasks}) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either auxiliary.data, the name of a set, or auxiliary.noise"),
        ({"data": "mnist", "noise": "uniform"}, "either auxiliary.data"),
        ({"noise": "white"}, "use uniform, gaussian, shuffled"),
        ({"data": "mnist", "sise": 3}, "auxiliary.sise: use data"),
        ({"data": "mnist", "size": 0}, "auxiliary.size = 0"),
        ({"data": "mnist", "classes": 0}, "auxiliary.classes = 0"),
        ({"noise": "uniform", "classes": 2}, "noise has no classes"),
        ({"data": "mnist", "blur": -1}, "auxiliary.blur = -1"),
    ],
)
def test_slips_are_one_line(given, message):
    with pytest.raises(DataError, match=message):
        check_keys(given)


def test_a_file_is_checked_for_them():
    knn = {"name": "knn", "auxiliary": {"noise": "uniform"}}
    with pytest.raises(DataError, match="method 'knn': it trains on no auxiliary"):
        check(parse({**CONTENT, "methods": [knn]}))
    with pytest.raises(DataError, match=r"sweep.auxiliary.size needs auxiliary = "):
        check(parse({**CONTENT, "auxiliary": {}, "sweep": {"auxiliary.size": [1]}}))


SCRIPTS = {  # classes, seeds and runs of specs/outlier_exposure.md 4
    "cifar10_OE_tinyimages": 400,
    "cifar10_OE_tinyimages_sizes": 4_400,
    "cifar10_OE_tinyimages_blur": 1_200,
    "cifar10_OE_tinyimages_hsc_sensitivity": 800,
    "cifar10_OE_cifar100_classes": 1_600,
    "focal_sensitivity_cifar10": 400,
    "focal_sensitivity_imagenet": 400,
    "imagenet1k_OE_imagenet22k": 1_200,
    "imagenet1k_OE_imagenet22k_sizes": 5_700,
    "imagenet1k_OE_imagenet22k_blur": 1_800,
    "mnist_OE_emnist_classes": 1_600,
    "mnist_OE_emnist_blur": 600,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_golden_numbers_of_runs(script):
    folder = Path(__file__).parents[1] / "experiments" / "outlier_exposure"
    assert len(plan(load(folder / f"{script}.toml"))) == SCRIPTS[script]
    assert sum(SCRIPTS.values()) == 20_100


def test_files_of_sweeps_run_at_smoke_size(real_data, monkeypatch):
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    folder = Path(__file__).parents[1] / "experiments" / "outlier_exposure"
    files = [*sorted(folder.glob("*_cpu.toml")), folder / "readme_cifar10.toml"]
    assert len(files) == 13
    for file in files:
        task = plan(load(file))[0]
        parameters = {**task.parameters, "epochs": 1}
        small = {"parameters": parameters, "max_rows": 400}
        record = run_task(type(task)(**{**vars(task), **small}))
        assert record["error"] == "", (file, record["error"])
        assert record["n_auxiliary"] > 0


def test_rows_in_memory_have_a_source_that_is_no_file(letters):
    found = outliers({"data": letters, "size": 3}, X, source="the frame")
    assert len(found.rows) == 3
    with pytest.raises(DataError, match=r"nowhere\.npz"):
        outliers({"data": "nowhere.npz"}, X, source="the frame")
