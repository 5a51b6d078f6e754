"""Strokes and words of the pictures of a report, as SVG text."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ACCENT", "INK", "escape", "picture", "stroke", "words"]

INK = "#1f2933"
ACCENT = "#b3541e"


def picture(
    parts: Iterable[str], *, width: float, height: float, title: str, size: int = 13
) -> str:
    """Draw a whole picture on white.

    Parameters
    ----------
    parts : iterable of str
        What is on it, in the order of drawing.
    width, height : float
        In pixels.
    title : str
        For those who do not see it.
    size : int
        Of letters.

    Examples
    --------
    >>> picture([], width=20, height=10, title="none").splitlines()[-1]
    '</svg>'
    """
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="system-ui, sans-serif" font-size="{size}" role="img" '
        f'aria-label="{escape(title)}">\n'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>\n'
        f"{body}\n</svg>\n"
    )


def stroke(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    width: float = 1.5,
    colour: str = INK,
    dash: str = "",
) -> str:
    """Draw a straight line; `dash` as in SVG."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"{dashed}/>'
    )


def words(x: float, y: float, text: str, anchor: str, weight: str = "400") -> str:
    """Write text whose `anchor` (start, middle or end) is at `x`."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{INK}">{escape(text)}</text>'
    )


def escape(text: str) -> str:
    """Escape text for markup.

    Examples
    --------
    >>> escape("a < b")
    'a &lt; b'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
