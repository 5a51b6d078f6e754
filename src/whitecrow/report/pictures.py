"""The pictures on the page: the highest scores with heat maps, and how kinds fared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.report import thumbnails
from whitecrow.report.rows import truth_of
from whitecrow.report.scores import score_text, spread

if TYPE_CHECKING:
    from whitecrow.data.rows import PictureRows
    from whitecrow.findings import Findings

__all__ = ["is_small", "picture_view"]

MOST_TILES = 60
NORMAL_TILES, MISSED_TILES = 6, 30
BUDGET = 2_600_000  # characters of all tiles
# Tiles whose heat maps are computed at once.
BLOCK = 12


def picture_view(result: Findings, rows: PictureRows) -> dict[str, Any]:
    """Collect what the page shows of pictures.

    Parameters
    ----------
    result : Findings
    rows : PictureRows
        Its pictures.
    """
    images = rows.images
    tiles = _tiles(result, rows, _wanted(result))
    seen = {tile["row"] for tile in tiles}
    missed = [row for row in _missed(result) if row not in seen][:MISSED_TILES]
    calm = [int(row) for row in result.order[::-1][:NORMAL_TILES] if row not in seen]
    paths = rows.paths
    return {
        "tiles": tiles,
        "missed": _tiles(result, rows, missed),
        "n_missed": len(_missed(result)),
        "calm": [(paths[row], _picture(rows, row, side=128)) for row in calm],
        "sharp": is_small(images),
        "size": _size(images),
        "kinds": _kinds(result, rows),
        "skipped": rows.skipped,
    }


def is_small(images: NDArray[np.uint8]) -> bool:
    """Tell whether pictures are so small that their pixels should stay sharp."""
    return max(images.shape[2:]) <= 48


def _wanted(result: Findings) -> list[int]:
    """Choose the flagged pictures, or the highest ones, as many as fit on a page."""
    n = min(MOST_TILES, max(len(result.top), result.n_flagged))
    return [int(row) for row in result.order[: n if result.top else 0]]


def _missed(result: Findings) -> list[int]:
    """List labelled anomalies below the threshold, the highest score first."""
    codes = result.rows.codes
    if codes is None or not result.top:
        return []
    odd = (codes == labels.ANOMALY) & ~result.flagged
    return [int(row) for row in result.order[odd[result.order]]]


def _tiles(
    result: Findings, rows: PictureRows, wanted: Sequence[int]
) -> list[dict[str, Any]]:
    tiles: list[dict[str, Any]] = []
    total = 0
    for start in range(0, len(wanted), BLOCK):
        part = list(wanted[start : start + BLOCK])
        heats: Any = result.model.detector.explain(rows.images[part])
        for row, heat in zip(part, heats, strict=True):
            tile = _tile(result, rows, row, heat)
            total += len(tile["picture"]) + len(tile["heat"])
            if total > BUDGET:
                return tiles
            tiles.append(tile)
    return tiles


def _tile(
    result: Findings, rows: PictureRows, row: int, heat: NDArray[np.float64]
) -> dict[str, Any]:
    folder, slash, name = rows.paths[row].rpartition("/")
    truth = truth_of(result, row)
    return {
        "rank": int(result.ranks[row]),
        "row": row,
        "folder": folder + slash,
        "name": name,
        "score": score_text(float(result.scores[row]), spread(result.scores)),
        "flagged": bool(result.flagged[row]),
        "truth": truth and (rows.kinds[row] or truth),
        "picture": _picture(rows, row),
        "heat": thumbnails.uri(*thumbnails.heat(heat)),
    }


def _picture(rows: PictureRows, row: int, *, side: int = thumbnails.SIDE) -> str:
    picture = thumbnails.picture(
        rows.images[row], rows.file(row), side=side, depth=rows.depth
    )
    return thumbnails.uri(*picture)


def _size(images: NDArray[np.uint8]) -> str:
    _, channels, height, width = images.shape
    return f"{height} x {width} pixels, {'grey' if channels == 1 else 'colour'}"


def _kinds(result: Findings, rows: PictureRows) -> list[dict[str, Any]]:
    """Summarise how each kind of picture fared, where the folders name kinds."""
    kinds, codes = np.array(rows.kinds), rows.codes
    names = sorted(set(rows.kinds))
    if codes is None or len(names) < 2:
        return []
    return [_kind(result, name, kinds == name, codes) for name in names]


def _kind(
    result: Findings, name: str, here: NDArray[np.bool_], codes: labels.Codes
) -> dict[str, Any]:
    from whitecrow.metrics.ranking import auroc

    good, odd = codes == labels.NORMAL, here & (codes == labels.ANOMALY)
    pair = good | odd
    known = odd.any() and good.any()
    value = auroc(odd[pair], result.scores[pair]) if known else None
    return {
        "kind": name or "no kind",
        "n": int(here.sum()),
        "flagged": int(result.flagged[here].sum()),
        "auroc": "" if value is None else f"{value:.3f}",
    }
