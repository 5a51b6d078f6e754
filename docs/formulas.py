"""Formulas become pictures when the site is built.

Scripts that typeset them in the browser come from elsewhere, and the site fetches
nothing from elsewhere. matplotlib knows enough of TeX.
"""

from __future__ import annotations

import html
import logging
import re
from functools import cache
from typing import Any

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

_LOG = logging.getLogger("mkdocs.plugins.formulas")

# What pymdownx.arithmatex makes of $...$ and $$...$$.
_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>',
    re.DOTALL,
)
# Commands of TeX under the names that matplotlib has for them.
_SYNONYMS = {
    "ge": "geq",
    "land": "wedge",
    "le": "leq",
    "lVert": "Vert",
    "lvert": "vert",
    "ne": "neq",
    "rVert": "Vert",
    "rvert": "vert",
    "to": "rightarrow",
}
_EM = 100.0
_LETTERS = {
    Path.MOVETO: "M",
    Path.LINETO: "L",
    Path.CURVE3: "Q",
    Path.CURVE4: "C",
    Path.CLOSEPOLY: "Z",
}


def on_page_content(content: str, **_: Any) -> str:
    """Put a picture in the place of each formula of a page."""
    return _FORMULA.sub(_picture, content)


def _picture(found: re.Match[str]) -> str:
    tex = " ".join(html.unescape(found["tex"]).split())
    try:
        picture = _svg(tex)
    except ValueError as error:
        reason = str(error).splitlines()[-1]
        _LOG.warning("matplotlib cannot draw the formula %s (%s)", tex, reason)
        return found[0]
    if found["tag"] == "span":
        return picture
    return f'<p style="text-align: center">{picture}</p>'


@cache
def _svg(tex: str) -> str:
    """The formula as one path in the colour of the text, on its baseline."""
    font = FontProperties(family="STIXGeneral", math_fontfamily="stix")
    known = re.sub(r"\\([A-Za-z]+)", lambda m: "\\" + _SYNONYMS.get(m[1], m[1]), tex)
    path = TextPath((0, 0), f"${known}$", size=_EM, prop=font)
    box = path.get_extents()
    steps = "".join(
        _LETTERS[code] + " ".join(f"{number:.1f}" for number in points)
        if code != Path.CLOSEPOLY
        else "Z"
        for points, code in path.iter_segments(simplify=False)
    )
    # Serif letters look smaller than those of the text around them.
    width, height, depth = (1.15 / _EM * v for v in (box.width, box.height, box.y0))
    return (
        f'<svg role="img" aria-label="{html.escape(tex)}" '
        f'viewBox="{box.x0:.1f} {-box.y1:.1f} {box.width:.1f} {box.height:.1f}" '
        f'style="width: {width:.3f}em; height: {height:.3f}em; max-width: 100%; '
        f'vertical-align: {depth:.3f}em; overflow: visible">'
        f'<path transform="scale(1 -1)" fill="currentColor" d="{steps}"/></svg>'
    )
