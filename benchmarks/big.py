"""Scoring a large file in little memory: `whitecrow score` on 10 million rows.

The file (30 float columns, Parquet) is made batch by batch in a temporary folder, a
model is fitted on its first rows with the command line, and the peak memory of the
scoring process is what the kernel says about that child.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import report

COLUMNS = 30
_BATCH = 250_000
_METHODS = ("consensus", "autoencoder", "isolation_forest")  # the default first


def run(rows: int) -> list[dict[str, Any]]:
    """Fit and score with each method; one record for each."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "big.parquet"
        sample = Path(folder) / "sample.parquet"
        write(source, rows)
        write(sample, min(rows, 20_000))
        return [_score(method, source, sample, rows) for method in _METHODS]


def write(path: Path, rows: int) -> None:
    """Correlated columns, never more than a batch in memory."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((8, COLUMNS))
    names = [f"x{i}" for i in range(COLUMNS)]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _BATCH):
            n = min(_BATCH, rows - start)
            block = rng.standard_normal((n, 8)) @ mix
            block += 0.3 * rng.standard_normal((n, COLUMNS))
            arrays = [pa.array(column) for column in block.T]
            writer.write_table(pa.table(arrays, schema=schema))


def _score(method: str, source: Path, sample: Path, rows: int) -> dict[str, Any]:
    model, scores = source.with_name("m.crow"), source.with_name("scores.parquet")
    _command("fit", sample, "--method", method, "-o", model)
    started = time.perf_counter()
    peak, cpu = _command("score", model, source, "-o", scores)
    wall = time.perf_counter() - started
    written = pq.ParquetFile(scores).metadata.num_rows
    if written != rows:
        raise RuntimeError(f"{written} of {rows} rows were scored")
    scores.unlink()
    return {
        "method": method,
        "rows": rows,
        "file_mb": source.stat().st_size / 2**20,
        "peak_mb": peak,
        "cpu": cpu,
        "wall": wall,
    }


def _command(*arguments: object) -> tuple[float, float]:
    """Run `whitecrow ...`; its peak memory in MB and its CPU seconds.

    A process of its own measures, so that the largest child is the command.
    """
    words = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"whitecrow {arguments[0]} failed: {done.stderr.strip()}")
    peak, cpu = done.stdout.splitlines()[-1].split()
    return float(peak), float(cpu)


def section(records: list[dict[str, Any]]) -> str:
    """What RESULTS.md says about it."""
    header = ["method", "rows", "file MB", "peak MB", "CPU s", "rows per CPU s"]
    lines = [
        [
            r["method"],
            f"{r['rows']:,}",
            f"{r['file_mb']:.0f}",
            f"{r['peak_mb']:.0f}",
            f"{r['cpu']:.0f}",
            f"{r['rows'] / r['cpu']:,.0f}",
        ]
        for r in records
    ]
    text = (
        f"`whitecrow score m.crow big.parquet -o scores.parquet`, {COLUMNS} columns of "
        "float64; the aim is a peak below 1000 MB."
    )
    return f"{text}\n\n{report.table(header, lines)}\n\n{report.machine()}"


def _main() -> None:
    command = [sys.executable, "-m", "whitecrow", *sys.argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    cpu = used.ru_utime + used.ru_stime
    sys.stdout.write(f"\n{used.ru_maxrss * unit / 2**20} {cpu}\n")
    sys.exit(done.returncode)


if __name__ == "__main__":
    _main()
