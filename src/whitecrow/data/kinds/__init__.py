"""Kinds of columns: number, truth, moment and category, each in one file.

`table` puts them together; `choose` decides which kind a column is.
"""

from whitecrow.data.kinds.table import Decision, TableEncoder, as_table, grouped

__all__ = ["Decision", "TableEncoder", "as_table", "grouped"]
