"""The report of `whitecrow detect`: one HTML file that needs nothing but itself.

`content` says what is on the page, `charts` and `thumbnails` draw, `templates` lay out.
Everything that comes from data is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whitecrow.report.content import page

if TYPE_CHECKING:
    from whitecrow.workflow.detection import Detection

__all__ = ["render", "write"]


def render(found: Detection) -> str:
    """The page as HTML.

    Parameters
    ----------
    found : Detection
        What `workflow.detection.detect` found.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("whitecrow", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template(f"{found.fitted.data.kind}.html.j2").render(
        page(found)
    )


def write(found: Detection) -> None:
    """Write the page to `found.report`.

    Raises
    ------
    DataError
        When it cannot be written.
    """
    from whitecrow.workflow.files import replacing

    text = render(found)
    with replacing(found.report) as temporary:
        temporary.write_text(text, encoding="utf-8")
