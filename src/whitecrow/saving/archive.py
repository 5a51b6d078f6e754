"""The `.crow` archive: a zip whose every byte is accounted for.

It is not compressed, so that no entry can be larger than the file, and has

- `manifest.json`: format version, what the writer says, and size and sha256 of every
  part;
- `manifest.sha256`: that of the manifest itself;
- the parts.

Whatever is not exactly what `write` wrote is refused: a future format, another hash, a
truncated file, compressed entries, more or other entries than the manifest names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NoReturn

from whitecrow.errors import ModelFileError

__all__ = ["FORMAT", "WEIGHTS", "read", "write"]

FORMAT = 2

MANIFEST, CHECK, WEIGHTS = "manifest.json", "manifest.sha256", "weights.safetensors"

# A manifest beyond this is not one of ours: it is read into memory before any check.
_LARGEST_MANIFEST = 64 * 2**20


def write(path: Path, manifest: dict[str, Any], parts: dict[str, bytes]) -> None:
    """Write a manifest and parts; an existing file is replaced once all is written.

    Raises
    ------
    ModelFileError
        When the file cannot be written.
    """
    """Write a manifest and parts; an existing file is replaced once all is written.

    Raises
    ------
    ModelFileError
        When the file cannot be written.
    """
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


def read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the manifest and the parts of an archive.

    Raises
    ------
    ModelFileError
        Where it is not exactly what `write` wrote; broken bytes also raise errors of
        zipfile and json.
    """
    """Read the manifest and the parts of an archive.

    Raises
    ------
    ModelFileError
        Where it is not exactly what `write` wrote; broken bytes also raise errors of
        zipfile and json.
    """
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
