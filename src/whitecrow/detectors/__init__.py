"""One file per published method; `whitecrow.registry` lists them all."""
