"""From data to a fitted detector: choose the method, build it, encode, fit, score."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.defaults import PICTURE_SIDE, default_method
from whitecrow.detectors._table import Method, method, methods
from whitecrow.errors import ParameterError
from whitecrow.workflow.inputs import Input, Labelling, read
from whitecrow.workflow.parameters import convert, legal_names

if TYPE_CHECKING:
    from whitecrow.data.kinds.table import TableEncoder
    from whitecrow.detector import Detector

__all__ = [
    "Choice",
    "Fitted",
    "build",
    "choose",
    "encoded",
    "fit",
    "read_for_training",
    "save",
]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A method with its settings, and why it was taken.

    Attributes
    ----------
    method : Method
        Row of the registry.
    reason : str or None
        Completes "chosen because"; None when the user named the method.
    parameters : dict
        Constructor arguments that the user gave.
    preset : str or None
        A named set of constructor arguments.
    contamination : "auto" or float
        Expected share of anomalies.
    seed : int
        `random_state`, where the method has one.
    """

    method: Method
    reason: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    contamination: float | str = "auto"
    seed: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A fitted detector with the data that it learnt from.

    Attributes
    ----------
    detector : Detector
    encoder : TableEncoder or None
        None for pictures.
    X : ndarray
        What the detector was fitted on.
    data : Input
    choice : Choice
    scores : ndarray of float64, shape (n,)
        Anomaly scores of the rows of `data`.
    labels_used : bool
        Whether the detector learnt from labels.
    seconds : float
        Time for encoding, fitting and scoring.
    """

    detector: Detector
    encoder: TableEncoder | None
    X: NDArray[Any]
    data: Input
    choice: Choice
    scores: NDArray[np.float64]
    labels_used: bool
    seconds: float

    @property
    def threshold(self) -> float:
        """Rows with a higher score are flagged."""
        return float(self.detector.threshold_)

    @cached_property
    def encoding(self) -> list[str]:
        """What became of the columns, one sentence for all that are alike."""
        from whitecrow.data.kinds.table import grouped

        return [] if self.encoder is None else grouped(self.encoder.decisions_)

    @cached_property
    def flagged(self) -> NDArray[np.bool_]:
        """Whether each row is an anomaly by the threshold."""
        return np.asarray(self.scores > self.threshold)

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """1 for the highest score; equal scores are ranked in the order of rows."""
        ranks = np.empty(len(self.scores), dtype=np.int64)
        ranks[self.order] = np.arange(1, len(self.scores) + 1)
        return ranks

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Row numbers, the highest score first."""
        return np.argsort(-self.scores, kind="stable")


def choose(
    kind: str,
    name: str | None,
    *,
    use_labels: bool,
    parameters: Mapping[str, str] | None = None,
    preset: str | None = None,
    contamination: str = "auto",
    seed: int = 0,
) -> Choice:
    """A method by name, or the default one, with its settings from text.

    Raises
    ------
    ParameterError
        For an unknown method, preset or parameter; a method that does not take this
        kind of data; a value of the wrong type.
    """
    reason = None
    if name is None:
        name, reason = default_method(kind, use_labels=use_labels)
    record = method(name.replace("-", "_") if name.islower() else name)
    if kind not in record.input_kinds:
        legal = ", ".join(m.name for m in methods() if kind in m.input_kinds)
        raise ParameterError(f"{record.name} takes no {kind} input; use one of {legal}")
    choice = Choice(
        method=record,
        reason=reason,
        parameters=convert(record.cls, parameters or {}),
        preset=preset,
        contamination=_contamination(contamination),
        seed=seed,
    )
    # Before hours go into reading: a wrong value is known by now.
    build(choice)._check_parameters()
    return choice


def build(choice: Choice) -> Detector:
    """The unfitted detector of a choice."""
    cls = choice.method.cls
    shared = {"contamination": choice.contamination, "random_state": choice.seed}
    given = {name: v for name, v in shared.items() if name in legal_names(cls)}
    given |= choice.parameters
    return cls(**given) if choice.preset is None else cls.preset(choice.preset, **given)


def read_for_training(
    source: str, labelling: Labelling, *, picture_size: int | None = None
) -> Input:
    """As `inputs.read`, but large pictures come in the size for training."""
    data = read(source, labelling, picture_size=picture_size)
    if data.pictures is None or picture_size is not None or data.folder is None:
        return data
    height, width = data.pictures.images.shape[2:]
    if max(height, width) <= PICTURE_SIDE:
        return data
    small = read(source, labelling, picture_size=PICTURE_SIDE)
    # The reader says "as asked for", but nobody did.
    notes = [note for note in small.notes if "as asked for" not in note]
    scaled = (
        f"scaled from {height} x {width} to {PICTURE_SIDE} x {PICTURE_SIDE} pixels; "
        "--picture-size takes another size"
    )
    return replace(small, notes=(*notes, scaled))


def fit(
    data: Input,
    choice: Choice,
    *,
    use_labels: bool,
    auxiliary: str | None = None,
) -> Fitted:
    """Encode, fit and score.

    Parameters
    ----------
    data : Input
    choice : Choice
    use_labels : bool
        Hand the labels of `data` to the detector. Otherwise they are never looked at.
    auxiliary : str, optional
        Outliers from elsewhere: a source with the columns, or pictures, of `data`.

    Raises
    ------
    UserError
        Whatever the encoder and the detector refuse.
    """
    started = time.perf_counter()
    X, encoder = encoded(data)
    detector = build(choice)
    y = _labels(data) if use_labels and detector.uses_labels else None
    extra = {}
    if auxiliary is not None:
        extra["auxiliary"] = _auxiliary(auxiliary, data, encoder)
    detector.fit(X, y, **extra)
    scores = detector.anomaly_score(X)
    return Fitted(
        detector=detector,
        encoder=encoder,
        X=X,
        data=data,
        choice=choice,
        scores=scores,
        labels_used=y is not None,
        seconds=time.perf_counter() - started,
    )


def save(fitted: Fitted, path: str | Path) -> None:
    """Write the model file, with all that scoring new data takes."""
    from whitecrow import persist

    encoder = None if fitted.encoder is None else fitted.encoder.to_dict()
    persist.save(path, fitted.detector, encoder=encoder, info=_info(fitted))


def _info(fitted: Fitted) -> dict[str, Any]:
    data = fitted.data
    info: dict[str, Any] = {
        "kind": data.kind,
        "source": data.source,
        "rows": data.n_rows,
        "method": fitted.choice.method.name,
        "labels_used": fitted.labels_used,
        "label_column": data.labelling.column,
        "labels": data.labelling.convention,
        "anomaly_values": list(data.labelling.anomaly_values),
    }
    if data.pictures is not None:
        _, channels, height, width = data.pictures.images.shape
        info |= {"channels": channels, "height": height, "width": width}
    return info


def encoded(data: Input) -> tuple[NDArray[Any], TableEncoder | None]:
    """What a detector is fitted on, and how it was made; no encoder for pictures."""
    if data.pictures is not None:
        return data.pictures.images, None
    from whitecrow.data.kinds.table import TableEncoder

    encoder = TableEncoder(ignore=data.labelling.ignore).fit(data.table)
    return encoder.transform(data.table), encoder


def _labels(data: Input) -> NDArray[np.float64] | None:
    if data.codes is None:
        return None
    return np.where(data.codes == labels.UNLABELLED, np.nan, data.codes)


def _auxiliary(source: str, data: Input, encoder: TableEncoder | None) -> NDArray[Any]:
    if encoder is not None:
        outliers = read(source)
        if outliers.features is None:
            raise ParameterError(f"--auxiliary: {source} holds pictures, not a table")
        return encoder.transform(outliers.features)
    assert data.pictures is not None
    return pictures_like(source, data.pictures.images.shape[1:])


def pictures_like(source: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The pictures of a source with the channels and size of a model's."""
    return read_like(source, shape).pictures.images  # type: ignore[union-attr]


def read_like(source: str, shape: tuple[int, ...]) -> Input:
    """Pictures in the channels and size `(c, h, w)` that a model was fitted on.

    Raises
    ------
    DataError, ParameterError
        When the source is a table, or its size cannot be changed (arrays).
    """
    from whitecrow.data.pictures import with_channels

    channels, height, width = shape
    data = read(source, picture_size=height if height == width else None)
    if data.pictures is None:
        raise ParameterError(f"{source} is a table, but the model takes pictures")
    images = with_channels(data.pictures.images, channels)
    return replace(data, pictures=replace(data.pictures, images=images))


def _contamination(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value <= 0.5:
        raise ParameterError(
            f"--contamination {text!r} is neither 'auto' nor a share above 0 and up to "
            "0.5, such as 0.05 or 5%"
        )
    return value
