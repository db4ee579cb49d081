"""How pictures look: one palette for paper and page, SVG that takes its ink from the page it stands in."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import Any

# In a page these three become its own ink, which is another in the dark.
INK, MUTED, GRID = "#1c2531", "#5d6b7c", "#d9dee5"
OF_PAGE = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--grid)"}
OURS, BASELINE = "#1f7fc4", "#8a929c"
OTHERS = ("#d9822b", "#7b9e3e", "#a06cb8", "#c85a6a", "#3d9c92", "#b3992f", "#6f7fc0", "#a8705a", "#5aa0b5")
WIDE, SQUARE = (9.2, 3.5), (9.2, 4.1)
STYLE: Any = {
    "svg.fonttype": "none",
    # A name may hold a dollar sign.
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.facecolor": "white",
    "lines.linewidth": 1.6,
}


def colours(models: Sequence[str], ours: str | None, baseline: str) -> dict[str, str]:
    """Return a colour per model: ours strong, the baseline grey, the others apart from both."""
    others = [name for name in models if name not in (ours, baseline)]
    found = {name: OTHERS[number % len(OTHERS)] for number, name in enumerate(others)}
    return found | {baseline: BASELINE} | ({ours: OURS} if ours else {})


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house's style, whatever a user's own settings are."""
    import matplotlib

    with matplotlib.rc_context(rc=STYLE), warnings.catch_warnings():
        # The page has fonts for every script; matplotlib's own has not, and needs none for text in SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def svg(draw: Callable[[Any], None], name: str, size: tuple[float, float] = WIDE) -> str:
    """Return what `draw` puts on a figure as SVG, the same text for the same figure.

    Args:
        name: makes the ids within the picture its own, so that several can stand in one page.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with styled(), matplotlib.rc_context(rc={"svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def inline(text: str, label: str) -> str:
    """Return an SVG file as an element of a page: its width, its ink, its font.

    Args:
        label: what the picture shows, in plain text, for who cannot see it.
    """
    found = text[text.index("<svg") :]
    found = re.sub(r"<metadata>.*?</metadata>", "", found, flags=re.DOTALL)
    found = re.sub(r' id="(?:figure|axes|patch|text|line2d|matplotlib\.axis|xtick|ytick|legend|'
                   r'[A-Za-z]*Collection)_\d+"', "", found)  # fmt: skip
    found = re.sub(r"<style[^>]*>.*?</style>", "", found, flags=re.DOTALL)
    # The sheet behind the figure and its axes: the page has one.
    found = found.replace("fill: #ffffff", "fill: none")
    found = re.sub(r"font-family: [^;\"]*", "font-family: inherit", found)
    for ink, name in OF_PAGE.items():
        found = found.replace(ink, name)
    box = re.search(r'viewBox="[^"]*"', found)
    head = f'<svg role="img" aria-label="{escape(label)}" {box.group(0) if box else ""}>'
    return re.sub(r"<svg[^>]*>", lambda _: head, found, count=1)
