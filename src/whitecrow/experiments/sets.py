"""The sets of an experiment file: names, or tables that say how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whitecrow.data.labelling import Labelling
from whitecrow.data.source import Reading
from whitecrow.errors import DataError

__all__ = ["named", "reading_of"]

_OF_DATA = (
    *("path", "name", "test", "label_column", "labels", "anomaly_values"),
    *("ignore", "read_as", "sheet", "picture_size", "raw_orientation"),
)


def reading_of(given: Mapping[str, Any]) -> Reading:
    """Turn what a file says of a set into how it is read.

    Examples
    --------
    >>> reading_of({"label_column": "fraud", "anomaly_values": ["yes"]}).labels
    Labelling(column='fraud', convention=None, anomaly_values=('yes',))
    """
    size = given.get("picture_size")
    return Reading(
        labels=Labelling(
            column=given.get("label_column"),
            convention=given.get("labels"),
            anomaly_values=tuple(map(str, given.get("anomaly_values", ()))),
        ),
        ignore=tuple(given.get("ignore", ())),
        read_as=given.get("read_as", {}),
        sheet=given.get("sheet"),
        picture_size=tuple(size) if isinstance(size, list) else size,
        raw_orientation=bool(given.get("raw_orientation", False)),
    )


def named(given: Any) -> tuple[tuple[str, ...], dict[str, Mapping[str, Any]]]:
    """Return the names of sets, and what is said about those that are tables."""
    names: list[str] = []
    readings: dict[str, Mapping[str, Any]] = {}
    for one in [given] if isinstance(given, str | Mapping) else given:
        if isinstance(one, str):
            names.append(one)
            continue
        if not isinstance(one, Mapping) or not isinstance(one.get("path"), str):
            raise DataError(
                f"data has {one!r}; give a name, a path, or a table with a path"
            )
        for key in one:
            if key not in _OF_DATA:
                raise DataError(
                    f"{key!r} is no key of a set in data; use {', '.join(_OF_DATA)}"
                )
        name = str(one.get("name", one["path"]))
        names.append(name)
        readings[name] = {key: value for key, value in one.items() if key != "name"}
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"data has {name!r} twice; give each set a name of its own")
    return tuple(names), readings
