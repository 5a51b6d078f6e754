"""Which format a file has: its content decides where it can, else its name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from whitecrow.data import pictures
from whitecrow.data.formats.streams import PACKINGS, Bytes, marked
from whitecrow.data.formats.table import EmptyError
from whitecrow.errors import DataError

__all__ = ["FORMATS", "Found", "format_in", "suffix_of"]

_PACKED = (".gz", ".bz2", ".zst", ".xz")
_TEXT = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".dat"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
}
FORMATS = {
    **{f"{text}{packed}": _TEXT[text] for text in _TEXT for packed in _PACKED},
    **_TEXT,
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "workbook"),
    ".zip": "zip",
    ".npz": "npz",
    ".npy": "npy",
    ".mat": "mat",
    **dict.fromkeys(pictures.SUFFIXES, "picture"),
}
"""Suffix to format."""

_SIGNATURES = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"MATLAB": "mat",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "workbook",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"GIF8": "picture",
}
_REFUSED = {
    b"\x89HDF": ("HDF5", "write the table as Parquet (pandas: to_parquet)"),
    b"%PDF": ("PDF", "export the table from it as CSV"),
    b"SQLite": ("SQLite", "export a table: sqlite3 -csv -header FILE 'select ...'"),
    b"FEA1": ("Feather version 1", "write it again as Feather version 2 or Parquet"),
    b"ORC": ("ORC", "write the table as Parquet"),
    b"Obj\x01": ("Avro", "write the table as Parquet"),
    **dict.fromkeys(
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        ("pickle", "it could run code; write the table as Parquet"),
    ),
    b"7z\xbc\xaf": ("7z", "unpack it"),
    b"Rar!": ("rar", "unpack it"),
    b"RDX": ("R data", "write the table as CSV: write.csv(x, row.names = FALSE)"),
    b"version https://git-lfs": ("a Git LFS pointer", "fetch the file: git lfs pull"),
    **dict.fromkeys(
        (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML", b"<table", b"<TABLE"),
        ("HTML", "download the data themselves and not the page"),
    ),
    b"{\\rtf": ("rich text", "save the table as CSV"),
}
_MARK = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """What a file is.

    Attributes
    ----------
    kind : str
        A value of `FORMATS`.
    packing : str
        How its bytes are compressed: a value of `streams.PACKINGS`, or "".
    misnamed : bool
        Whether the name of the file stands for another format.
    """

    kind: str
    packing: str
    misnamed: bool


def suffix_of(name: str) -> str:
    """Return the suffix that says what a file holds, without that of a compression.

    Examples
    --------
    >>> suffix_of("Loads.CSV.gz")
    '.csv'
    """
    name = name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


def format_in(file: Bytes, name: str) -> Found:
    """Find the format of a file by its bytes, as they are, and its name.

    Raises
    ------
    DataError
        It is empty, or of a format that is not readable.
    """
    suffix = next((s for s in FORMATS if name.lower().endswith(s)), "")
    expected = FORMATS.get(suffix, "")
    head = file.head(512)
    if not head:
        raise EmptyError(f"{file.shown}: the file is empty")
    packing = next((p for start, p in PACKINGS.items() if head.startswith(start)), "")
    if packing:
        head = Bytes(file.path, file.shown, packing).head(512)
        if not head:
            raise EmptyError(f"{file.shown}: the file is empty once it is unpacked")
    kind = _kind(file, head, expected, packing)
    named = FORMATS.get(suffix_of(name), expected)
    packed = name.lower().endswith(_PACKED)
    return Found(kind, packing, kind != named or bool(packing) != packed)


def _kind(file: Bytes, head: bytes, expected: str, packing: str) -> str:
    kind = next((k for start, k in _SIGNATURES.items() if head.startswith(start)), "")
    if kind == "zip":
        kind = _kind_of_zip(file, expected)
    if kind == "workbook" and expected == "picture":
        raise _refusal(file, "a workbook", "let its name end in .xlsx")
    if packing and kind:
        raise _refusal(file, f"{kind} compressed with {packing}", "unpack it first")
    if expected == "picture" and kind not in ("", "picture"):
        raise _refusal(file, kind, f"let its name end in .{kind}")
    if kind == "picture" and expected != "picture":
        raise _refusal(file, "a picture", "let its name end in .png or .jpg")
    if kind or expected in ("picture", "mat"):
        return kind or expected
    for start, (what, remedy) in _REFUSED.items():
        if head.startswith(start):
            if what == "HTML" and (expected == "workbook" or b"<table" in head.lower()):
                what, remedy = (
                    "an HTML table",
                    "open it in Excel, save it as xlsx or csv",
                )
            raise _refusal(file, what, remedy)
    if head[257:262] == b"ustar":
        raise _refusal(file, "a tar archive", "unpack it")
    return _kind_of_text(file, head, expected)


def _kind_of_zip(file: Bytes, expected: str) -> str:
    try:
        with ZipFile(file.path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        # The reader says what is wrong with it.
        return expected if expected in ("workbook", "npz") else "zip"
    if any(name.startswith("xl/") for name in names):
        return "workbook"
    if {"content.xml", "mimetype"} <= set(names):
        return "workbook"
    if any(name.startswith(("word/", "ppt/")) for name in names):
        raise _refusal(file, "an Office document", "save the table in it as CSV")
    arrays = [name.endswith(".npy") for name in names]
    return "npz" if arrays and all(arrays) else "zip"


def _kind_of_text(file: Bytes, head: bytes, expected: str) -> str:
    """Tell JSON from delimited text; its reader checks whether it is text at all."""
    start = head.removeprefix(_MARK).lstrip()
    if expected == "jsonl":
        if start[:1] not in (b"{", b"[", b"") and not _is_wide(head):
            if _is_json(head):
                remedy = 'write one object {"name": value, ...} a line'
                raise _refusal(file, "a single JSON value", remedy)
            raise _refusal(file, "text that is not JSON", "let its name end in .csv")
        return "jsonl"
    if re.match(rb'(\{\s*"[^"]*"\s*:|\[\s*\{\s*")', start):
        return "jsonl"
    if expected not in ("", "csv") and 0 in head and not _is_wide(head):
        raise DataError(
            f"{file.shown}: broken or not a {Path(file.shown).suffix} file; write or "
            "download it again"
        )
    return "csv"


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_wide(head: bytes) -> bool:
    return marked(head)[0] != "utf-8"


def _refusal(file: Bytes, what: str, remedy: str) -> DataError:
    rather = "" if what.endswith(" table") else ", not a table"
    return DataError(f"{file.shown}: its content is {what}{rather}; {remedy}")
