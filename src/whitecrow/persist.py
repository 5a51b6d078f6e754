"""Save and load detectors without pickle.

A `.crow` file is a zip without compression:

- `manifest.json`: format version, class name (from the registry), parameters, plain
  fitted values, and size and sha256 of every other part;
- `manifest.sha256`: that of the manifest itself;
- `weights.safetensors`: all arrays and tensors, those of isolation forests too;
- `parts/NAME.skops`: other fitted scikit-learn objects; a fixed list of types is read.

Format 1 had isolation forests as skops parts.

Loading runs no code from the file. It refuses whatever is not exactly what `save`
wrote: an unknown class, a future format, another hash, a truncated file, compressed
entries, more or other entries than the manifest names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from whitecrow import __version__, forests, memory
from whitecrow import parts as skops_parts
from whitecrow.detector import Detector
from whitecrow.errors import ModelFileError, ParameterError
from whitecrow.scaling import Scaler

if TYPE_CHECKING:
    import torch

__all__ = ["Bundle", "load", "load_bundle", "save"]

FORMAT = 2

MANIFEST, CHECK, WEIGHTS = "manifest.json", "manifest.sha256", "weights.safetensors"

# A manifest beyond this is not one of ours: it is read into memory before any check.
_LARGEST_MANIFEST = 64 * 2**20


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
        "format": FORMAT,
        "detector": writer.describe(detector, prefix=""),
        "encoder": encoder,
        "info": info or {},
        "versions": _versions(),
    }
    _write(Path(path), manifest, writer.parts())


def load(path: str | Path) -> Detector:
    """The detector in a file that `save` wrote; see `load_bundle` for the rest.

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
    """Everything in a file that `save` wrote.

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
        manifest, parts = _read(path)
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
        parts = {WEIGHTS: safetensors.numpy.save(tensors)}
        return {**parts, **self.skops}

    def _value(self, value: Any, key: str) -> dict[str, Any]:
        """One fitted attribute as `{kind: ...}`."""
        if isinstance(value, Detector):
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
        if isinstance(value, Detector):
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
        """An unfitted detector given as a parameter."""
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
        self.arrays = safetensors.numpy.load(parts[WEIGHTS])

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
            setattr(detector, key, self._net(detector, f"{prefix}{key}/"))
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

    def _net(self, detector: Any, prefix: str) -> torch.nn.Module:
        import torch

        state = {k: torch.from_numpy(a) for k, a in self._under(prefix).items()}
        net: torch.nn.Module = detector._rebuild_net(state)
        net.load_state_dict(state)
        from whitecrow import device

        return net.to(device.resolve(_present(detector))).eval().requires_grad_(False)

    def _under(self, prefix: str) -> dict[str, NDArray[Any]]:
        return {
            key.removeprefix(prefix): array
            for key, array in self.arrays.items()
            if key.startswith(prefix)
        }


def _present(detector: Any) -> str:
    """The device to load to: as asked for, or the best one of this machine."""
    from whitecrow import device

    asked = str(detector.device)
    return asked if asked.partition(":")[0] in device.available() else "auto"


def _are_detectors(value: Any) -> bool:
    """Whether it is a list or tuple of detectors, and of nothing else."""
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(isinstance(item, Detector) for item in value)
    )


def _sequence(value: Any) -> str:
    return "tuple" if isinstance(value, tuple) else "list"


def _fixed(value: Any) -> Any:
    """None for a generator: it has moved on since, so a file cannot repeat it."""
    moving = isinstance(value, np.random.RandomState | np.random.Generator)
    return None if moving else value


def _plain(value: Any, key: str) -> dict[str, Any]:
    """A JSON value, with tuples and numpy scalars told apart."""
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
    """What `_plain` described; `read` gets place and description of each item."""
    if "tuple" in value:
        return tuple(read(i, item) for i, item in enumerate(value["tuple"]))
    if "list" in value:
        return [read(i, item) for i, item in enumerate(value["list"])]
    return value["value"]


def _home(name: str) -> type[Detector]:
    """The class of this name in the registry, and no other."""
    from whitecrow.detectors import _table

    try:
        return _table.detector_class(name)
    except ParameterError:
        raise ModelFileError(
            f"the class {name!r} is not in the registry of whitecrow {__version__}"
        ) from None


def _versions() -> dict[str, str]:
    others = ("torch", "numpy", "scikit-learn")
    return {"whitecrow": __version__, **{name: version(name) for name in others}}


def _write(path: Path, manifest: dict[str, Any], parts: dict[str, bytes]) -> None:
    manifest["parts"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in parts.items()
    }
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    entries = {
        MANIFEST: text,
        CHECK: hashlib.sha256(text).hexdigest().encode(),
        **parts,
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for name, data in entries.items():
                # A fixed date: equal detectors give equal files.
                archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), data)
        unfinished.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if not isinstance(error, OSError):
            raise
        raise ModelFileError(
            f"cannot write {path}: {error.strerror or error}; choose another place"
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if len(infos) != len(archive.infolist()):
            _refuse("an entry is there twice")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
            # So that no entry can be larger than the file.
            _refuse("an entry is compressed, which save never does")
        manifest = _read_manifest(archive, infos)
        expected = manifest["parts"]
        if set(infos) != {MANIFEST, CHECK, *expected}:
            _refuse("its entries are not those that its manifest names")
        parts = {}
        for name, facts in expected.items():
            if not _is_part_name(name):
                _refuse(f"the entry {name!r} is not a name that save writes")
            if infos[name].file_size != facts["bytes"]:
                _refuse(f"{name} has another size than its manifest says")
            parts[name] = archive.read(name)
            if hashlib.sha256(parts[name]).hexdigest() != facts["sha256"]:
                _refuse(f"{name} was altered (sha256 differs)")
    return manifest, parts


def _read_manifest(
    archive: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo]
) -> dict[str, Any]:
    for name, largest in ((MANIFEST, _LARGEST_MANIFEST), (CHECK, 64)):
        if name not in infos:
            _refuse(f"it has no {name}, so it is not a whitecrow model")
        if infos[name].file_size > largest:
            _refuse(f"{name} is larger than any that save writes")
    text = archive.read(MANIFEST)
    manifest: dict[str, Any] = json.loads(text)
    if manifest.get("format", 0) > FORMAT:
        _refuse(
            f"format {manifest['format']} is newer than this whitecrow reads "
            f"({FORMAT}); upgrade whitecrow"
        )
    if hashlib.sha256(text).hexdigest().encode() != archive.read(CHECK):
        _refuse("its manifest was altered (sha256 differs)")
    return manifest


def _is_part_name(name: str) -> bool:
    inside = name.removeprefix("parts/")
    return name == WEIGHTS or (
        name.startswith("parts/") and name.endswith(".skops") and "/" not in inside
    )


def _refuse(why: str) -> NoReturn:
    raise ModelFileError(why)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
