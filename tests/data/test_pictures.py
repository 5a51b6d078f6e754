"""Folders of pictures: layouts, sizes, modes, broken files and masks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whitecrow import labels
from whitecrow.data import pictures, reading
from whitecrow.data.content import Pictures
from whitecrow.errors import DataError, ParameterError


def grey(value: int, size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new("L", (size[1], size[0]), value)


def colour(value: tuple[int, int, int], size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new("RGB", (size[1], size[0]), value)


def save(image: Image.Image, *parts: str | Path) -> Path:
    path = Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def read(source: Path | str, size: int | None = None) -> Pictures:
    found = reading.read(source, picture_size=size)
    assert isinstance(found, Pictures)
    n = len(found)
    assert found.images.dtype == np.uint8
    assert len(found.images) == len(found.kinds) == len(found.labels) == n
    return found


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    root = tmp_path / "tiles"
    save(grey(10), root, "train", "good", "b.png")
    save(grey(20), root, "train", "good", "a.png")
    save(grey(30), root, "test", "good", "c.png")
    save(grey(40), root, "test", "crack", "d.png")
    mask = np.zeros((8, 6), np.uint8)
    mask[2:4, 1:3] = 255
    save(Image.fromarray(mask), root, "ground_truth", "crack", "d_mask.png")
    return root


def test_whole_data_set(layout: Path) -> None:
    found = read(layout)
    assert found.paths == (
        "train/good/a.png",
        "train/good/b.png",
        "test/crack/d.png",
        "test/good/c.png",
    )
    assert found.kinds == ("good", "good", "crack", "good")
    assert found.labels.tolist() == [0, 0, 1, 0]
    assert found.images.shape == (4, 1, 8, 6)
    assert found.images[:, 0, 0, 0].tolist() == [20, 10, 40, 30]
    assert "kinds: crack 1, good 3" in found.notes


def test_one_part_of_a_data_set(layout: Path) -> None:
    assert read(layout / "train").kinds == ("good", "good")
    test = read(layout / "test")
    assert test.paths == ("crack/d.png", "good/c.png")
    assert test.labels.tolist() == [labels.ANOMALY, labels.NORMAL]


def test_test_folder_without_good_pictures(tmp_path: Path) -> None:
    save(grey(1), tmp_path, "test", "scratch", "a.png")
    assert read(tmp_path / "test").kinds == ("scratch",)
    assert read(tmp_path).labels.tolist() == [labels.ANOMALY]


def test_flat_folder_is_unlabelled(layout: Path) -> None:
    found = read(layout / "test" / "crack")
    assert found.paths == ("d.png",)
    assert found.kinds == ("",)
    assert found.labels.tolist() == [labels.UNLABELLED]


def test_other_subfolders_are_no_kinds(tmp_path: Path) -> None:
    save(grey(1), tmp_path, "monday", "a.png")
    save(grey(1), tmp_path, "tuesday", "a.png")
    found = read(tmp_path)
    assert found.paths == ("monday/a.png", "tuesday/a.png")
    assert set(found.labels.tolist()) == {labels.UNLABELLED}
    assert any("monday, tuesday) are not taken as kinds" in n for n in found.notes)


def test_pattern_of_pictures(layout: Path) -> None:
    found = read(str(layout / "test" / "*" / "*.png"))
    assert found.kinds == ("crack", "good")
    assert read(layout / "test" / "good" / "c.png").images[0, 0, 0, 0] == 30


def test_pattern_of_pictures_and_tables(layout: Path) -> None:
    (layout / "a.csv").write_text("a\n1\n")
    save(grey(1), layout, "a.png")
    with pytest.raises(DataError, match="pictures and other files"):
        reading.read(str(layout / "a.*"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "tif", "webp", "PNG"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    save(colour((200, 100, 50)), tmp_path, f"a.{suffix}")
    pixel = read(tmp_path).images[0, :, 4, 3].astype(int)
    np.testing.assert_allclose(pixel, [200, 100, 50], atol=4)


# ---------------------------------------------------------------- sizes, modes


def test_mixed_sizes_become_the_most_frequent_one(tmp_path: Path) -> None:
    for name in "abc":
        save(grey(9, (10, 12)), tmp_path, f"{name}.png")
    save(grey(9, (40, 30)), tmp_path, "d.png")
    found = read(tmp_path)
    assert found.images.shape == (4, 1, 10, 12)
    assert (found.images == 9).all()
    assert any(
        "resized to 10 x 12 (the most frequent size): 1 of 4" in note
        for note in found.notes
    )


def test_size_that_is_asked_for(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (32, 1))
    save(Image.fromarray(ramp), tmp_path, "a.png")
    found = read(tmp_path, 16)
    assert found.images.shape == (1, 1, 16, 16)
    assert (np.diff(found.images[0, 0, 5].astype(int)) > 0).all()


def test_large_pictures_are_capped_in_proportion(tmp_path: Path) -> None:
    save(grey(9, (300, 600)), tmp_path, "a.png")
    found = read(tmp_path)
    assert found.images.shape == (1, 1, 128, 256)
    assert any("from 300 x 600, at most 256" in note for note in found.notes)


@pytest.mark.parametrize("size", [0, -3, 5000, True])
def test_illegal_sizes(layout: Path, size: int) -> None:
    with pytest.raises(ParameterError, match="use a number of pixels from 1 to 4096"):
        read(layout, size)


def test_mixed_modes_become_colour(tmp_path: Path) -> None:
    save(grey(90), tmp_path, "a.png")
    save(colour((1, 2, 3)), tmp_path, "b.png")
    found = read(tmp_path)
    assert found.images[0, :, 0, 0].tolist() == [90, 90, 90]
    assert found.images[1, :, 0, 0].tolist() == [1, 2, 3]
    assert (
        "converted from grey to colour, as the others are: 1 of 2 pictures"
        in found.notes
    )


def test_sixteen_bits_keep_their_range(tmp_path: Path) -> None:
    deep = np.full((8, 6), 65535, np.uint16)
    deep[0, 0] = 32768
    save(Image.fromarray(deep), tmp_path, "a.png")
    found = read(tmp_path)
    assert found.images[0, 0, 0, :2].tolist() == [127, 255]
    assert any("16 bits" in note for note in found.notes)


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "LA"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    save(grey(255).convert(mode), tmp_path, "a.png")
    assert (read(tmp_path).images == 255).all()


def test_pictures_are_turned_as_their_camera_says(tmp_path: Path) -> None:
    image = colour((0, 0, 0), (8, 6))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read(tmp_path).images.shape == (1, 3, 6, 8)


def test_channels() -> None:
    images = np.zeros((1, 3, 1, 2), np.uint8)
    images[0, :, 0, 0] = (250, 128, 3)
    expected = Image.fromarray(images[0].transpose(1, 2, 0)).convert("L")
    grey_ones = pictures.with_channels(images, 1)
    np.testing.assert_array_equal(grey_ones[0, 0], np.asarray(expected))
    assert pictures.with_channels(grey_ones, 3).shape == images.shape
    assert pictures.with_channels(images, 3) is images
    with pytest.raises(ParameterError, match="channels=2"):
        pictures.with_channels(images, 2)


# -------------------------------------------------------------- broken, missing


def test_broken_pictures_are_named_skipped_counted(layout: Path) -> None:
    good = layout / "train" / "good"
    (good / "a.png").write_bytes((good / "b.png").read_bytes()[:45])
    (good / "aa.png").write_bytes(b"no picture at all")
    (good / "ab.jpg").touch()
    found = read(layout)
    assert [path for path, _ in found.skipped] == [
        "train/good/a.png",
        "train/good/aa.png",
        "train/good/ab.jpg",
    ]
    assert dict(found.skipped)["train/good/aa.png"] == "not a picture"
    assert found.paths == ("train/good/b.png", "test/crack/d.png", "test/good/c.png")
    assert found.images[:, 0, 0, 0].tolist() == [10, 40, 30]
    assert "broken and skipped: 3 of 6 pictures" in found.notes


def test_only_broken_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        reading.read(tmp_path)
    message = str(caught.value)
    assert message.endswith("none of 1 pictures can be read; a.png: not a picture")


def test_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(grey(1), tmp_path, "a.png")
    save(grey(1, (50, 50)), tmp_path, "b.png")
    monkeypatch.setattr(pictures, "LARGEST_PIXELS", 1000)
    found = read(tmp_path)
    assert found.paths == ("a.png",)
    assert found.skipped == (("b.png", "50 x 50 pixels are more than 1,000"),)


def test_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures in this folder; it needs bmp"):
        reading.read(tmp_path)
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="but 1 csv files; read them with the pattern"):
        reading.read(tmp_path)


def test_other_and_hidden_files_are_left_alone(layout: Path) -> None:
    (layout / "train" / "good" / "readme.txt").write_text("notes")
    (layout / "train" / "good" / "._a.png").write_bytes(b"junk of a file manager")
    found = read(layout)
    assert len(found) == 4
    assert found.skipped == ()
    assert "other files, left alone: 1 (.txt)" in found.notes


# ------------------------------------------------------------------------ masks


@pytest.mark.parametrize("part", ["", "test"])
def test_masks_belong_to_their_pictures(layout: Path, part: str) -> None:
    found = read(layout / part)
    result = pictures.masks(layout / part, found)
    assert result is not None
    assert result.shape == (len(found), 8, 6)
    row = found.kinds.index("crack")
    assert result[row, 2:4, 1:3].all()
    assert result.sum() == 4


def test_masks_have_the_size_of_the_pictures(layout: Path) -> None:
    found = read(layout, 24)
    result = pictures.masks(layout, found)
    assert result is not None
    row = found.kinds.index("crack")
    assert result[row, 6:12, 4:12].all()
    assert result.sum() == 6 * 8


def test_no_masks(layout: Path, tmp_path: Path) -> None:
    flat = layout / "test" / "crack"
    assert pictures.masks(flat, read(flat)) is None
    save(grey(1), tmp_path, "other", "test", "crack", "a.png")
    other = tmp_path / "other"
    assert pictures.masks(other, read(other)) is None


def test_a_mask_that_is_missing_or_broken(layout: Path) -> None:
    found = read(layout)
    mask = layout / "ground_truth" / "crack" / "d_mask.png"
    mask.write_bytes(b"nothing")
    with pytest.raises(DataError, match="the mask cannot be read"):
        pictures.masks(layout, found)
    mask.unlink()
    with pytest.raises(DataError, match="no mask of this crack"):
        pictures.masks(layout, found)


def test_real_folder(real_data: Path) -> None:
    folder = real_data / "demo" / "magnetic_tiles"
    found = read(folder / "test")
    assert Counter(found.kinds) == {
        "good": 40,
        **dict.fromkeys(("blowhole", "break", "crack", "fray", "uneven"), 12),
    }
    assert found.images.shape == (100, 1, 192, 192)
    result = pictures.masks(folder, found)
    assert result is not None
    marked = result.any(axis=(1, 2))
    np.testing.assert_array_equal(marked, found.labels == labels.ANOMALY)
