"""Save and load detectors without pickle.

A `.crow` file is an archive (`whitecrow.saving.archive`) of

- a manifest: class name (from the registry), parameters, plain fitted values;
- `weights.safetensors`: all arrays and tensors, those of isolation forests too;
- `parts/NAME.skops`: other fitted scikit-learn objects; a fixed list of types is read.

Format 1 had isolation forests as skops parts. Loading runs no code from the file. It
refuses whatever is not exactly what `save` wrote.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from whitecrow import __version__, forests, memory, registry
from whitecrow.errors import ModelFileError, ParameterError
from whitecrow.saving import archive
from whitecrow.saving import estimators as skops_parts
from whitecrow.scaling import Scaler

if TYPE_CHECKING:
    from whitecrow.detector import Detector

__all__ = ["Bundle", "load", "load_bundle", "save"]


@dataclass(frozen=True)
class Bundle:
    """What a file holds: a detector, how its table was encoded, and remarks.

    Attributes
    ----------
    detector : Detector
        Fitted.
    encoder : dict or None
        `TableEncoder.to_dict()` of the table it was fitted on.
    info : dict
        Whatever the writer noted: source, seed, labels used.
    """

    detector: Detector
    encoder: dict[str, Any] | None
    info: dict[str, Any]


def save(
    path: str | Path,
    detector: Detector,
    *,
    encoder: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
) -> None:
    """Write a fitted detector.

    Parameters
    ----------
    path : str or Path
        Usually ends in `.crow`. An existing file is replaced only once the new one is
        complete.
    detector : Detector
        Fitted.
    encoder, info : dict, optional
        See `Bundle`; plain JSON values.

    Raises
    ------
    ModelFileError
        When the file cannot be written, or a part of the detector cannot be saved.

    Examples
    --------
    >>> import tempfile
    >>> from whitecrow import IsolationForest, load
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> model = IsolationForest(random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder) / "m.crow", model)
    ...     same = load(Path(folder) / "m.crow")
    >>> bool((same.anomaly_score(X) == model.anomaly_score(X)).all())
    True
    """
    writer = _Writer()
    manifest = {
        "format": archive.FORMAT,
        "detector": writer.describe(detector, prefix=""),
        "encoder": encoder,
        "info": info or {},
        "versions": _versions(),
    }
    archive.write(Path(path), manifest, writer.parts())


def load(path: str | Path) -> Detector:
    """Load the detector in a file that `save` wrote; see `load_bundle` for the rest.

    Raises
    ------
    ModelFileError
        When the file is missing, broken, altered or from a newer whitecrow.
    """
    bundle = load_bundle(path)
    if bundle.encoder is not None:
        bundle.detector._encoded_by = str(path)
    return bundle.detector


def load_bundle(path: str | Path) -> Bundle:
    """Load everything in a file that `save` wrote.

    Raises
    ------
    ModelFileError
        When the file is missing, broken, altered or from a newer whitecrow.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(
            f"there is no model file {path}; `whitecrow fit` writes one"
        )
    try:
        manifest, parts = archive.read(path)
        reader = _Reader(parts)
        detector = reader.build(manifest["detector"], prefix="")
        return Bundle(detector, manifest["encoder"], manifest["info"])
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    except _BROKEN as error:
        raise ModelFileError(
            f"{path} is not a whole model file ({type(error).__name__}: "
            f"{_one_line(error)}); write it again with `whitecrow fit`"
        ) from error


# What reading of arbitrary bytes as zip, JSON, safetensors and skops can raise.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    MemoryError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    safetensors.SafetensorError,
)


class _Writer:
    """Turns a detector into a JSON description, arrays, and skops parts."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.skops: dict[str, bytes] = {}

    def describe(self, detector: Detector, prefix: str) -> dict[str, Any]:
        name = type(detector).__name__
        _home(name)
        fitted = {
            key: self._value(value, f"{prefix}{key}")
            for key, value in sorted(vars(detector).items())
            if key.endswith("_") and not key.startswith("_")
        }
        if not fitted:
            raise ModelFileError(f"this {name} is not fitted; call fit before save")
        parameters = {
            key: self._parameter(value, key, prefix)
            for key, value in detector.get_params(deep=False).items()
        }
        return {"class": name, "parameters": parameters, "fitted": fitted}

    def parts(self) -> dict[str, bytes]:
        # safetensors writes the memory of an array, whatever its order.
        tensors = {key: np.ascontiguousarray(a) for key, a in self.arrays.items()}
        parts = {archive.WEIGHTS: safetensors.numpy.save(tensors)}
        return {**parts, **self.skops}

    def _value(self, value: Any, key: str) -> dict[str, Any]:
        """Describe one fitted attribute as `{kind: ...}`."""
        if _is_detector(value):
            return {"detector": self.describe(value, prefix=f"{key}/")}
        if _are_detectors(value):
            items = [self._value(item, f"{key}/{i}") for i, item in enumerate(value)]
            return {_sequence(value): items}
        if memory.is_network(value):
            for name, tensor in value.state_dict().items():
                self.arrays[f"{key}/{name}"] = tensor.detach().cpu().numpy()
            return {"net": True}
        if isinstance(value, Scaler):
            for name, array in value.to_arrays().items():
                self.arrays[f"{key}/{name}"] = array
            return {"scaler": True}
        if isinstance(value, np.ndarray) and value.dtype == object:
            return {"names": [str(item) for item in value]}
        if isinstance(value, np.ndarray):
            self.arrays[key] = value
            return {"array": list(value.shape)}
        if forests.is_forest(value):
            return {"forest": forests.describe(value, key, self.arrays)}
        if isinstance(value, BaseEstimator):
            part = f"parts/{key.replace('/', '.')}.skops"
            self.skops[part] = skops_parts.dump(value)
            return {"skops": part}
        return _plain(value, key)

    def _parameter(self, value: Any, key: str, prefix: str) -> dict[str, Any]:
        if _is_detector(value):
            return {"settings": self._settings(value, f"{prefix}parameter.{key}/")}
        if _are_detectors(value):
            items = [
                self._parameter(item, f"{key}.{i}", prefix)
                for i, item in enumerate(value)
            ]
            return {_sequence(value): items}
        if isinstance(value, BaseEstimator):
            return self._value(value, f"{prefix}parameter.{key}")
        value = _fixed(value)
        if callable(value):
            raise ModelFileError(
                f"{key}={value!r} is code, which a model file does not hold; "
                "use a named network"
            )
        return _plain(value, key)

    def _settings(self, detector: Detector, prefix: str) -> dict[str, Any]:
        """Describe an unfitted detector given as a parameter."""
        name = type(detector).__name__
        _home(name)
        parameters = {
            key: self._parameter(value, key, prefix)
            for key, value in detector.get_params(deep=False).items()
        }
        return {"class": name, "parameters": parameters}


class _Reader:
    """Turns descriptions back into detectors."""

    def __init__(self, parts: dict[str, bytes]) -> None:
        self.parts = parts
        self.arrays = safetensors.numpy.load(parts[archive.WEIGHTS])

    def build(self, description: dict[str, Any], prefix: str) -> Detector:
        cls = _home(description["class"])
        parameters = {
            key: self._parameter(value)
            for key, value in description["parameters"].items()
        }
        detector = cls(**parameters)
        nets = []
        for key, value in description["fitted"].items():
            if "net" in value:
                nets.append(key)
            else:
                setattr(detector, key, self._value(value, f"{prefix}{key}"))
        for key in nets:
            arrays = self._under(f"{prefix}{key}/")
            setattr(detector, key, detector._restore_network(key, arrays))
        memory.settle(detector)
        return detector

    def _value(self, value: dict[str, Any], key: str) -> Any:
        if "detector" in value:
            return self.build(value["detector"], prefix=f"{key}/")
        if "scaler" in value:
            return Scaler.from_arrays(self._under(f"{key}/"))
        if "names" in value:
            return np.array(value["names"], dtype=object)
        if "array" in value:
            return self.arrays[key].reshape(value["array"])
        if "forest" in value:
            forest = forests.rebuild(value["forest"], key, self.arrays)
            skops_parts.check_columns(forest)
            return forest
        if "skops" in value:
            return skops_parts.undump(self.parts[value["skops"]])
        return _unplain(value, lambda i, item: self._value(item, f"{key}/{i}"))

    def _parameter(self, value: dict[str, Any]) -> Any:
        if "settings" in value:
            settings = value["settings"]
            inner = {k: self._parameter(v) for k, v in settings["parameters"].items()}
            return _home(settings["class"])(**inner)
        if "skops" in value:
            return skops_parts.undump(self.parts[value["skops"]])
        return _unplain(value, lambda i, item: self._parameter(item))

    def _under(self, prefix: str) -> dict[str, NDArray[Any]]:
        return {
            key.removeprefix(prefix): array
            for key, array in self.arrays.items()
            if key.startswith(prefix)
        }


def _is_detector(value: Any) -> bool:
    """Tell whether it scores as ours do; `_home` refuses what is not registered."""
    return hasattr(type(value), "anomaly_score") and hasattr(value, "get_params")


def _are_detectors(value: Any) -> bool:
    """Tell whether it is a list or tuple of detectors, and of nothing else."""
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(_is_detector(item) for item in value)
    )


def _sequence(value: Any) -> str:
    return "tuple" if isinstance(value, tuple) else "list"


def _fixed(value: Any) -> Any:
    """Replace a generator by None: it has moved on, so a file cannot repeat it."""
    moving = isinstance(value, np.random.RandomState | np.random.Generator)
    return None if moving else value


def _plain(value: Any, key: str) -> dict[str, Any]:
    """Describe a value for JSON; tuples stay tuples, numpy scalars become Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return {"tuple": [_plain(item, key) for item in value]}
    if isinstance(value, list):
        return {"list": [_plain(item, key) for item in value]}
    if value is None or isinstance(value, str | bool | int | float):
        return {"value": value}
    raise ModelFileError(
        f"{key} is a {type(value).__name__}, which a model file cannot hold"
    )


def _unplain(value: dict[str, Any], read: Callable[[int, Any], Any]) -> Any:
    """Rebuild what `_plain` described; `read` gets place and content of each item."""
    if "tuple" in value:
        return tuple(read(i, item) for i, item in enumerate(value["tuple"]))
    if "list" in value:
        return [read(i, item) for i, item in enumerate(value["list"])]
    return value["value"]


def _home(name: str) -> type[Any]:
    """Look a class of the registry up, and no other."""
    try:
        return registry.detector_class(name)
    except ParameterError:
        raise ModelFileError(
            f"the class {name!r} is not in the registry of whitecrow {__version__}; "
            "if it is one of yours, whitecrow.register it first"
        ) from None


def _versions() -> dict[str, str]:
    others = ("torch", "numpy", "scikit-learn")
    return {"whitecrow": __version__, **{name: version(name) for name in others}}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
