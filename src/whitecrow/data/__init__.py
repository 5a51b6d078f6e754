"""Reading data, describing what was read, and turning it into numbers.

Import from the modules: `whitecrow.data.source` (files), `whitecrow.data.kinds.table`
(mixed columns to a matrix), `whitecrow.data.pictures` (folders of pictures).
"""
