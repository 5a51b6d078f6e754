"""What a record was made with: parameters as resolved, content of the data, code.

A task says what its file says. The same words run something else when a default, a
preset, the data behind a path or the code of a method changes; a record holds the hash
of all that, and is made again when it no longer fits.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.metadata
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import whitecrow
from whitecrow.data.source import paths_of
from whitecrow.errors import UserError
from whitecrow.experiments.contender import build
from whitecrow.experiments.task import Task

__all__ = ["code_digest", "data_digest", "provenance"]

_ROOT = Path(whitecrow.__file__).parent
# Beside the method with all that it imports: what splits, encodes, fits and judges.
_FRAME = (
    "whitecrow.outliers",
    "whitecrow.experiments.asking",
    "whitecrow.experiments.contender",
    "whitecrow.experiments.problem",
    "whitecrow.experiments.record",
    "whitecrow.data.kinds.table",
    "whitecrow.data.protocols.holdout",
    "whitecrow.data.protocols.labelled_ratio",
    "whitecrow.data.protocols.official",
    "whitecrow.data.protocols.one_vs_rest",
    "whitecrow.data.protocols.soel",
    "whitecrow.metrics.acceptance",
    "whitecrow.metrics.ranking",
    "whitecrow.metrics.thresholds",
)


def provenance(task: Task) -> str:
    """Hash what a task would run with now.

    Returns
    -------
    str
        16 hexadecimal digits; "" where the data, or the method, cannot be had here.

    Examples
    --------
    >>> task = Task(data="breast_cancer", method="knn", label="", seed=0, parameters={},
    ...             protocol={"name": "holdout"})
    >>> said = Task(**{**vars(task), "parameters": {"n_neighbors": 50}})
    >>> other = Task(**{**vars(task), "parameters": {"n_neighbors": 5}})
    >>> provenance(task) == provenance(said), provenance(task) == provenance(other)
    (True, False)
    """
    try:
        facts = _method(task.method, task.preset, _text(task.parameters))
        reading = task.reading or {}
        places = [
            reading.get("path", task.data),
            reading.get("test"),
            (task.auxiliary or {}).get("data"),
        ]
        return _hash([facts, *(data_digest(place) for place in places if place)])
    except (UserError, ImportError):
        return ""


@functools.lru_cache(maxsize=256)
def _method(method: str, preset: str | None, parameters: str) -> str:
    """Hash resolved parameters, and the code that they go to."""
    task = Task(
        data="",
        method=method,
        label=method,
        seed=0,
        parameters=json.loads(parameters),
        protocol={},
        preset=preset,
    )
    detector = build(task, n_features=1)
    settings = _settings(detector)
    modules = sorted({type(one).__module__ for one in _nested(detector)})
    return _hash([settings, code_digest(tuple(modules)), *_peers(method)])


def data_digest(name: str) -> str:
    """Hash the content of a set, or of the files of a path.

    Raises
    ------
    DataError
        If there is no such set on this machine.
    """
    paths = paths_of(name)
    if not paths:  # a set that scikit-learn ships
        return f"scikit-learn {importlib.metadata.version('scikit-learn')}"
    found = hashlib.sha256()
    for path in paths:
        if path.is_file():
            facts = path.stat()
            found.update(path.name.encode())
            found.update(_file_digest(path, facts.st_size, facts.st_mtime_ns))
    return found.hexdigest()


@functools.lru_cache(maxsize=4096)
def _file_digest(path: Path, size: int, changed: int) -> bytes:
    """Hash a file; its size and time of change say when to do it again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@functools.lru_cache(maxsize=64)
def code_digest(modules: tuple[str, ...]) -> str:
    """Hash the code of modules and of all of ours that they import.

    Comments and docstrings do not count. Modules of others are left out.

    Examples
    --------
    >>> knn, lof = (code_digest((f"whitecrow.detectors.{n}",)) for n in ("knn", "lof"))
    >>> knn == lof
    False
    """
    known: set[str] = set()
    waiting = [name for name in modules if name.startswith("whitecrow.")]
    while waiting:
        name = waiting.pop()
        if name not in known:
            known.add(name)
            waiting += _imports(name)
    parts = [[name, _source_digest(name)] for name in sorted(known.union(_FRAME))]
    return _hash(parts)


@functools.cache
def _tree(module: str) -> ast.Module | None:
    place = _ROOT.joinpath(*module.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    return None


@functools.cache
def _source_digest(module: str) -> str:
    tree = _tree(module)
    assert tree is not None
    bare = ast.parse(ast.unparse(tree))  # a copy to take docstrings out of
    for node in ast.walk(bare):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            body[0] = ast.Pass()
    return _hash(ast.dump(bare))


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imports(module: str) -> Iterator[str]:
    """Name the modules of ours that a module imports, wherever it does."""
    tree = _tree(module)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{n.name}" for n in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("whitecrow.") and _tree(name) is not None:
                yield name


def _nested(detector: Any) -> list[Any]:
    """List a detector and those among its parameters."""
    found = [detector]
    if hasattr(detector, "get_params"):
        for value in detector.get_params(deep=False).values():
            many = value if isinstance(value, list | tuple) else [value]
            for one in many:
                if hasattr(one, "anomaly_score") or hasattr(one, "get_params"):
                    found += _nested(one)
    return found


def _settings(detector: Any) -> Any:
    """Write parameters with those of nested detectors, but for the seed."""
    given = detector.get_params(deep=False)
    return [
        type(detector).__name__,
        {
            key: _value(value)
            for key, value in sorted(given.items())
            if key not in {"random_state", "device", "n_jobs"}
        },
    ]


def _value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    return _settings(value) if hasattr(value, "get_params") else repr(value)


def _peers(method: str) -> Iterable[str]:
    if method.startswith("pyod:"):
        yield f"pyod {importlib.metadata.version('pyod')}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=list)


def _hash(value: Any) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()[:16]
