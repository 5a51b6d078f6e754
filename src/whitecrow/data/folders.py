"""What the folders of a set of pictures say: parts, kinds and masks, from paths alone.

The layout of the industrial data sets is `train/good/*`, `test/KIND/*` and masks of the
defects in `ground_truth/KIND/*`. People write it in many ways: `Train/OK`, `good` and
`bad` side by side, `validation/`, masks in `Label/` or beside their pictures. Paths
are relative, with forward slashes; nothing here touches a file.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels as conventions
from whitecrow.errors import DataError

__all__ = [
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Meaning",
    "holds_masks",
    "is_part",
    "meaning",
    "pairs",
    "without_masks",
]

TRAIN, VALIDATION, TEST = "train", "validation", "test"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words are compared without case and punctuation: "n.i.O." is "nio".
_PARTS = {
    **dict.fromkeys(("train", "training", "trainset"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "validate"), VALIDATION),
    **dict.fromkeys(("test", "testing", "testset"), TEST),
}
_GOOD = _words(
    "good ok okay normal normals pass passed healthy io gut defectfree nodefect "
    "nodefects nondefective undamaged flawless anomalyfree fehlerfrei"
)
_BAD = _words(
    "bad ng nok notok ko nio defect defects defective fail failed failure faulty "
    "fault anomaly anomalies anomalous abnormal damaged reject rejected scrap "
    "schlecht fehler"
)
_UNKNOWN = _words("unlabelled unlabeled unknown unsorted")
_PICTURES = _words("image images img imgs picture pictures")
_MASKS = _words("groundtruth")
# Masks only if their pictures are there too: there are pictures of labels and masks.
_MAYBE_MASKS = _words(
    "gt gts mask masks label labels annotation annotations segmentation"
)
_ENDING = re.compile(
    r"(?i)[ _.-](?:mask|gt|label|ground[ _-]?truth|segmentation|seg|annotation)$"
)

Parts = tuple[str, ...]
Key = tuple[Parts, str]


@dataclass(frozen=True, eq=False)
class Meaning:
    """What paths say about each picture.

    Attributes
    ----------
    rows : list of int
        The paths that belong to the set. The other attributes are about these.
    parts : tuple of str
        `"train"`, `"validation"`, `"test"`, or `""` where the layout has no parts.
    kinds : tuple of str
        The name of the folder that says good or which defect; `""` for none.
    codes : ndarray of int8
        `labels.NORMAL`, `ANOMALY` or `UNLABELLED`.
    notes : tuple of str
        What was decided.
    """

    rows: list[int]
    parts: Parts
    kinds: Parts
    codes: NDArray[np.int8]
    notes: tuple[str, ...]


def meaning(paths: Sequence[str], *, folder: str = "") -> Meaning:
    """Infer parts, kinds and labels from the folders of pictures.

    Parameters
    ----------
    paths : sequence of str
        Pictures, relative to the folder that was named.
    folder : str
        That folder, which may be a part itself.

    Raises
    ------
    DataError
        There are several data sets, each with a train folder of its own.

    Examples
    --------
    >>> found = meaning(["Train/OK/1.png", "Test/OK/2.png", "Test/dent/3.png"])
    >>> found.parts, found.kinds, found.codes.tolist()
    (('train', 'test', 'test'), ('OK', 'OK', 'dent'), [0, 0, 1])
    """
    notes: list[str] = []
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    places = _places(folders)
    if any(place is not None for place in places):
        rows = [row for row, place in enumerate(places) if place is not None]
        if left := len(paths) - len(rows):
            notes.append(f"pictures outside of train and test, left alone: {left}")
        split = [(folders[row], places[row] or 0) for row in rows]
        _refuse_several(split, folder)
        parts = tuple(_PARTS[_word(names[place])] for names, place in split)
        kinds = tuple(_kind(names, place) for names, place in split)
    else:
        rows = list(range(len(paths)))
        part = _PARTS.get(_word(PurePosixPath(folder).name), "")
        parts = (part,) * len(rows)
        level = 0 if part else _level(folders)
        kinds = _kinds(folders, level, notes)
    kinds = tuple("" if _word(kind) in _UNKNOWN else kind for kind in kinds)
    codes = _codes(parts, kinds, notes)
    return Meaning(rows, parts, kinds, codes, (*_counts(parts, kinds), *notes))


def is_part(folder: str) -> bool:
    """Tell whether a folder of this name is a part of a data set, such as train."""
    return _word(folder) in _PARTS


def holds_masks(folder: str) -> bool:
    """Tell whether a folder of this name beside train and test holds masks."""
    return _word(folder) in _MASKS | _MAYBE_MASKS


def _word(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


# ------------------------------------------------------------------------- parts


def _places(folders: list[Parts]) -> list[int | None]:
    """Find the index of the folder in each path that names its part; None if none does.

    Below the first level, `test` may mean anything: it counts only beside a `train`.
    """
    parts = [[_PARTS.get(_word(name)) for name in names] for names in folders]
    if {found[0] for found in parts if found} & {TRAIN, TEST}:
        return [0 if found and found[0] else None for found in parts]
    deep = [next((i for i, part in enumerate(found) if part), None) for found in parts]
    both = zip(parts, deep, strict=True)
    if any(i is not None and found[i] == TRAIN for found, i in both):
        return deep
    return [None] * len(folders)


def _refuse_several(split: list[tuple[Parts, int]], folder: str) -> None:
    """Refuse several data sets in one folder, each with a train folder of its own."""
    above = {names[:place] for names, place in split}
    sets = sorted("/".join(n) for n in above if not all(map(_is_kind, n)))
    if len(sets) > 1:
        shown = ", ".join(sets[:5]) + (", ..." if len(sets) > 5 else "")
        raise DataError(
            f"{folder}: {len(sets)} data sets in one folder, each with train or test "
            f"({shown}); name one of them, such as {folder}/{sets[0]}"
        )


def _is_kind(name: str) -> bool:
    return _word(name) in _GOOD or _word(name) in _BAD


# ------------------------------------------------------------------------- kinds


def _kind(names: Parts, place: int) -> str:
    """Return the folder below the part or, as in `good/train`, the one above it."""
    below = [name for name in names[place + 1 :] if _word(name) not in _PICTURES]
    above = [name for name in names[:place] if _is_kind(name)]
    said = [name for name in below if _is_kind(name)]
    return next(iter((*said, *below, *above)), "")


def _level(folders: list[Parts]) -> int | None:
    """Find the depth of the folders that say good or bad; None if none says good."""
    every = (pair for names in set(folders) for pair in enumerate(names))
    return min((depth for depth, name in every if _word(name) in _GOOD), default=None)


def _kinds(folders: list[Parts], level: int | None, notes: list[str]) -> Parts:
    if level is not None:
        return tuple(n[level] if len(n) > level else "" for n in folders)
    if others := sorted({names[0] for names in folders if names}):
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        notes.append(
            f"subfolders ({shown}) are not taken as kinds: none is called 'good' or "
            "'ok', and there is no train or test folder"
        )
    return ("",) * len(folders)


def _codes(parts: Parts, kinds: Parts, notes: list[str]) -> NDArray[np.int8]:
    """Encode good kinds as normal, all other ones as anomalies, "" as unlabelled."""
    present = sorted(set(kinds) - {""})
    good = {kind for kind in present if _word(kind) in _GOOD}
    trained = sorted({k for k, p in zip(kinds, parts, strict=True) if p == TRAIN and k})
    unsaid = [kind for kind in trained if not _is_kind(kind)]
    bad = set(present) - good
    if unsaid and unsaid == trained and len(trained) == 1:
        notes.append(f"{trained[0]!r}, the only folder of train, is taken as good")
        good |= {trained[0]}
        bad -= good
    elif unsaid and not good:
        bad = {kind for kind in present if _word(kind) in _BAD}
        shown = ", ".join(unsaid[:5]) + (", ..." if len(unsaid) > 5 else "")
        notes.append(
            f"none of the folders of train ({shown}) is called 'good': their pictures "
            "are unlabelled; say which are odd with --anomaly-value"
        )
    elif good and good != {"good"}:
        shown = ", ".join(sorted(good))
        notes.append(f"normal pictures are those of {shown}; other kinds are anomalies")
    code = {"": conventions.UNLABELLED, **dict.fromkeys(good, conventions.NORMAL)}
    code |= dict.fromkeys(bad, conventions.ANOMALY)
    found = [code.get(kind, conventions.UNLABELLED) for kind in kinds]
    return np.array(found, dtype=np.int8)


def _counts(parts: Parts, kinds: Parts) -> list[str]:
    notes = []
    if len(set(parts)) > 1:
        notes.append("parts: " + _counted(parts))
    if any(kinds):
        notes.append("kinds: " + _counted(kind or "no kind" for kind in kinds))
    return notes


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{word} {n}" for word, n in sorted(Counter(words).items()))


# ------------------------------------------------------------------------- masks


def without_masks(paths: Sequence[str]) -> tuple[list[int], list[int]]:
    """Tell pictures from the masks that lie among them.

    A mask lies in `ground_truth`; in a folder such as `mask`, `gt` or `label` of which
    most files have the name of a picture elsewhere; or beside its picture, called
    as it is with `_mask`, `_gt` or `_label` at the end.

    Returns
    -------
    (list of int, list of int)
        Row indices of pictures and of masks.

    Examples
    --------
    >>> without_masks(["a/1.png", "a/1_mask.png", "a/2_mask.png", "label/1.png"])
    ([0, 2, 3], [1])
    """
    folders = [tuple(map(_word, PurePosixPath(p).parts[:-1])) for p in paths]
    stems = [PurePosixPath(path).stem for path in paths]
    known = {(f, stem) for f, stem in zip(folders, stems, strict=True)}
    masks, maybe = set(), []
    for row, (names, stem) in enumerate(zip(folders, stems, strict=True)):
        plain = _ENDING.sub("", stem)
        if _MASKS & set(names) or (plain != stem and (names, plain) in known):
            masks.add(row)
        elif _MAYBE_MASKS & set(names):
            maybe.append(row)
    aside = set(maybe)
    rest = [r for r in range(len(paths)) if r not in masks and r not in aside]
    index = pairs([paths[r] for r in rest], [paths[r] for r in maybe])
    if 2 * len({row for rows in index for row in rows}) > len(maybe):
        masks |= aside
    return [r for r in range(len(paths)) if r not in masks], sorted(masks)


def pairs(pictures: Sequence[str], masks: Sequence[str]) -> list[list[int]]:
    """Find the row indices of the masks of each picture: none, one, or one per region.

    Examples
    --------
    >>> pairs(["test/dent/1.png"], ["ground_truth/dent/1_mask.png"])
    [[0]]
    """
    index: dict[Key, list[int]] = defaultdict(list)
    for row, path in enumerate(masks):
        for key in _mask_keys(path):
            index[key].append(row)
    return [
        next((index[key] for key in _picture_keys(path) if key in index), [])
        for path in pictures
    ]


def _mask_keys(path: str) -> set[Key]:
    folders, stem = _plain(path, _MASKS | _MAYBE_MASKS)
    keys = {(folders, stem), (folders, _ENDING.sub("", stem))}
    if folders:  # several masks in a folder that is called like their picture
        keys.add((folders[:-1], folders[-1]))
    return keys


def _picture_keys(path: str) -> list[Key]:
    folders, stem = _plain(path, frozenset())
    return [(folders, stem), (tuple(f for f in folders if not is_part(f)), stem)]


def _plain(path: str, dropped: frozenset[str]) -> Key:
    pure = PurePosixPath(path)
    kept = (n for n in pure.parts[:-1] if _word(n) not in _PICTURES | dropped)
    return tuple(name.casefold() for name in kept), pure.stem.casefold()
