"""Kinds of columns: number, truth, moment and category.

`table` puts them together; `choose` decides which kind a column is.
"""

from whitecrow.data.kinds.decision import Decision, grouped
from whitecrow.data.kinds.frame import as_table
from whitecrow.data.kinds.table import TableEncoder

__all__ = ["Decision", "TableEncoder", "as_table", "grouped"]
