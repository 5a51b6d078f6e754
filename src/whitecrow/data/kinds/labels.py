"""Columns that may say which rows are anomalies, by their names and cells."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

import pyarrow as pa

from whitecrow import labels
from whitecrow.data.kinds.plan import Plan, said
from whitecrow.data.kinds.text import distinct, family_of, says_nothing
from whitecrow.data.kinds.words import number_text

__all__ = ["label_like", "warned"]

_LABEL_NAME = re.compile(
    r"(^|[\W_])(labels?|targets?|class|y|anomal(y|ies|ous)|fraud(ulent)?|outliers?|"
    r"attacks?|attack_(cat|type)|malicious|malware|defects?|defective|faults?|faulty|"
    r"failures?|abnormal|novelty|intrusion|ground_?truth|gt|y_?true|is_?anomaly|"
    r"is_?fraud|is_?outlier|is_?attack|change_?point|diagnosis|pass_fail)$"
)
_MAYBE_NAME = re.compile(r"(^|[\W_])(status|state|outcome|result|condition)$")
"""Names of labels only if the cells say so: one of two values means normal."""


def label_like(name: str, values: Collection[str]) -> bool:
    """Tell whether a column may say which rows are anomalies.

    Parameters
    ----------
    name : str
        The name of the column.
    values : collection of str
        Its different cells.

    Examples
    --------
    >>> label_like("is_fraud", ["0", "1"]), label_like("pressure", ["0", "1"])
    (True, False)
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).lower()
    words = re.sub(r"[ \-./]", "_", words)
    normal = labels.NORMAL_WORDS & {v.strip().lower().rstrip(".") for v in values}
    if _MAYBE_NAME.search(words):
        return len(values) == 2 and len(normal) == 1
    if not _LABEL_NAME.search(words):
        return False
    return len(values) == 2 or (2 <= len(values) <= 50 and bool(normal))


def warned(plan: Plan, array: pa.Array) -> Plan:
    """Add a loud note to the plan of a column that looks like labels."""
    values = _few_values(plan, array)
    if not plan.features or not label_like(plan.column, values):
        return plan
    known = {v: n for v, n in values.items() if not says_nothing(v)}
    meaning = labels.suggested(plan.column, known or values)
    options = f"--label-column {shlex.quote(plan.column)} {meaning}".strip()
    remedy = f"if it says which rows are anomalies: {options}"
    return said(plan, ["looks like labels"], level=2, remedy=remedy)


def _few_values(plan: Plan, array: pa.Array) -> dict[str, float]:
    """The different cells of a column that has few, and how frequent they are."""
    summary = plan.summary
    if plan.kind == "boolean":
        if family_of(array.type) == "text":
            text = distinct(array)
            pairs = zip(text.levels.to_pylist(), text.counts.tolist(), strict=True)
            return {word: count for word, count in pairs if not says_nothing(word)}
        return {word: share for word, share in summary["shares"].items() if share}
    if plan.kind == "category":
        return dict(summary["shares"]) if summary["distinct"] <= 50 else {}
    if plan.kind == "number":
        ends = [summary["min"], summary["max"]]
        inner = {summary[key] for key in ("q05", "q25", "median", "q75", "q95")}
        signs = ends == [-1.0, 1.0] and inner <= set(ends)
        two = summary["whole"] and (ends[1] - ends[0] == 1 or signs)
        often = summary["median"]
        return {number_text(end): 1.0 + (end == often) for end in ends} if two else {}
    return {}
