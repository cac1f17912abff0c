"""How results look in a notebook: a heading, facts, a table and a small curve, as HTML that needs no styles of its own.

Every text is escaped: names of columns and files may come from anywhere. Numbers are written to a few digits; the
objects themselves have all of them.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 240, 60  # of a curve, in pixels
MOST_POINTS = 240  # of a curve; of longer ones, evenly spaced points are drawn


def page(heading: str, *parts: str) -> str:
    """The heading, and parts made by the functions below, one below the other; empty parts are left out."""
    return "\n".join([f"<div><b>{_text(heading)}</b>", *filter(None, parts), "</div>"])


def facts(known: Mapping[str, Any]) -> str:
    """A line for each fact that is not None: its name, and what it is."""
    rows = [
        f'<tr><th style="text-align:left">{_text(name)}</th><td style="text-align:left">{_text(value)}</td></tr>'
        for name, value in known.items()
        if value is not None
    ]
    return _table(rows)


def table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with these names above its columns; numbers are aligned to the right."""
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = ["".join(_cell(value) for value in row) for row in rows]
    return _table([f"<tr>{head}</tr>", *(f"<tr>{cells}</tr>" for cells in body)])


def listing(sentences: Sequence[str]) -> str:
    """Sentences, one below the other."""
    items = "".join(f"<li>{_text(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def curve(name: str, values: Iterable[float]) -> str:
    """A curve of numbers, such as a loss in each epoch; its logarithm if all are positive, else an empty text.

    Numbers that are not finite are left out.
    """
    shown = [(i, float(value)) for i, value in enumerate(values) if math.isfinite(value)]
    if len(shown) < 2 or any(value <= 0 for _, value in shown):
        return ""
    step = -(-len(shown) // MOST_POINTS)
    shown = [*shown[:-1:step], shown[-1]]
    heights = [math.log(value) for _, value in shown]
    low, room = min(heights), max(heights) - min(heights) or 1.0
    first, last = shown[0][0], shown[-1][0]
    points = " ".join(
        f"{WIDTH * (i - first) / (last - first):.1f},{HEIGHT * (1 - (height - low) / room):.1f}"
        for (i, _), height in zip(shown, heights, strict=True)
    )
    told = f"{name}, on a logarithmic scale, from {shown[0][1]:.3g} to {shown[-1][1]:.3g}"
    return (
        f'<svg role="img" width="{WIDTH}" height="{HEIGHT + 4}" viewBox="0 -2 {WIDTH} {HEIGHT + 4}">'
        f"<title>{_text(told)}</title>"
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


def _table(rows: Sequence[str]) -> str:
    return "<table>" + "".join(rows) + "</table>" if rows else ""


def _cell(value: Any) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    return f'<td style="text-align:{side}">{_text(value)}</td>'


def _text(value: Any) -> str:
    """A value as escaped text: floats to five digits, whole numbers in groups, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return html.escape(str(value))
