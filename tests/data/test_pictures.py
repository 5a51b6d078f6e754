"""Folders of pictures: layouts, sizes, modes, broken files and masks."""

from __future__ import annotations

import json
import os
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from whitecrow import labels
from whitecrow.data import decoding, pictures
from whitecrow.data.decoding import preview
from whitecrow.data.depth import to_bytes
from whitecrow.data.rows import PictureRows
from whitecrow.data.source import PictureSource, Reading, open_source
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


def read(source: Path | str, size: int | None = None) -> PictureRows:
    opened = open_source(str(source), Reading(picture_size=size))
    assert isinstance(opened, PictureSource)
    found = opened.pictures
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
        open_source(str(layout / "a.*"))


@pytest.mark.parametrize(
    "suffix", ["png", "jpg", "jpeg", "bmp", "tif", "webp", "PNG", "ppm", "pnm"]
)
def test_formats(tmp_path: Path, suffix: str) -> None:
    save(colour((200, 100, 50)), tmp_path, f"a.{suffix}")
    pixel = read(tmp_path).images[0, :, 4, 3].astype(int)
    np.testing.assert_allclose(pixel, [200, 100, 50], atol=4)


def test_netpbm_in_grey(tmp_path: Path) -> None:
    save(grey(9), tmp_path, "a.pgm")
    assert (read(tmp_path).images == 9).all()
    ramp = np.arange(72, dtype=">u2").reshape(8, 9) * 57  # up to 4,047 of 4,095
    (tmp_path / "a.pgm").write_bytes(b"P5 9 8 4095\n" + ramp.tobytes())
    found = read(tmp_path)
    assert found.images[0, 0, 0, 0] == 0
    assert found.images[0, 0, -1, -1] == 255
    assert any("16-bit" in note for note in found.notes)


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
    assert any(
        "scaled from 300 x 600 to 128 x 256 pixels; --picture-size" in note
        for note in found.notes
    )


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
        open_source(str(tmp_path))
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
        open_source(str(tmp_path))
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="but 1 csv file; read them with the pattern"):
        open_source(str(tmp_path))


def test_other_and_hidden_files_are_left_alone(layout: Path) -> None:
    (layout / "train" / "good" / "readme.txt").write_text("notes")
    (layout / "train" / "good" / "._a.png").write_bytes(b"junk of a file manager")
    found = read(layout)
    assert len(found) == 4
    assert found.skipped == ()
    assert "other files, left alone: 1 (.txt)" in found.notes


# ------------------------------------------------------- more than 8 bits a pixel


def textures(n: int, low: float = 400, high: float = 600) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, (n, 24, 32))


def png_of_16_bits(pixels: np.ndarray, colour_type: int) -> bytes:
    """A PNG file by its specification: Pillow writes no 16-bit colours."""
    h, w, _ = pixels.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    head = struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tiff_of_16_bits(pixels: np.ndarray, order: str) -> bytes:
    """An uncompressed colour TIFF file in one strip."""
    h, w, _ = pixels.shape
    data = pixels.astype(f"{order}u2").tobytes()
    fields = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, 3, 8 + len(data)),
              (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3),
              (278, 4, 1, h), (279, 4, 1, len(data))]  # fmt: skip
    start = 8 + len(data) + 6
    body = struct.pack(f"{order}H", len(fields))
    for tag, kind, count, value in fields:
        short = kind == 3 and count == 1
        body += struct.pack(f"{order}HHI", tag, kind, count)
        body += struct.pack(f"{order}HH", value, 0) if short else b""
        body += b"" if short else struct.pack(f"{order}I", value)
    magic = b"II" if order == "<" else b"MM"
    head = magic + struct.pack(f"{order}HI", 42, start)
    bits = struct.pack(f"{order}HHH", 16, 16, 16)
    return head + data + bits + body + struct.pack(f"{order}I", 0)


@pytest.mark.parametrize(
    ("dtype", "scale", "suffix"),
    [
        (np.uint16, 1, "png"),
        (np.uint16, 1, "tif"),
        (np.uint16, 4, "tiff"),
        (np.int32, 1, "tif"),
        (np.int32, 1000, "tif"),
        (np.float32, 1 / 1023, "tif"),
        (np.float32, 1, "tif"),
        (np.float32, -3.5, "tif"),
    ],
)
def test_a_set_is_scaled_by_its_range(
    tmp_path: Path, dtype: type, scale: float, suffix: str
) -> None:
    arrays = (textures(20) * scale).astype(dtype)
    arrays[13, 5:9, 5:9] = 900 * scale
    for row, array in enumerate(arrays):
        save(Image.fromarray(array), tmp_path, f"{row:02d}.{suffix}")
    found = read(tmp_path)
    expected, depth = to_bytes(arrays)
    assert found.depth == depth
    np.testing.assert_array_equal(found.images[:, 0], expected)
    assert np.ptp(found.images[0]) > 70
    assert any("of the set are scaled to 0 to 255" in note for note in found.notes)


def test_new_pictures_are_scaled_as_those_of_the_model(tmp_path: Path) -> None:
    for row, array in enumerate(textures(5).astype(np.uint16)):
        save(Image.fromarray(array), tmp_path, "old", f"{row}.png")
        save(Image.fromarray(array + 300), tmp_path, "new", f"{row}.png")
    old = pictures.read_pictures(tmp_path / "old")
    new = pictures.read_pictures(tmp_path / "new", depth=old.depth)
    assert new.depth == old.depth
    assert (new.images.astype(int) >= old.images).all()
    assert new.images.mean() > 240
    assert "values beyond that are cut off: in 5 of 5 pictures" in new.notes
    assert not any("cut off" in note for note in old.notes)
    with pytest.raises(ParameterError, match="give the values"):
        pictures.read_pictures(tmp_path / "new", depth=(5, 1))


def test_bytes_for_a_model_of_deeper_pictures(tmp_path: Path) -> None:
    save(grey(77), tmp_path, "a.png")
    found = pictures.read_pictures(tmp_path, depth=(0.0, 1023.0))
    assert (found.images == 77).all()
    assert found.depth == (0, 1023)
    assert any("8 bits a pixel, taken as they are" in note for note in found.notes)


def test_the_range_is_that_of_the_pictures_to_train_on(tmp_path: Path) -> None:
    good, dent = textures(2).astype(np.uint16)
    save(Image.fromarray(good), tmp_path, "train", "good", "a.png")
    save(Image.fromarray(dent * 9), tmp_path, "test", "dent", "a.png")
    together = read(tmp_path)
    assert together.depth == read(tmp_path / "train").depth
    assert together.images[1].min() == 255


@pytest.mark.parametrize(
    ("name", "channels", "colour_type"), [("RGB", 3, 2), ("RGBA", 4, 6), ("LA", 2, 4)]
)
def test_16_bit_colours_keep_their_lower_bytes(
    tmp_path: Path, name: str, channels: int, colour_type: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 1024, (9, 7, channels))
    (tmp_path / "a.png").write_bytes(png_of_16_bits(pixels, colour_type))
    found = read(tmp_path)
    kept = pixels[..., : 1 if name == "LA" else 3]
    assert found.depth == (0, 1023)
    np.testing.assert_array_equal(
        found.images[0], (kept * 255 // 1023).transpose(2, 0, 1)
    )
    assert ("transparency dropped: 1 of 1 pictures" in found.notes) == (name != "RGB")


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colours_of_tiff(tmp_path: Path, order: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 1024, (9, 7, 3))
    (tmp_path / "a.tif").write_bytes(tiff_of_16_bits(pixels, order))
    found = read(tmp_path)
    np.testing.assert_array_equal(
        found.images[0], (pixels * 255 // 1023).transpose(2, 0, 1)
    )


def test_deep_and_ordinary_pictures_together(tmp_path: Path) -> None:
    save(colour((1, 2, 3), (24, 32)), tmp_path, "a.png")
    save(grey(77, (24, 32)), tmp_path, "b.png")
    deep = np.full((24, 32), 511, np.uint16)
    deep[0, 0] = 1023
    save(Image.fromarray(deep), tmp_path, "c.png")
    found = read(tmp_path)
    assert found.images[:, :, 5, 5].tolist() == [[1, 2, 3], [77] * 3, [127] * 3]
    assert any("(1 of 3 pictures have 16 bits a pixel)" in note for note in found.notes)


def test_deep_pictures_are_resized_before_they_are_scaled(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 1000, (32, 1))
    save(Image.fromarray(ramp), tmp_path, "a.tif")
    found = read(tmp_path, 16)
    assert found.images.shape == (1, 1, 16, 16)
    assert (np.diff(found.images[0, 0, 5].astype(int)) > 10).all()


def test_pixels_that_are_no_numbers(tmp_path: Path) -> None:
    for row, array in enumerate(textures(3).astype(np.float32)):
        array[0, :4] = np.nan if row == 1 else 400
        save(Image.fromarray(array), tmp_path, f"{row}.tif")
    found = read(tmp_path)
    reason = "4 of 768 pixels are not finite numbers"
    assert found.skipped == (("1.tif", reason),)
    assert len(found) == 2


def test_whole_and_floating_point_pictures_have_no_common_range(tmp_path: Path) -> None:
    for row, array in enumerate(textures(3)):
        kind = np.float32 if row == 1 else np.uint16
        save(Image.fromarray(array.astype(kind)), tmp_path, f"{row}.tif")
    found = read(tmp_path)
    assert found.skipped == (("1.tif", "floating-point numbers, unlike most pictures"),)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("deep", [False, True])
def test_all_orientations(
    tmp_path: Path, orientation: int, suffix: str, deep: bool
) -> None:
    flat = np.arange(48).reshape(8, 6) * 5
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": "tiff_lzw"} if suffix == "tif" else {}
    image = Image.fromarray(flat.astype(np.uint16 if deep else np.uint8))
    image.save(tmp_path / f"a.{suffix}", exif=exif, **options)
    upside = flat[::-1, ::-1]
    turns = {2: flat[:, ::-1], 3: upside, 4: flat[::-1], 5: flat.T,
             6: np.rot90(flat, -1), 7: upside.T, 8: np.rot90(flat)}  # fmt: skip
    expected = turns.get(orientation, flat)
    np.testing.assert_array_equal(read(tmp_path).images[0, 0], expected)


def test_a_turned_tiff_file_that_would_be_misread(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey(1).save(tmp_path / "a.tif", exif=exif)
    save(grey(1), tmp_path, "b.tif")
    found = read(tmp_path)
    assert found.paths == ("b.tif",)
    assert "lies on its side" in found.skipped[0][1]


def test_only_the_first_page_is_read_and_it_is_said(tmp_path: Path) -> None:
    grey(1).save(tmp_path / "a.tif", save_all=True, append_images=[grey(9)])
    save(grey(5), tmp_path, "b.tif")
    found = read(tmp_path)
    assert found.images[:, 0, 0, 0].tolist() == [1, 5]
    assert any("first page" in n and "1 of 2 pictures" in n for n in found.notes)


def test_inks(tmp_path: Path) -> None:
    save(Image.new("CMYK", (6, 8), (0, 255, 255, 0)), tmp_path, "a.tif")
    assert read(tmp_path).images[0, :, 0, 0].tolist() == [255, 0, 0]


# ------------------------------------------------------------------- sizes, parts


def test_the_largest_side_is_reached_in_one_reading(tmp_path: Path) -> None:
    for name in "abc":
        save(grey(9, (300, 600)), tmp_path, f"{name}.png")
    save(grey(9, (40, 40)), tmp_path, "d.png")
    found = pictures.read_pictures(tmp_path, largest_side=128)
    assert found.images.shape == (4, 1, 64, 128)
    assert found.notes[1:] == (
        "scaled from 300 x 600 to 64 x 128 pixels; --picture-size takes another size",
        "resized to 64 x 128 (the most frequent size): 4 of 4 pictures, which have 2 "
        "sizes",
    )
    small = pictures.read_pictures(tmp_path, picture_size=(20, 30), largest_side=9)
    assert small.images.shape == (4, 1, 20, 30)
    with pytest.raises(ParameterError):
        pictures.read_pictures(tmp_path, picture_size=(20, 0))


def test_parts_and_files(layout: Path) -> None:
    found = read(layout)
    assert found.parts == ("train", "train", "test", "test")
    assert found.files == tuple(layout / path for path in found.paths)
    assert "parts: test 2, train 2" in found.notes
    assert read(layout / "train").parts == ("train", "train")
    assert read(layout / "test" / "crack").parts == ("",)


def test_training_takes_the_good_ones_of_train(layout: Path) -> None:
    save(grey(9), layout, "train", "ng", "a.png")
    save(grey(9), layout, "validation", "good", "a.png")
    found = read(layout)
    rows, sentence = pictures.training_rows(found.parts, found.kinds, found.labels)
    assert [found.paths[row] for row in np.flatnonzero(rows)] == [
        "train/good/a.png",
        "train/good/b.png",
    ]
    assert (
        sentence == "trained on 2 pictures of train/good; the other 4 are scored only"
    )


@pytest.mark.parametrize("part", ["test", "test/crack", "ground_truth/crack"])
def test_training_takes_all_where_there_is_no_train(layout: Path, part: str) -> None:
    found = read(layout / part)
    rows, sentence = pictures.training_rows(found.parts, found.kinds, found.labels)
    assert rows.all()
    assert sentence == ""


def test_nested_and_several_data_sets(layout: Path) -> None:
    above = read(layout.parent)
    assert above.paths[0] == "tiles/test/crack/d.png"
    assert above.parts == ("test", "test", "train", "train")
    assert "masks, not read as pictures: 1" in above.notes
    layout.rename(layout.parent / "b")
    save(grey(1), layout.parent, "a", "train", "good", "a.png")
    with pytest.raises(DataError, match=r"2 data sets in one folder.*\(a, b\)"):
        read(layout.parent)


def test_capital_letters(tmp_path: Path) -> None:
    save(grey(1), tmp_path, "Train", "OK", "a.png")
    save(grey(2), tmp_path, "Test", "NOK", "a.png")
    found = read(tmp_path)
    assert found.kinds == ("OK", "NOK")
    assert found.labels.tolist() == [labels.NORMAL, labels.ANOMALY]


# ----------------------------------------------------------------------- safety


def test_pipes_devices_and_folders_are_not_opened(tmp_path: Path) -> None:
    save(grey(1), tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    (tmp_path / "d.png").symlink_to(tmp_path / "d.png")
    (tmp_path / "e.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "f.png").symlink_to(tmp_path / "a.png")
    found = read(tmp_path)
    assert found.paths == ("a.png", "f.png")
    assert dict(found.skipped) == {
        "b.png": "not a regular file",
        "c.png": "not a regular file",
        "d.png": "Too many levels of symbolic links",
        "e.png": "No such file or directory",
    }
    with pytest.raises(DataError, match=r"b\.png: not a regular file"):
        preview(tmp_path / "b.png", side=10)


def test_links_to_folders_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    save(grey(1), tmp_path, "store", "a.png")
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "train" / "good").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "store" / "self").symlink_to(tmp_path / "store" / "self")
    found = read(tmp_path / "set")
    assert set(found.kinds) == {"good"}
    assert found.paths[0] == "train/good/a.png"
    assert len(found) <= 2


@pytest.mark.parametrize("format", ["GIF", "TGA", "ICO", "EPS"])
def test_no_other_decoder_sees_a_file(tmp_path: Path, format: str) -> None:
    colour((1, 2, 3), (16, 16)).save(tmp_path / "a.png", format=format)
    save(grey(1), tmp_path, "b.png")
    found = read(tmp_path)
    assert found.skipped == (("a.png", "not a picture"),)


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_of_any_bytes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/set\xfe"
    kind = folder + b"/train/good"
    Path(os.fsdecode(kind)).mkdir(parents=True)
    Image.new("L", (6, 8), 5).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(os.fsdecode(kind + b"/\xff.png"))
    Path(os.fsdecode(kind + b"/\xfe.png")).write_bytes(b"nothing")
    found = pictures.read_pictures(Path(os.fsdecode(folder)))
    assert found.paths == ("train/good/\\xff.png",)
    assert found.skipped == (("train/good/\\xfe.png", "not a picture"),)
    assert found.files[0].is_file()
    json.dumps([found.paths, found.notes, found.source]).encode()
    "".join([*found.paths, *found.notes, found.source]).encode()


def test_large_pictures_are_decoded_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in range(6):
        save(grey(row, (50, 50)), tmp_path, f"{row}.png")
    monkeypatch.setattr(decoding, "ALONE_PIXELS", 100)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    busy, most, real = [], [], decoding.pixels

    def watched(*args: Any) -> Any:
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.01)
        found = real(*args)
        busy.pop()
        return found

    monkeypatch.setattr(decoding, "pixels", watched)
    assert read(tmp_path).images[:, 0, 0, 0].tolist() == list(range(6))
    assert max(most) == 1


# ---------------------------------------------------------------------- previews


def test_previews(tmp_path: Path) -> None:
    deep = np.full((40, 80), 511, np.uint16)
    deep[0, 0] = 1023
    save(Image.fromarray(deep), tmp_path, "a.png")
    image = preview(tmp_path / "a.png", side=20, depth=(0, 1023))
    assert (image.mode, image.size) == ("L", (20, 10))
    assert image.getpixel((9, 9)) == 127
    save(colour((9, 8, 7), (40, 80)), tmp_path, "b.png")
    assert preview(tmp_path / "b.png", side=100).getpixel((0, 0)) == (9, 8, 7)
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"c\.png: "):
        preview(tmp_path / "c.png", side=100)
