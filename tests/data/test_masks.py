"""Masks of defects: where they are found, what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whitecrow import labels
from whitecrow.data.masks import Masks, read_masks
from whitecrow.data.pictures import read_pictures


def save(values: np.ndarray | int, *parts: str | Path) -> Path:
    path = Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((8, 6), values, dtype=np.uint8) if np.ndim(values) == 0 else values
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def mask() -> np.ndarray:
    found = np.zeros((8, 6), np.uint8)
    found[2:4, 1:3] = 255
    return found


@pytest.fixture
def tiles(tmp_path: Path, mask: np.ndarray) -> Path:
    root = tmp_path / "tiles"
    save(10, root, "train", "good", "a.png")
    save(30, root, "test", "good", "c.png")
    save(40, root, "test", "crack", "d.png")
    save(mask, root, "ground_truth", "crack", "d_mask.png")
    return root


def masks_of(folder: Path, size: int | None = None) -> Masks:
    found = read_masks(folder, read_pictures(folder, picture_size=size))
    assert found is not None
    return found


@pytest.mark.parametrize("part", ["", "test"])
def test_masks_belong_to_their_pictures(tiles: Path, part: str) -> None:
    pictures = read_pictures(tiles / part)
    found = read_masks(tiles / part, pictures)
    assert found is not None
    assert found.marked.shape == (len(pictures), 8, 6)
    assert found.marked[pictures.kinds.index("crack"), 2:4, 1:3].all()
    assert found.marked.sum() == 4
    assert found.known.all()
    assert found.notes == ()


def test_masks_have_the_size_of_the_pictures(tiles: Path) -> None:
    found = masks_of(tiles, 24)
    assert found.marked[1, 6:12, 4:12].all()
    assert found.marked.sum() == 6 * 8


def test_no_masks(tiles: Path, tmp_path: Path) -> None:
    flat = tiles / "test" / "crack"
    assert read_masks(flat, read_pictures(flat)) is None
    other = tmp_path / "other"
    save(1, other, "test", "crack", "a.png")
    assert read_masks(other, read_pictures(other)) is None


def test_a_mask_that_is_missing_or_broken_is_said(tiles: Path) -> None:
    save(50, tiles, "test", "crack", "e.png")
    found = masks_of(tiles)
    assert found.known.tolist() == [True, True, False, True]
    assert found.notes == (
        "no mask: 1 of 2 pictures with a defect, left out of what is measured by "
        "pixels (test/crack/e.png)",
    )
    (tiles / "ground_truth" / "crack" / "d_mask.png").write_bytes(b"nothing")
    found = masks_of(tiles)
    assert found.known.tolist() == [True, False, False, True]
    assert "masks that cannot be read: 1 (test/crack/d.png: not a picture)" in (
        found.notes
    )


def test_a_mask_without_a_mark_is_said(tiles: Path) -> None:
    save(0, tiles, "ground_truth", "crack", "d_mask.png")
    found = masks_of(tiles)
    assert found.known.all()
    assert found.notes == ("masks without a marked pixel at this size: 1",)


def test_masks_beside_their_pictures(tmp_path: Path, mask: np.ndarray) -> None:
    for part in ("train", "test"):
        save(10, tmp_path, part, "1.png")
    save(mask, tmp_path, "test", "1_GT.png")
    save(mask * 0, tmp_path, "train", "1_GT.png")
    pictures = read_pictures(tmp_path)
    assert pictures.paths == ("train/1.png", "test/1.png")
    assert "masks, not read as pictures: 2" in pictures.notes
    found = read_masks(tmp_path, pictures)
    assert found is not None
    assert found.marked.sum(axis=(1, 2)).tolist() == [0, 4]
    assert found.known.all()


def test_masks_in_a_folder_of_labels(tmp_path: Path, mask: np.ndarray) -> None:
    save(10, tmp_path, "Test", "0001.png")
    save(10, tmp_path, "Test", "0002.png")
    save(mask, tmp_path, "Test", "Label", "0002_label.png")
    pictures = read_pictures(tmp_path)
    assert pictures.paths == ("Test/0001.png", "Test/0002.png")
    found = read_masks(tmp_path, pictures)
    assert found is not None
    assert found.known.tolist() == [False, True]


def test_several_masks_are_joined(tiles: Path, mask: np.ndarray) -> None:
    (tiles / "ground_truth" / "crack" / "d_mask.png").unlink()
    save(mask, tiles, "ground_truth", "crack", "d", "000.png")
    save(mask[::-1], tiles, "ground_truth", "crack", "d", "001.png")
    assert masks_of(tiles).marked.sum() == 8


def test_a_compressed_mask_is_cut_at_half(tiles: Path) -> None:
    (tiles / "ground_truth" / "crack" / "d_mask.png").unlink()
    random = np.random.default_rng(0).integers(0, 100, (8, 6)).astype(np.uint8)
    random[2:4, 1:3] = 255
    save(np.kron(random, np.ones((8, 8), np.uint8)), tiles, "big.jpg").rename(
        tiles / "ground_truth" / "crack" / "d_mask.jpg"
    )
    assert masks_of(tiles).marked.sum() == 4


def test_a_good_picture_has_no_mask(tiles: Path, mask: np.ndarray) -> None:
    save(10, tiles, "test", "good", "d.png")
    save(mask, tiles, "ground_truth", "good", "d_mask.png")
    assert masks_of(tiles).marked.sum() == 4


def test_real_folder(real_data: Path) -> None:
    folder = real_data / "demo" / "magnetic_tiles"
    pictures = read_pictures(folder / "test")
    assert Counter(pictures.kinds) == {
        "good": 40,
        **dict.fromkeys(("blowhole", "break", "crack", "fray", "uneven"), 12),
    }
    assert pictures.images.shape == (100, 1, 192, 192)
    found = read_masks(folder / "test", pictures)
    assert found is not None
    np.testing.assert_array_equal(
        found.marked.any(axis=(1, 2)), pictures.labels == labels.ANOMALY
    )
    assert found.known.all()
