"""The bytes of a file: where they are, how they are packed, what text they hold."""

from __future__ import annotations

import codecs
import io
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from whitecrow.data.formats.table import Loud
from whitecrow.errors import DataError

__all__ = ["BROKEN", "PACKINGS", "Bytes", "Text", "marked", "read_text", "unreadable"]

BLOCK_BYTES = 1 << 20
PACKINGS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"(\xb5/\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
}
"""First bytes to the kind of compression."""

BROKEN = (pa.ArrowException, OSError, ValueError, EOFError, lzma.LZMAError)
"""What the decoders raise on a file that is broken or cut off."""

_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_PADDING = b"\x00\x1a"
_SAMPLE_LINES = 500
_OVERLAP = 1024
_ESCAPED = re.compile(
    rb'[,;\t|\r\n]"(?:[^"\\]|\\[^"])*\\"(?:[^,;\t|"\r\n]|"[,;\t|\r\n])'
)
"""A quote in a quoted cell that neither ends the cell nor is doubled."""
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_NAMES = {
    "utf-8": "UTF-8",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "cp1252": "Windows-1252 (not valid UTF-8)",
    "latin-1": "Latin-1 (not valid UTF-8)",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "gb18030": "GBK (GB 18030)",
    "big5": "Big5",
    "euc_kr": "EUC-KR",
    "cp1251": "Windows-1251",
    "koi8_r": "KOI8-R",
    "cp1253": "Windows-1253",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
}
_WORD = re.compile(rb"[\x40-\x7e]*[\x80-\xff][\x40-\xff]*")
_NOT_LATIN = list(_NAMES)[5:]


@dataclass(frozen=True, eq=False)
class Bytes:
    """The bytes of a file.

    Attributes
    ----------
    path : Path
        Where they are on this machine.
    shown : str
        What messages call them: the path as given, or an archive and its member.
    packing : str
        How they are compressed: a value of `PACKINGS`, or "".
    keep : object
        Kept alive as long as this object is: a temporary folder.
    until : int or None
        How many bytes, unpacked, there are before NULs that fill the file up.
    repaired : bool
        Whether bytes that are not valid UTF-8 are read as U+FFFD.
    """

    path: Path
    shown: str
    packing: str = ""
    keep: object = None
    until: int | None = None
    repaired: bool = False

    def opened(self, skip: int = 0) -> Any:
        """Open the bytes, decompressed while they are read, after the first `skip`."""
        if self.packing == "xz":
            stream = pa.PythonFile(lzma.open(self.path))  # noqa: SIM115
        else:
            # Opened by Python, since pyarrow cannot open every name.
            file = self.path.open("rb")
            stream = pa.input_stream(file, compression=self.packing or None)
        if self.until is not None or self.repaired:
            mended = _Mended(stream, self.until, repaired=self.repaired)
            stream = pa.PythonFile(io.BufferedReader(mended))
        while skip > 0:
            skip -= len(stream.read(min(skip, BLOCK_BYTES))) or skip
        return stream

    def text(self, text: Text, skip: int) -> TextIO:
        """Open the bytes as text, line ends as they are."""
        stream = self.opened(skip)
        errors = "strict" if text.encoding.startswith("utf") else "replace"
        return io.TextIOWrapper(stream, text.encoding, errors, newline="")

    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes, decompressed, in blocks of a megabyte.

        Raises
        ------
        DataError
            The file cannot be read, or is broken.
        """
        try:
            with self.opened() as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except BROKEN as error:
            raise unreadable(self, error) from error

    def head(self, size: int) -> bytes:
        """Return the first bytes, decompressed; errors are those of `blocks`."""
        try:
            with self.opened() as stream:
                parts = [stream.read(size)]
                while parts[-1] and (rest := size - sum(map(len, parts))) > 0:
                    parts.append(stream.read(rest))
        except BROKEN as error:
            raise unreadable(self, error) from error
        return b"".join(parts)


class _Mended(io.RawIOBase):
    """A stream up to a byte, with what is not valid UTF-8 as U+FFFD if asked for."""

    def __init__(self, stream: Any, until: int | None, *, repaired: bool) -> None:
        self._stream, self._left = stream, until
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoder = decoder if repaired else None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        block = b"" if self._ready else b"some"
        while block and not self._ready:
            size = BLOCK_BYTES if self._left is None else min(BLOCK_BYTES, self._left)
            block = self._ready = self._stream.read(size)
            if self._left is not None:
                self._left -= len(block)
            if self._decoder is not None:
                self._ready = self._decoder.decode(block, not block).encode()
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


@dataclass(frozen=True)
class Text:
    """What a pass over a whole file of text found out.

    Attributes
    ----------
    encoding : str
        A codec name of Python, without a byte order mark.
    mark : int
        Bytes of the byte order mark; 0 if there is none.
    quotes : int
        How many double quotes there are.
    ended : bool
        Whether the last line has a line end.
    notes : tuple of str
        What was mended or guessed.
    escaped : bool
        Whether quotes within quoted cells have a backslash before them.
    """

    encoding: str
    mark: int
    quotes: int
    ended: bool
    notes: tuple[str, ...] = ()
    escaped: bool = False

    def __str__(self) -> str:
        name = _NAMES.get(self.encoding, "UTF-16")
        return name + (" with a byte order mark" if self.mark else "")


def read_text(file: Bytes) -> tuple[Bytes, Text]:
    """Find the encoding of a file from all its bytes, and repair what is not text.

    It is UTF-8, UTF-16 or UTF-32 or, in a file that is none of these, UTF-8 with a few
    broken bytes, the encoding that the letters suggest, Windows-1252, or Latin-1. NULs
    at the end of a file are left out.

    Raises
    ------
    DataError
        The content is not text.
    """
    encoding, mark = marked(file.head(4096))
    decoder = codecs.getincrementaldecoder(encoding)()
    wide = encoding != "utf-8"
    valid, western = True, True
    quotes, lines, last, size, end, escaped = 0, 0, b"", 0, 0, False
    for number, block in enumerate(chain(file.blocks(), [b""])):
        whole = block if wide else block.rstrip(_PADDING)
        if not wide:
            padded = bool(whole) and end < size
            _check_text(file, b"\0" if padded else whole, number, lines)
        valid = valid and _feed(decoder, block)
        if wide and not valid:
            name = _NAMES.get(encoding, "UTF-16")
            raise DataError(
                f"{file.shown}: the text is not valid {name}; save it as UTF-8"
            )
        if western and not block.isascii():
            western = not any(byte in block for byte in _NOT_IN_CP1252)
        quotes += block.count(b'"')
        if not escaped and b'\\"' in block:
            escaped = _ESCAPED.search(b"\n" + last[-_OVERLAP:] + block) is not None
        lines += block.count(b"\n")
        end = size + len(whole) if whole else end
        size += len(block)
        last = whole or last
    notes: tuple[str, ...] = ()
    if end < size:
        file = replace(file, until=end)
        notes = (f"NUL at the end of the file ({size - end:,} bytes) left out",)
    if not valid:
        file, encoding, more = _not_utf8(file, "cp1252" if western else "latin-1")
        mark, notes = mark if encoding == "utf-8" else 0, (*notes, *more)
    ended = last.rstrip(b"\x00")[-1:] in (b"\n", b"\r")
    return file, Text(encoding, mark, quotes, ended, notes, escaped)


def marked(head: bytes) -> tuple[str, int]:
    """Find the encoding by a byte order mark or by NULs, and the length of the mark."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding, len(mark)
    return _unmarked(head), 0


def _unmarked(head: bytes) -> str:
    """Return UTF-16 if nearly every second byte is NUL, else UTF-8."""
    for place, encoding in enumerate(("utf-16-be", "utf-16-le")):
        every, others = head[place::2], head[1 - place :: 2]
        if 0 not in others and every.count(0) > 0.5 * len(every) > 1:
            return encoding
    return "utf-8"


def _feed(decoder: Any, block: bytes) -> bool:
    """Decode a block and tell whether it is valid; an empty one ends the file.

    Blocks of ASCII alone need not be decoded.
    """
    if block and block.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(block, not block)
    except UnicodeDecodeError:
        return False
    return True


def _not_utf8(file: Bytes, western: str) -> tuple[Bytes, str, tuple[str, ...]]:
    """Decide how to read a file that is not UTF-8: the file, its encoding, notes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    broken = wide = lines = first = 0
    sample: list[bytes] = []
    for block in file.blocks():
        text = decoder.decode(block)
        found = text.count("\ufffd")
        if found and not broken:
            first = lines + text[: text.index("\ufffd")].count("\n") + 1
        broken, lines = broken + found, lines + text.count("\n")
        wide += len(text) - len(text.encode("ascii", "ignore")) - found
        if len(sample) < _SAMPLE_LINES and not block.isascii():
            sample += [line for line in block.splitlines() if not line.isascii()]
    if wide > broken:
        what = "1 byte is" if broken == 1 else f"{broken:,} bytes are"
        note = f"{what} not valid UTF-8 and read as \ufffd, first in line {first}"
        return replace(file, repaired=True), "utf-8", (Loud(note),)
    encoding = _by_letters(b"\n".join(sample[:_SAMPLE_LINES]))
    if encoding is None:
        return file, western, ()
    sure = encoding and _is_valid(file, encoding)
    encoding = encoding if sure else western
    how = "by its letters" if sure else "which its letters do not suggest"
    note = (
        f"the text is not UTF-8 and is read as {_NAMES[encoding].partition(' (')[0]}, "
        f"{how}; if words look wrong, save the file as UTF-8"
    )
    return file, encoding, (Loud(note),)


_FEWEST = 6
"""Bytes of letters of different words from which on they tell an encoding."""


def _by_letters(sample: bytes) -> str | None:
    """Detect a non-Latin encoding by its letters; "" if unknown, None for Latin."""
    import charset_normalizer

    words = list(dict.fromkeys(_WORD.findall(sample)))
    letters = b"".join(words)
    high = sum(byte > 127 for byte in letters)
    latin = sum(byte < 128 and chr(byte).isalpha() for byte in letters)
    if high < 2 * len(words) or high <= latin:  # single letters among those of ASCII
        return None
    if len(words) < 2 or high < _FEWEST:
        return ""
    sample = b"\n".join(words)
    best = charset_normalizer.from_bytes(sample, cp_isolation=_NOT_LATIN).best()
    return "" if best is None else best.encoding


def _is_valid(file: Bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    return all(_feed(decoder, block) for block in chain(file.blocks(), [b""]))


def _check_text(file: Bytes, block: bytes, number: int, lines: int) -> None:
    control = number == 0 and len(block.translate(None, _CONTROL)) < 0.995 * len(block)
    if not control and 0 not in block and (number or block):
        return
    where = f" (line {lines + 1} has a NUL)" if number else ""
    if number and 0 in block[1:]:
        line = lines + block[: block.index(0)].count(b"\n") + 1
        where = f" (line {line} has a NUL)"
    raise DataError(
        f"{file.shown}: the content is not text{where}; readable formats are csv, tsv, "
        "txt, xlsx, jsonl, parquet, arrow, npz, npy and mat"
    )


def unreadable(file: Bytes, error: Exception) -> DataError:
    """Return the error for a file that cannot be opened or decompressed."""
    if isinstance(error, DataError):
        return error
    text = " ".join(str(error).split())
    words = ("inflate", "ompress", "lib", "zstd", "ZSTD", "bzip2", "BZ2", "LZMA")
    broken = isinstance(error, (EOFError, lzma.LZMAError))
    if file.packing and (broken or any(word in text for word in words)):
        return DataError(
            f"{file.shown}: the {file.packing} stream is broken or cut off "
            f"({text[:160]}); copy or download the file again"
        )
    reason = error.strerror if isinstance(error, OSError) else None
    return DataError(f"{file.shown}: cannot be read ({reason or text[:160]})")
