"""Columns that may say which rows are anomalies, by their names and cells."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

from whitecrow.data.kinds.plan import Plan, said
from whitecrow.data.kinds.words import number_text

__all__ = ["label_like", "warned"]

_LABEL_NAME = re.compile(
    r"(^|[\W_])(labels?|targets?|class|y|anomal(y|ies|ous)|fraud(ulent)?|outliers?|"
    r"attacks?|attack_(cat|type)|malicious|malware|defects?|defective|faults?|faulty|"
    r"failures?|abnormal|novelty|intrusion|ground_?truth|y_?true|is_?anomaly|is_?fraud|"
    r"is_?outlier|is_?attack)$"
)
_NORMAL = {"normal", "benign", "good", "ok", "regular", "no_failure", "legit", "inlier"}


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
    words = words.replace(" ", "_").replace("-", "_").replace(".", "_")
    if not _LABEL_NAME.search(words):
        return False
    lowered = {value.strip().lower().rstrip(".") for value in values}
    return len(values) == 2 or (2 <= len(values) <= 50 and bool(lowered & _NORMAL))


def warned(plan: Plan) -> Plan:
    """Add a loud note to the plan of a column that looks like labels."""
    values = _few_values(plan)
    if not plan.features or not label_like(plan.column, values):
        return plan
    option = f"--label-column {shlex.quote(plan.column)}"
    remedy = f"if it says which rows are anomalies: {option}"
    return said(plan, ["looks like labels"], level=2, remedy=remedy)


def _few_values(plan: Plan) -> list[str]:
    """The different cells of a column that has few; empty otherwise."""
    summary = plan.summary
    if plan.kind == "boolean":
        return [word for word, share in summary["shares"].items() if share]
    if plan.kind == "category":
        return list(summary["shares"]) if summary["distinct"] <= 50 else []
    if plan.kind == "number":
        ends = [summary["min"], summary["max"]]
        inner = {summary[key] for key in ("q05", "q25", "median", "q75", "q95")}
        signs = ends == [-1.0, 1.0] and inner <= set(ends)
        two = summary["whole"] and (ends[1] - ends[0] == 1 or signs)
        return [number_text(end) for end in ends] if two else []
    return []
