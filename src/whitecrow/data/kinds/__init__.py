"""Kinds of columns: number, truth, moment and category, each in one file.

`table` puts them together; `choose` decides which kind a column is.
"""
