"""The bytes of a file: where they are, how they are packed, what text they hold."""

from __future__ import annotations

import codecs
import io
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from whitecrow.errors import DataError

__all__ = ["BROKEN", "PACKINGS", "Bytes", "Text", "read_text", "unreadable"]

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
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


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
    """

    path: Path
    shown: str
    packing: str = ""
    keep: object = None

    def opened(self, skip: int = 0) -> Any:
        """Open the bytes, decompressed while they are read, after the first `skip`."""
        if self.packing == "xz":
            stream = pa.PythonFile(lzma.open(self.path))  # noqa: SIM115
        else:
            # Opened by Python, since pyarrow cannot open every name.
            file = self.path.open("rb")
            stream = pa.input_stream(file, compression=self.packing or None)
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
    """

    encoding: str
    mark: int
    quotes: int
    ended: bool

    def __str__(self) -> str:
        names = {
            "utf-8": "UTF-8",
            "cp1252": "Windows-1252 (not valid UTF-8)",
            "latin-1": "Latin-1 (not valid UTF-8)",
        }
        name = names.get(self.encoding, "UTF-16")
        return name + (" with a byte order mark" if self.mark else "")


def read_text(file: Bytes) -> Text:
    """Find the encoding of a file from all its bytes.

    UTF-8, or UTF-16 with a byte order mark, or Windows-1252 if the file is not valid
    UTF-8, or Latin-1 if it is not valid Windows-1252 either.

    Raises
    ------
    DataError
        The content is not text.
    """
    encoding, mark = _marked(file.head(4))
    decoder = codecs.getincrementaldecoder(encoding)()
    wide = encoding != "utf-8"
    valid, western = True, True
    quotes, lines, last = 0, 0, b""
    for number, block in enumerate(chain(file.blocks(), [b""])):
        if not wide:
            _check_text(file, block, number, lines)
        valid = valid and _feed(decoder, block)
        if wide and not valid:
            raise DataError(
                f"{file.shown}: the text is not valid UTF-16; save it as UTF-8"
            )
        if western and not block.isascii():
            western = not any(byte in block for byte in _NOT_IN_CP1252)
        quotes += block.count(b'"')
        lines += block.count(b"\n")
        last = block or last
    if not valid:
        encoding, mark = "cp1252" if western else "latin-1", 0
    return Text(encoding, mark, quotes, last.rstrip(b"\x00")[-1:] in (b"\n", b"\r"))


def _marked(head: bytes) -> tuple[str, int]:
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def _feed(decoder: Any, block: bytes) -> bool:
    """Whether the bytes are valid, of which none are the end of the file.

    Those of ASCII alone need not be decoded.
    """
    if block and block.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(block, not block)
    except UnicodeDecodeError:
        return False
    return True


def _check_text(file: Bytes, block: bytes, number: int, lines: int) -> None:
    control = number == 0 and len(block.translate(None, _CONTROL)) < 0.995 * len(block)
    if not control and 0 not in block:
        return
    where = ""
    if number:
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
