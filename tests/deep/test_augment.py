"""Variants of pictures, each step beside what Pillow does to one of them."""

import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from whitecrow.deep.augment import centre, colours, placed, varied
from whitecrow.deep.nets.noise import Noise

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def photos():
    """Real colours: patches of the two photographs of scikit-learn."""
    from sklearn.datasets import load_sample_images

    images = load_sample_images().images
    return [Image.fromarray(image[40:168, 90:218]) for image in images]


def tensor(images):
    arrays = np.stack([np.asarray(image) for image in images])
    arrays = arrays[:, None] if arrays.ndim == 3 else arrays.transpose(0, 3, 1, 2)
    return torch.from_numpy(arrays.copy()).float() / 255


def shifted_hue(image, turns):
    h, s, v = image.convert("HSV").split()
    h = Image.fromarray(
        (np.asarray(h).astype(int) + round(255 * turns)).astype(np.uint8)
    )
    return Image.merge("HSV", (h, s, v)).convert("RGB")


STEPS = {
    "brightness": (0, lambda im, f: ImageEnhance.Brightness(im).enhance(f), 0.8),
    "contrast": (1, lambda im, f: ImageEnhance.Contrast(im).enhance(f), 0.8),
    "saturation": (2, lambda im, f: ImageEnhance.Color(im).enhance(f), 0.8),
    "hue": (3, shifted_hue, 20 / 255),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_colours_are_those_of_pillow(step, mode, photos):
    place, by_pillow, amount = STEPS[step]
    images = [photo.convert(mode) for photo in photos]
    factors = torch.tensor([[1.0, 1.0, 1.0, 0.0]] * len(images))
    factors[:, place] = amount
    found = colours(tensor(images), factors) * 255
    if mode == "L" and step in {"saturation", "hue"}:
        expected = tensor(images) * 255
    else:
        expected = tensor([by_pillow(image, amount) for image in images]) * 255
    apart = (found - expected).abs()
    # Pillow rounds, for hue in its eight bits of HSV.
    assert apart.mean() < 0.6
    assert apart.max() <= (2 if step != "hue" else 6)
    if mode == "RGB" or step in {"brightness", "contrast"}:
        assert (tensor(images) * 255 - expected).abs().mean() > 3


def test_a_window_of_the_padded_picture_is_that_of_pillow(photos):
    x = tensor(photos)
    found = placed(x, torch.tensor([[0.0, 0.99], [0.5, 0.2]]), "cifar10") * 255
    for image, out, (top, left) in zip(photos, found, [(0, 8), (4, 1)], strict=True):
        wide = ImageOps.expand(image, border=4)
        box = (left, top, left + image.width, top + image.height)
        expected = np.asarray(wide.crop(box)).transpose(2, 0, 1)
        np.testing.assert_allclose(out, expected, atol=1e-3)


def test_imagenet_cuts_seven_eighths(photos):
    x = tensor(photos)
    assert placed(x, torch.rand(2, 2), "imagenet").shape == (2, 3, 112, 112)
    expected = np.asarray(photos[0].crop((8, 8, 120, 120))).transpose(2, 0, 1)
    np.testing.assert_allclose(centre(x, "imagenet")[0] * 255, expected, atol=1e-3)
    assert centre(torch.rand(1, 3, 256, 256), "imagenet").shape[-1] == 224


def test_each_picture_has_a_variant_of_its_own_and_mirror_images_occur():
    x = torch.rand(1, 3, 32, 32).expand(64, 3, 32, 32)
    out = varied(x, Noise([0], CPU), "cifar10")
    assert len({tuple(one.flatten()[:40].tolist()) for one in out}) == 64
    inner = x[0, 0, 8:24, 8:24]

    def like(one, picture):
        windows = one[0].unfold(0, 16, 1).unfold(1, 16, 1)
        return (windows - picture).abs().mean((2, 3)).min() < 0.03

    mirrored = sum(bool(like(one, inner.flip(-1))) for one in out)
    straight = sum(bool(like(one, inner)) for one in out)
    assert mirrored + straight == 64
    assert 16 < mirrored < 48


def test_a_member_alone_draws_what_it_draws_in_a_stack():
    x = torch.rand(2, 5, 3, 16, 16)
    together = varied(x, Noise([3, 4], CPU), "cifar10")
    alone = varied(x[1], Noise([4], CPU), "cifar10")
    torch.testing.assert_close(together[1], alone, rtol=0, atol=1e-6)


def test_none_changes_nothing():
    x = torch.rand(4, 1, 8, 8)
    assert varied(x, Noise([0], CPU), "none") is x


@pytest.mark.slow  # a time, of a machine that others use too
def test_a_batch_takes_less_than_forty_milliseconds_on_one_core():
    x, noise = torch.rand(256, 3, 32, 32), Noise([0], CPU)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        varied(x, noise, "cifar10")
        times = []
        for _ in range(20):
            start = time.process_time()
            varied(x, noise, "cifar10")
            times.append(time.process_time() - start)
    finally:
        torch.set_num_threads(before)
    assert sorted(times)[10] < 0.04
