"""What folders say of pictures: parts, kinds, labels and masks, from paths."""

from __future__ import annotations

import pytest

from whitecrow.data.folders import is_part, meaning, pairs, without_masks
from whitecrow.errors import DataError


def said(*paths: str, folder: str = "set") -> list[tuple[str, str, int]]:
    """Part, kind and label of each path."""
    found = meaning(paths, folder=folder)
    assert found.rows == list(range(len(paths)))
    return list(zip(found.parts, found.kinds, found.codes.tolist(), strict=True))


def test_the_industrial_layout() -> None:
    found = said("train/good/1.png", "test/good/1.png", "test/dent/1.png")
    assert found == [("train", "good", 0), ("test", "good", 0), ("test", "dent", 1)]


@pytest.mark.parametrize(
    ("train", "test"), [("Train", "Test"), ("TRAIN", "TEST"), ("training", "testing")]
)
@pytest.mark.parametrize("good", ["good", "Good", "ok", "OK", "normal", "i.O.", "pass"])
def test_other_words(train: str, test: str, good: str) -> None:
    found = said(f"{train}/{good}/1.png", f"{test}/{good}/1.png", f"{test}/NG/1.png")
    assert found == [("train", good, 0), ("test", good, 0), ("test", "NG", 1)]


def test_validation_is_a_part_of_its_own() -> None:
    found = said("train/good/1.png", "validation/good/1.png", "val/dent/1.png")
    assert [part for part, _, _ in found] == ["train", "validation", "validation"]
    assert [code for _, _, code in found] == [0, 0, 1]


def test_the_only_folder_of_train_is_good() -> None:
    paths = ["train/bottles/1.png", "test/bottles/1.png", "test/broken/1.png"]
    found = meaning(paths)
    assert found.codes.tolist() == [0, 0, 1]
    assert "'bottles', the only folder of train, is taken as good" in found.notes


@pytest.mark.parametrize("bad", ["ng", "defect"])
def test_the_only_folder_of_train_may_be_bad(bad: str) -> None:
    found = said(f"train/{bad}/1.png", "test/good/1.png")
    assert [code for _, _, code in found] == [1, 0]


def test_classes_in_train_without_a_good_one() -> None:
    found = meaning(["train/cat/1.png", "train/dog/1.png", "test/cat/1.png"])
    assert found.kinds == ("cat", "dog", "cat")
    assert found.codes.tolist() == [-1, -1, -1]
    assert any("--anomaly-value" in note for note in found.notes)


def test_pictures_of_train_without_folders_have_no_kind() -> None:
    found = said("train/1.png", "test/images/1.png", "test/ng/1.png")
    assert found == [("train", "", -1), ("test", "", -1), ("test", "ng", 1)]


@pytest.mark.parametrize(
    ("good", "bad"),
    [("good", "bad"), ("ok", "ng"), ("OK", "NOK"), ("normal", "defect"),
     ("pass", "fail"), ("normal", "scratch"), ("i.O.", "n.i.O.")],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "monday/", "a/b/"])
def test_good_and_bad_side_by_side(good: str, bad: str, above: str) -> None:
    found = said(f"{above}{good}/1.png", f"{above}{bad}/1.png")
    assert found == [("", good, 0), ("", bad, 1)]


def test_unlabelled_is_no_kind() -> None:
    found = said("ok/1.png", "ng/1.png", "unlabelled/1.png", "2.png")
    assert [code for _, _, code in found] == [0, 1, -1, -1]


def test_kinds_above_the_parts() -> None:
    found = said("good/train/1.png", "good/test/1.png", "bad/test/1.png")
    assert found == [("train", "good", 0), ("test", "good", 0), ("test", "bad", 1)]


def test_one_data_set_deeper_down() -> None:
    found = said("data/tiles/train/good/1.png", "data/tiles/test/dent/1.png")
    assert found == [("train", "good", 0), ("test", "dent", 1)]


def test_products_below_the_parts() -> None:
    found = said("train/nut/good/1.png", "train/bolt/good/1.png", "test/nut/bad/1.png")
    assert [code for _, _, code in found] == [0, 0, 1]


def test_several_data_sets_are_refused() -> None:
    paths = [f"{name}/train/good/1.png" for name in ("bottle", "cable", "pill")]
    with pytest.raises(DataError) as caught:
        meaning(paths, folder="/data/mvtec")
    assert "3 data sets in one folder" in str(caught.value)
    assert "(bottle, cable, pill)" in str(caught.value)
    assert str(caught.value).endswith("such as /data/mvtec/bottle")


def test_a_folder_called_test_deep_down_is_any_folder() -> None:
    found = said("monday/test/1.png", "tuesday/2.png")
    assert found == [("", "", -1), ("", "", -1)]


def test_pictures_outside_of_the_parts_are_left_alone() -> None:
    found = meaning(["a/train/good/1.png", "a/cover.png"])
    assert found.rows == [0]
    assert "pictures outside of train and test, left alone: 1" in found.notes


@pytest.mark.parametrize("folder", ["tiles/Test", "test"])
def test_a_part_alone(folder: str) -> None:
    assert said("good/1.png", "dent/1.png", "2.png", folder=folder) == [
        ("test", "good", 0),
        ("test", "dent", 1),
        ("test", "", -1),
    ]
    assert is_part("Train")
    assert not is_part("trains")


# ------------------------------------------------------------------------ masks


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("test/dent/000.png", "ground_truth/dent/000_mask.png"),
        ("test/ko/000.png", "ground_truth/ko/000.bmp"),
        ("Test/0576.PNG", "Test/Label/0576_label.PNG"),
        ("train/10301.png", "train/10301_GT.png"),
        ("Data/Images/Anomaly/000.JPG", "Data/Masks/Anomaly/000.png"),
        ("bottle/test/dent/1.png", "bottle/ground_truth/dent/1_mask.png"),
        ("test/dent/000.png", "ground_truth/dent/000/003.png"),
        ("test/dent/a.png", "ground_truth/test/dent/a.png"),
        ("img_01.png", "mask/img_01.png"),
    ],
)
def test_masks_of_known_data_sets(picture: str, mask: str) -> None:
    assert pairs([picture, "train/good/000.png"], [mask]) == [[0], []]
    assert without_masks([picture, mask]) == ([0], [1])


def test_masks_of_one_part_are_not_those_of_the_other() -> None:
    assert pairs(["Train/1.png", "Test/1.png"], ["Train/Label/1_label.png"]) == [
        [0],
        [],
    ]


def test_several_masks_of_one_picture() -> None:
    masks = [f"ground_truth/structural/7/{row:03d}.png" for row in range(3)]
    assert pairs(["test/structural/7.png"], masks) == [[0, 1, 2]]


def test_pictures_of_labels_and_masks_are_pictures() -> None:
    paths = ["label/1.png", "label/2.png", "bottle/a.png", "a_mask.png"]
    assert without_masks(paths) == ([0, 1, 2, 3], [])
