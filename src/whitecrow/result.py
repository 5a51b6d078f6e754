"""Detect, and hand over what was found: to files, to a report, to a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whitecrow import report, scores
from whitecrow.choose import Choice, choose, choose_detector
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.errors import ParameterError
from whitecrow.files import check_writable, out_folder
from whitecrow.findings import FLAGGED, MODEL, REPORT, SCORES, Findings
from whitecrow.given import in_python, rows_of
from whitecrow.learning import Fit, Stage, fit
from whitecrow.metrics.quality import evaluate

if TYPE_CHECKING:
    from whitecrow.metrics.pixels import PixelQuality
    from whitecrow.reasons import Reason

__all__ = ["Result", "detect", "judged", "write"]

MOST_EXPLAINED = 1000
"""Flagged rows with reasons, at most."""


class Result(Findings):
    """Findings of a notebook, which shows them as a report.

    Attributes and methods are those of `whitecrow.findings.Findings`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> import whitecrow as wc
    >>> rng = np.random.default_rng(0)
    >>> flow = np.r_[rng.normal(50, 2, 99), 300.0]
    >>> wc.detect(pa.table({"flow": flow, "load": rng.normal(size=100)}))
    <Result: 1 of 100 rows is flagged.>
    """

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs nothing but itself.

        Raises
        ------
        DataError
            When it cannot be written.
        """
        target = check_writable(path)
        report.write(self, target)
        return target

    def _repr_html_(self) -> str:
        return report.fragment(self)


def detect(
    data: Any,
    *,
    method: Any = None,
    labels: Any = None,
    use_labels: bool = False,
    ignore: Sequence[str] = (),
    read_as: Mapping[str, str] | None = None,
    contamination: float | str = "auto",
    top: int = 20,
    random_state: int = 0,
) -> Result:
    """Find the oddest rows of a table, and say why they are odd.

    Parameters
    ----------
    data : frame, array of shape (n, d) or (n, c, h, w), or str
        A pandas, polars, pyarrow or other frame that speaks Arrow, with numbers,
        categories, dates and gaps; an array; or what the command line takes: a file, a
        pattern, a folder of pictures, or a name of the catalogue.
    method : str or Detector, optional
        A name from `whitecrow.methods()`, or a detector with its settings; it is
        copied. By default what the command line takes.
    labels : str or array-like of shape (n,), optional
        The label column, or the labels: 1 anomaly, 0 normal, missing unlabelled. They
        serve the evaluation.
    use_labels : bool, default=False
        Learn from the labels too.
    ignore : sequence of str
        Columns to leave out.
    read_as : mapping of str to str, optional
        How to read columns, see `TableEncoder`.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Expected share of anomalies.
    top : int, default=20
        Rows to explain at least; flagged rows are explained up to 1,000.
    random_state : int, default=0
        The same seed gives the same scores.

    Returns
    -------
    Result

    Raises
    ------
    DataError, LabelError, ParameterError
        One line: what cannot be read or used, and the remedy.

    Examples
    --------
    >>> found = detect("breast_cancer", method="ecod")
    >>> found.quality.n_anomalies
    212
    """
    with in_python():
        rows, rule, known = rows_of(data, labels, ignore)
        choice = _choice(rows.kind, method, use_labels, contamination, random_state)
        if use_labels:
            check_labels(rows)
        found = fit(
            rows,
            choice,
            rule=rule,
            use_labels=use_labels,
            ignore=known,
            read_as=read_as,
        )
        return judged(found, top=top)


def judged(found: Fit, *, top: int = 20, stage: Stage = lambda text: None) -> Result:
    """Explain the flagged rows of a fit, and measure it where there are labels.

    Parameters
    ----------
    found : Fit
    top : int, default=20
        Rows to explain, whether they are flagged or not.
    stage : callable
        Told what is being done.

    Raises
    ------
    ParameterError
        For a negative number of rows.
    """
    if top < 0:
        raise ParameterError(f"--top {top} is negative; use 0 or a number of rows")
    ranked, rows = Result(fit=found, top=[], explained=[], reasons={}), found.rows
    number = max(top, min(ranked.n_flagged, MOST_EXPLAINED)) if top else 0
    explained = [int(row) for row in ranked.order[:number]]
    stage("explaining the flagged rows")
    reasons: dict[int, tuple[Reason, ...]] = {}
    if isinstance(rows, TableRows) and explained:
        why = found.model.explain(rows.take(explained), found.X[explained])
        reasons = dict(zip(explained, why, strict=True))
    pixels, notes = _pixels(found)
    return Result(
        fit=replace(found, notes=(*found.notes, *notes)),
        top=explained[:top],
        explained=explained,
        reasons=reasons,
        quality=evaluate(rows.codes, found.scores, ranked.flagged),
        pixels=pixels,
    )


def write(
    found: Result, folder: str | Path, stage: Stage = lambda text: None
) -> Result:
    """Write report, scores, flagged rows and model into a folder.

    Returns
    -------
    Result
        The same, which knows its folder.

    Raises
    ------
    DataError, ModelFileError
        When something cannot be written.
    """
    place = out_folder(folder)
    found = replace(found, folder=place)
    stage("writing the files")
    found.model.save(place / MODEL)
    scores.write_table(place / SCORES, found.columns(found.identifiers))
    ranked = found.order[found.flagged[found.order]]
    scores.write_table(place / FLAGGED, found.to_arrow().take(ranked))
    found.report(place / REPORT)
    return found


def check_labels(rows: TableRows | PictureRows) -> None:
    """Refuse to learn from labels that are not there."""
    if rows.codes is None:
        raise ParameterError(
            f"--use-labels: {rows.source} has no labels; name their column with "
            "--label-column"
        )


# ------------------------------------------------------------------------- helpers


def _choice(
    kind: str, method: Any, use_labels: bool, contamination: float | str, seed: int
) -> Choice:
    if method is None or isinstance(method, str):
        return choose(
            kind,
            method,
            use_labels=use_labels,
            contamination=str(contamination),
            seed=seed,
        )
    return choose_detector(kind, method)


def _pixels(found: Fit) -> tuple[PixelQuality | None, tuple[str, ...]]:
    """Judge heat maps by the masks of the defects, where there are any."""
    rows = found.rows
    if isinstance(rows, TableRows) or rows.folder is None:
        return None, ()
    from whitecrow.data.masks import read_masks
    from whitecrow.metrics.pixels import evaluate_pixels

    masks = read_masks(rows.folder, rows)
    if masks is None or not masks.marked.any():
        return None, () if masks is None else masks.notes
    heat = found.model.detector.explain(rows.images[masks.known])
    return evaluate_pixels(heat, masks.marked[masks.known]), masks.notes
