"""The report of `whitecrow detect`: one HTML file that needs nothing but itself.

`content` says what is on the page (`rows` and `pictures` what of a table or of
pictures), `charts` and `thumbnails` draw, `island` packs data for the page's script,
`templates` lay out. Everything that comes from data is escaped.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whitecrow.report.content import page, summary

if TYPE_CHECKING:
    from markupsafe import Markup

    from whitecrow.findings import Findings

__all__ = ["breakable", "fragment", "render", "write"]

# Words up to this length never break; in longer ones a line may break at these places.
LONGEST_WORD = 20
_PIECES = re.compile(r".{1,14}?[_/.,:;=&?|-]+|.{1,14}")


def render(result: Findings) -> str:
    """Write the report as one HTML page.

    Parameters
    ----------
    result : Findings
        What `detect` found.
    """
    return _template(f"{result.kind}.html.j2").render(page(result))


def fragment(result: Findings) -> str:
    """Write the result as a piece of HTML for a notebook.

    Parameters
    ----------
    result : Findings
    """
    return _template("fragment.html.j2").render(summary(result))


def write(result: Findings, path: str | Path) -> None:
    """Write the report to a file, which appears whole or not at all.

    Parameters
    ----------
    result : Findings
    path : path

    Raises
    ------
    DataError
        When it cannot be written.
    """
    from whitecrow.files import replacing

    text = render(result)
    with replacing(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def breakable(text: object) -> Markup:
    """Escape a text, and let lines break inside words that are too long for a phone.

    Examples
    --------
    >>> str(breakable("a category")), str(breakable("2024/sensors/temperature.csv"))
    ('a category', '2024/<wbr>sensors/<wbr>temperature.<wbr>csv')
    """
    from markupsafe import Markup, escape

    parts = []
    for word in re.split(r"(\s+)", str(text)):
        pieces = _PIECES.findall(word) if len(word) > LONGEST_WORD else [word]
        parts.append(Markup("<wbr>").join(escape(piece) for piece in pieces))
    return Markup("").join(parts)


def _template(name: str) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("whitecrow", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["breakable"] = breakable
    return environment.get_template(name)
