"""Winners on a self-organising map: rows a second, beside the bare product.

The bare side is what any search for the nearest neuron has to compute, `x @ w.T` in
pieces of the same size, and nothing else. CPU seconds of one thread, so that a shared
machine does not matter. Training searches in float32, scoring in float64.

    python benchmarks/som.py [ROWS [COLUMNS]]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from whitecrow.deep.nets import som

_TURNS = 5


def rates(x: Tensor, side: int) -> tuple[float, float]:
    """Rows a CPU second, of the search and of the product, each in its best turn."""
    draw = torch.Generator().manual_seed(1)
    weight = torch.randn(side * side, x.shape[1], generator=draw).to(x.dtype)
    spare = torch.zeros(side * side, dtype=torch.bool)
    size = som._rows_of_a_piece(weight)
    search, bare = [], []
    for _ in range(_TURNS):
        search.append(_seconds(lambda: som.winners(x, weight, spare)))
        bare.append(_seconds(lambda: _product(x, weight, size)))
    return len(x) / min(search), len(x) / min(bare)


def _product(x: Tensor, weight: Tensor, size: int) -> None:
    for rows in x.split(size):
        rows @ weight.T


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main(n_rows: int = 20_000, n_columns: int = 120) -> None:
    torch.set_num_threads(1)
    x = torch.randn(n_rows, n_columns, generator=torch.Generator().manual_seed(0))
    print(f"{n_rows} rows x {n_columns} columns, rows a second on one core\n")
    print("| grid | numbers | winners | bare product | ratio |\n|---|---|---|---|---|")
    for dtype in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        for side in (8, 17, 29, 32):
            found, bare = rates(x.to(dtype), side)
            cells = f"{found:,.0f} | {bare:,.0f} | {bare / found:.2f}"
            print(f"| {side} x {side} | {name} | {cells} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
