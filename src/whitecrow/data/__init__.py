"""Reading data, describing what was read, and turning it into numbers.

Import from the modules: `whitecrow.data.formats` (files), `whitecrow.data.encoding`
(mixed columns to a matrix), `whitecrow.data.pictures` (folders of pictures).
"""
