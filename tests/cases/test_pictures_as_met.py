"""Pictures in the depths and folders that cameras and people leave behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from people import Desk, rng, scores_of
from PIL import Image

DEFECT = 13


def scenes(mean: float, sd: float, step: float, n: int = 30) -> NDArray[np.float64]:
    """Noise around a mean; one has a square that is a step brighter."""
    found = rng().normal(mean, sd, (n, 48, 48))
    found[DEFECT, 14:34, 14:34] += step
    return found


def save(folder: Path, pixels: NDArray[np.generic], suffix: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{i:02d}.{suffix}")


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("bits", "low"), [(10, 500), (12, 2000), (14, 300), (16, 4e4)])
def test_sixteen_bits_that_are_used_in_part(
    suffix: str, bits: int, low: float, desk: Desk
) -> None:
    top = 2**bits - 1
    pixels = scenes(low, top * 0.03, top * 0.25).clip(0, top).astype(np.uint16)
    save(desk / "p", pixels, suffix)
    found = desk.detect("p", method=None)
    assert found.rank[DEFECT] == 1, found.text


@pytest.mark.parametrize(
    ("mean", "sd", "step"), [(0.4, 0.02, 0.2), (1000, 20, 300), (-5, 0.1, 2)]
)
def test_floating_point_pictures(
    mean: float, sd: float, step: float, desk: Desk
) -> None:
    save(desk / "p", scenes(mean, sd, step).astype(np.float32), "tif")
    ran = desk.run("detect", "p", "-o", "found")
    if ran.code:
        ran.refused("tif")
        return
    assert desk.found(ran).rank[DEFECT] == 1


def test_whole_numbers_of_32_bits(desk: Desk) -> None:
    save(desk / "p", scenes(70_000, 900, 9_000).astype(np.int32), "tif")
    ran = desk.run("detect", "p", "-o", "found")
    if ran.code:
        ran.refused("tif")
        return
    assert desk.found(ran).rank[DEFECT] == 1


def test_new_pictures_are_scaled_like_those_of_training(desk: Desk) -> None:
    pixels = scenes(500, 30, 0).clip(0, 1023).astype(np.uint16)
    save(desk / "p", pixels)
    desk.fit("p")
    bright = pixels[:6].copy()
    bright[0, 14:34, 14:34] += 400
    save(desk / "new", bright)
    scores = desk.score("new")
    assert scores[0] > max(scores[1:])
    save(desk / "one", bright[1:2])
    assert desk.score("one")[0] == pytest.approx(scores[1])


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_arrays_of_deep_pictures(kind: str, desk: Desk) -> None:
    pixels = scenes(500, 30, 300).astype(kind)
    np.savez(desk / "p.npz", X=pixels)
    ran = desk.run("detect", "p.npz", "-o", "found")
    if ran.code:
        ran.refused("p.npz")
        return
    assert desk.found(ran).rank[DEFECT] == 1


# --- kinds of files -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode(mode: str, desk: Desk) -> None:
    (desk / "p").mkdir()
    for i, one in enumerate(scenes(110, 8, 90).clip(0, 255).astype(np.uint8)):
        picture = Image.fromarray(one).convert("RGB" if mode == "CMYK" else mode)
        name, picture = (
            ("jpg", picture.convert("CMYK")) if mode == "CMYK" else ("png", picture)
        )
        picture.save(desk / "p" / f"{i:02d}.{name}")
    found = desk.detect("p", method=None)
    assert found.rank[DEFECT] == 1, found.text


def test_names_in_capitals_and_files_that_are_no_pictures(desk: Desk) -> None:
    save(desk / "p", scenes(110, 8, 90).clip(0, 255).astype(np.uint8))
    for path in sorted((desk / "p").iterdir())[::2]:
        path.rename(path.with_suffix(".PNG"))
    (desk / "p/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (desk / "p/Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (desk / "p/notes.txt").write_text("camera 2")
    found = desk.detect("p", method=None).rows(30)
    assert found.rank[DEFECT] == 1


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n cut", b"GIF89a"])
def test_a_broken_picture_is_named(content: bytes, desk: Desk) -> None:
    save(desk / "p", scenes(110, 8, 90).clip(0, 255).astype(np.uint8))
    (desk / "p/99.png").write_bytes(content)
    ran = desk.run("detect", "p", "-o", "found")
    if ran.code:
        ran.refused("99.png")
        return
    ran.says("99.png|1 (picture|file)")


def test_a_folder_without_pictures_is_refused(desk: Desk) -> None:
    (desk / "p").mkdir()
    (desk / "p/a.txt").write_text("nothing")
    desk.run("detect", "p", "-o", "found").refused("p")


# --- folders with parts ---------------------------------------------------------------


def parts(folder: Path, **counts: int) -> None:
    """Plain pictures; those of a part that is called a defect have a hole."""
    for place, n in counts.items():
        where = folder / place.replace("__", "/")
        defect = any(word in place for word in ("hole", "crack", "bad"))
        pixels = rng(len(place)).normal(120, 8, (n, 48, 48))
        pixels[:, 10:30, 10:30] += 90 * defect
        save(where, pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("good", ["good", "ok", "normal", "Good", "OK"])
def test_fit_takes_the_good_ones_of_train(good: str, desk: Desk) -> None:
    counts = {f"train__{good}": 24, f"test__{good}": 8, "test__hole": 8}
    parts(desk / "p", **counts)
    desk.fit("p").says(r"\b24\b", f"train.{good}")
    desk.score("p/test")
    rows = scores_of(desk / "s.parquet")
    odd = [row["anomaly_score"] for row in rows if "hole" in row["path"]]
    plain = [row["anomaly_score"] for row in rows if "hole" not in row["path"]]
    assert (len(odd), len(plain)) == (8, 8)
    assert min(odd) > max(plain)


def test_detect_on_parts_says_what_was_trained_on(desk: Desk) -> None:
    parts(desk / "p", train__good=24, test__good=8, test__hole=8)
    found = desk.detect("p", method=None)
    found.tells("train.good").says("AUROC")
    assert (desk / "found/report.html").stat().st_size < 5_000_000


def test_defects_in_train_are_not_trained_on(desk: Desk) -> None:
    parts(desk / "p", train__good=24, train__hole=6, test__good=8, test__hole=8)
    desk.fit("p").says(r"\b24\b", "train.good")


def test_masks_measure_where_the_defect_is(desk: Desk) -> None:
    parts(desk / "p", train__good=24, test__good=8, test__hole=8)
    (desk / "p/ground_truth/hole").mkdir(parents=True)
    mask = np.zeros((48, 48), np.uint8)
    mask[10:30, 10:30] = 255
    for i in range(8):
        Image.fromarray(mask).save(desk / f"p/ground_truth/hole/{i:02d}_mask.png")
    found = desk.detect("p", method=None)
    found.tells("pixel", "PRO")
    names = [line for line in found.words.split() if "_mask" in line]
    assert not names, "masks are shown as pictures"


def test_folders_named_by_kind_without_parts(desk: Desk) -> None:
    parts(desk / "p", good=24, bad=4)
    desk.run("detect", "p", "-o", "found").ok()


def test_a_train_folder_alone(desk: Desk) -> None:
    parts(desk / "p", train__good=24)
    desk.fit("p").says(r"\b24\b")
