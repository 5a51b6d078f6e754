"""One file per published method; `_table` lists them all."""
