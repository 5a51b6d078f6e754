"""Query strategies: which rows to show to a person next.

`get(name).query(...)` gives row indices of the pool; one file for each strategy. All
take O(n k) time and O(n) memory beside the embeddings.
"""

from __future__ import annotations

from whitecrow.active.strategies._table import get, names
from whitecrow.active.strategies.distances import covering_radius
from whitecrow.active.strategies.interface import Pool, Strategy

__all__ = ["Pool", "Strategy", "covering_radius", "get", "names"]
