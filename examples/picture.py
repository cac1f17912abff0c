"""What the examples draw with: one look, and a picture only where one is asked for.

python examples/NN_NAME.py [PICTURE.png] [dark]
"""

import sys
from typing import Any

from jaxnn import plots
from jaxnn.plots import style

WANTED = len(sys.argv) > 1
THEME = style.theme_named(sys.argv[2] if len(sys.argv) > 2 else "light")
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, INK = THEME.series


def panels(*titles: str, rows: int = 1, size: tuple[float, float] = style.SLIDE, **words: Any) -> tuple[Any, Any]:
    """A figure and its panels in reading order, a title each; further words go to matplotlib's `subplots`."""
    try:
        figure = style.new_figure(THEME, size)
    except ImportError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    axes = figure.subplots(rows, len(titles) // rows, squeeze=False, **words).ravel()
    for each, title in zip(axes, titles, strict=True):
        style.dress(each, THEME, title=title)
    return figure, axes


def label(axes: Any, x_label: str, y_label: str = "") -> None:
    """Names the axes of a panel."""
    axes.set_xlabel(x_label, color=THEME.ink, fontsize=style.TEXT)
    axes.set_ylabel(y_label, color=THEME.ink, fontsize=style.TEXT)


def legend(axes: Any, **words: Any) -> None:
    """A legend without a frame, in the panel."""
    axes.legend(frameon=False, labelcolor=THEME.ink, fontsize=style.SMALL, **words)


def write(figure: Any) -> None:
    """Writes the picture that was asked for."""
    print("wrote", plots.save(figure, sys.argv[1]))
