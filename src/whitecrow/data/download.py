"""Fetching a data set of the catalogue, checked against its sha256.

pooch writes to a temporary name beside the target, checks, and only then moves the file
there: nothing half-written or altered is ever found in the cache.
"""

from __future__ import annotations

import logging
import os
import shutil
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from whitecrow.errors import DataError

if TYPE_CHECKING:
    from whitecrow.data.entry import Entry

__all__ = ["cache_folder", "fetch"]

_LOG = logging.getLogger(__name__)

# Seconds without a byte from the server, not for the whole file.
TIMEOUT = 30.0


def cache_folder() -> Path:
    """Return the folder for fetched sets: `$WHITECROW_CACHE` or the user's cache."""
    given = os.environ.get("WHITECROW_CACHE")
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("whitecrow"))


def fetch(entry: Entry, *, folder: Path | None = None) -> Path:
    """Fetch a set into the cache, unless the right file is there already.

    Parameters
    ----------
    entry : Entry
        What to fetch, see `catalog.get`.
    folder : Path, optional
        Where to keep it; `cache_folder()` by default. The file goes to `entry.where`
        below it.

    Returns
    -------
    Path
        The file, which has the sha256 of the entry.

    Raises
    ------
    DataError
        If the set has no address, the server does not give it, or what it gives has
        another sha256. Nothing is kept then.
    """
    target = (cache_folder() if folder is None else folder) / entry.where
    if entry.url is None or entry.sha256 is None:
        raise DataError(
            f"{entry.name} is not on this machine and has no address to fetch it from; "
            f"{_by_hand(entry)}"
        )
    import pooch

    # pooch reports progress with a handler of its own on stderr; ours goes to the log.
    pooch.get_logger().setLevel(logging.WARNING)
    if not target.exists():
        _LOG.info("fetching %s from %s (%s)", entry.name, entry.url, entry.terms)
    try:
        pooch.retrieve(
            url=entry.url,
            known_hash=f"sha256:{entry.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=_download,
        )
    except (OSError, ValueError, HTTPException) as error:
        raise DataError(
            f"could not fetch {entry.name} from {entry.url}: {_reason(error, entry)}; "
            f"try again, or {_by_hand(entry)}"
        ) from error
    return target


def _by_hand(entry: Entry) -> str:
    return (
        f"get it from {entry.source} (terms: {entry.terms}; licence: {entry.license}) "
        f"and put it at {entry.where} below a folder that $WHITECROW_DATA names"
    )


def _download(url: str, output_file: str, _: object) -> None:
    """Download a URL to a file, with the signature that pooch expects.

    pooch's own downloader leaves the connection open when the server refuses.
    """
    try:
        with urlopen(url, timeout=TIMEOUT) as response:
            expected = response.headers["Content-Length"]
            with Path(output_file).open("wb") as file:
                shutil.copyfileobj(response, file)
    except HTTPError as error:
        error.close()
        raise
    received = Path(output_file).stat().st_size
    if expected is not None and received != int(expected):
        raise ConnectionError(f"the transfer broke off after {received} bytes")


def _reason(error: Exception, entry: Entry) -> str:
    """Say what went wrong, in a few words and on one line."""
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, (OSError, HTTPException)):
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return " ".join(said.split())
    return f"what came is not the file with sha256 {entry.sha256}"
