"""The sets that scikit-learn ships, as documented anomaly problems.

breast_cancer: a malignant tumour is an anomaly. digits: zeros are normal and the
first two pictures of each other digit are anomalies, so that anomalies are rare as in
real life. digits_all: every picture, zeros are normal and the rest is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels

if TYPE_CHECKING:
    from whitecrow.data.entry import Entry
    from whitecrow.data.formats import InMemory
    from whitecrow.data.rows import PictureRows

NORMAL_DIGIT = 0
ODD_PICTURES_PER_DIGIT = 2


def load(entry: Entry) -> InMemory | PictureRows:
    """Open the set of a catalogue entry whose `where` is "sklearn"."""
    return _breast_cancer(entry) if entry.kind == "table" else _digits(entry)


def _breast_cancer(entry: Entry) -> InMemory:
    import pyarrow as pa
    from sklearn.datasets import load_breast_cancer

    from whitecrow.data.formats import InMemory

    bunch = load_breast_cancer()
    columns = {
        name.replace(" ", "_"): bunch.data[:, i]
        for i, name in enumerate(bunch.feature_names.tolist())
    }
    # scikit-learn codes malignant as 0.
    columns["y"] = (bunch.target == 0).astype(np.int8)
    return InMemory(
        Path(entry.name), pa.table(columns), (entry.hint,), entry.label_column
    )


def _digits(entry: Entry) -> PictureRows:
    from sklearn.datasets import load_digits

    from whitecrow.data.rows import PictureRows

    bunch = load_digits()
    keep = np.arange(len(bunch.target))
    if entry.name == "digits":
        keep = _thinned(bunch.target)
    digit = bunch.target[keep]
    # Grey values run from 0 to 16 in the source, from 0 to 255 in ours.
    grey = np.rint(bunch.images[keep] * (255 / 16)).astype(np.uint8)
    odd = digit != NORMAL_DIGIT
    kinds = np.where(odd | (entry.name != "digits"), digit.astype(str), "good")
    return PictureRows(
        images=grey[:, None],
        paths=tuple(f"{entry.name}/{row:04d}" for row in keep.tolist()),
        kinds=tuple(kinds.tolist()),
        codes=np.where(odd, labels.ANOMALY, labels.NORMAL),
        source=entry.name,
        notes=(entry.hint,),
    )


def _thinned(digit: NDArray[np.int_]) -> NDArray[np.intp]:
    """Return indices of all normal pictures and the first few of each other digit."""
    others = [d for d in np.unique(digit) if d != NORMAL_DIGIT]
    odd = [np.flatnonzero(digit == d)[:ODD_PICTURES_PER_DIGIT] for d in others]
    return np.sort(np.concatenate([np.flatnonzero(digit == NORMAL_DIGIT), *odd]))
