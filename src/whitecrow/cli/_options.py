"""The options that commands share, and what they come to. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, Token

from whitecrow.cli import _wording

if TYPE_CHECKING:
    from whitecrow.choose import Choice
    from whitecrow.data.source import Reading

__all__ = [
    "AuxiliaryOptions",
    "Data",
    "Flag",
    "Into",
    "Json",
    "LabelOptions",
    "MethodOptions",
    "PictureSize",
    "Quiet",
    "ReadAs",
    "Whole",
    "model_file",
]


def _check_data(type_: object, given: str) -> None:
    """Refuse an option that does not exist where data are expected."""
    if given.startswith("-") and given != "-" and not Path(given).exists():
        raise ValueError(_wording.NO_OPTION)


def _whole(type_: object, tokens: Sequence[Token]) -> int:
    """Read a whole number; rounding "7.5" would answer another question."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not a whole number") from None


# `Annotated` types of arguments that several commands have; those that mean the same
# everywhere carry their help. What begins with a hyphen may be data, since `-` is
# standard input.
Data = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_check_data)]
Into = Annotated[str | None, Parameter(name=["--output", "-o"], show_default=False)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Json = Annotated[
    Flag, Parameter(name="--json", help="Print one JSON object instead of text.")
]
Quiet = Annotated[Flag, Parameter(name=["--quiet", "-q"], help="Do not show progress.")]
ReadAs = Annotated[
    tuple[str, ...],
    Parameter(allow_leading_hyphen=True, negative="", show_default=False),
]
PictureSize = Annotated[
    int | None,
    Parameter(converter=_whole, help="Side in pixels that pictures are scaled to."),
]
Whole = Annotated[int, Parameter(converter=_whole)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """Options that say how to detect.

    Attributes
    ----------
    method
        A name from `whitecrow methods`; chosen by the data if not given.
    model
        A parameter of the method, as in `--model.epochs 20` or `--model.hidden 64,32`;
        `whitecrow methods NAME` lists them.
    preset
        Settings of a publication, such as `paper`.
    contamination
        Expected share of anomalies: `auto`, or up to 0.5.
    seed
        The same seed gives the same scores.
    """

    method: str | None = None
    model: Annotated[
        dict[str, str], Parameter(allow_leading_hyphen=True, show_default=False)
    ] = field(default_factory=dict)
    preset: str | None = None
    contamination: str = "auto"
    seed: Whole = 0

    def choose(self, kind: str, *, use_labels: bool) -> Choice:
        """Choose the method for data of this kind, with its settings."""
        from whitecrow import choose

        return choose.choose(
            kind,
            self.method,
            use_labels=use_labels,
            parameters=self.model,
            preset=self.preset,
            contamination=self.contamination,
            seed=self.seed,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AuxiliaryOptions:
    """Options that give a method outliers to train against.

    Attributes
    ----------
    auxiliary
        Outliers from elsewhere, for methods that train against them: as DATA.
    auxiliary_noise
        Noise in place of data: `uniform`, `gaussian` or `shuffled`.
    auxiliary_size
        How many outliers to draw; by default all, or as many as training rows.
    auxiliary_classes
        How many classes to draw from, or which, separated by commas.
    auxiliary_blur
        Blur the pictures by a Gaussian of this deviation in pixels.
    auxiliary_seed
        Of what is drawn; a smaller number of outliers is a part of a larger one.
    """

    auxiliary: str | None = None
    auxiliary_noise: str | None = None
    auxiliary_size: Annotated[int | None, Parameter(converter=_whole)] = None
    auxiliary_classes: str | None = None
    auxiliary_blur: float | None = None
    auxiliary_seed: Whole = 0

    @property
    def given(self) -> dict[str, object] | None:
        """Return what was given, as `whitecrow.outliers.outliers` takes it."""
        classes: int | list[str] | None = None
        if self.auxiliary_classes is not None:
            words = [word.strip() for word in self.auxiliary_classes.split(",")]
            classes = int(words[0]) if words[0].isdigit() and words[1:] == [] else words
        said = {
            "data": self.auxiliary,
            "noise": self.auxiliary_noise,
            "size": self.auxiliary_size,
            "classes": classes,
            "blur": self.auxiliary_blur,
            "seed": self.auxiliary_seed or None,
        }
        return {key: value for key, value in said.items() if value is not None} or None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Options that say how to read the data and where labels are.

    Attributes
    ----------
    label_column
        The column with labels: 1 anomaly, 0 normal, empty unlabelled.
    labels
        Another convention: `deep-sad` (-1 anomaly, 0 unlabelled, 1 normal),
        `sklearn-semi` (-1 unlabelled), `outlier-predict` (-1 anomaly, 1 normal).
    anomaly_value
        The label that means an anomaly; `'!normal'` for all but `normal`. May be
        given several times.
    ignore
        Columns to leave out, separated by commas.
    sheet
        The sheet of a workbook, by name or number; by default the first with data.
    """

    label_column: str | None = None
    labels: str | None = None
    anomaly_value: Annotated[
        tuple[str, ...],
        Parameter(allow_leading_hyphen=True, negative="", show_default=False),
    ] = ()
    ignore: Annotated[str, Parameter(show_default=False)] = ""
    sheet: str | None = None

    def reading(
        self, read_as: Sequence[str] = (), picture_size: int | None = None
    ) -> Reading:
        """Turn the options into settings for opening the data."""
        from whitecrow.data.labelling import Labelling
        from whitecrow.data.source import Reading

        return Reading(
            labels=Labelling(
                column=self.label_column,
                convention=self.labels,
                anomaly_values=self.anomaly_value,
            ),
            ignore=tuple(filter(None, map(str.strip, self.ignore.split(",")))),
            read_as=dict(map(_pair, read_as)),
            sheet=self.sheet,
            picture_size=picture_size,
        )

    def for_model(self) -> Reading:
        """Return the settings for data that a model scores; it knows its columns."""
        from whitecrow.errors import ParameterError

        if self.ignore:
            raise ParameterError(
                f"--ignore {self.ignore}: a model needs the columns that it learnt "
                "from; leave them out when it is fitted: whitecrow fit DATA --ignore "
                f"{self.ignore}"
            )
        return self.reading()

    @property
    def given(self) -> bool:
        """Tell whether the user said anything about labels."""
        return bool(self.label_column or self.labels or self.anomaly_value)


def model_file(given: str, data: str, command: str) -> str:
    """Find the model that is meant: a file, or the one in a folder of `detect`."""
    from whitecrow.errors import ModelFileError

    if given != data and data.endswith(".crow") and not given.endswith(".crow"):
        raise ModelFileError(
            f"the model comes first: whitecrow {command} {data} {given}"
        )
    inside = Path(given) / "model.crow"
    if Path(given).is_dir() and not inside.is_file():
        raise ModelFileError(
            f"{given} is a folder without model.crow; give the model file"
        )
    return str(inside) if inside.is_file() else given


def _pair(text: str) -> tuple[str, str]:
    from whitecrow.errors import ParameterError

    column, equals, how = text.rpartition("=")
    if not equals or not column or not how:
        raise ParameterError(
            f"--read-as {text!r} is not COLUMN=HOW, as in --read-as 'when=month-first'"
        )
    return column, how
