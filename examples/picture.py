"""What the examples draw with: one look, and a picture only where one is asked for.

python examples/NN_NAME.py [PICTURE.png] [dark]
"""

import sys
from typing import Any

import numpy as np

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
    found = axes.legend(frameon=False, labelcolor=THEME.ink, fontsize=style.SMALL, title_fontsize=style.SMALL, **words)
    found.get_title().set_color(THEME.ink)


def write(figure: Any) -> None:
    """Writes the picture that was asked for."""
    print("wrote", plots.save(figure, sys.argv[1]))


def film(figure: Any, lines: Any) -> None:
    """Writes a film in which the lines grow, instead of a picture."""
    from PIL import Image  # comes with matplotlib; one palette for all frames keeps the film small

    whole, frames = [(line, line.get_xydata()) for line in lines], []
    for n in np.unique(np.geomspace(1, max(len(points) for _, points in whole) - 1, 60).astype(int)):
        for line, points in whole:
            line.set_data(*points[: n + 1].T)
        figure.canvas.draw()
        figure.set_layout_engine("none")  # that of the first frame stays
        frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB"))
    palette = frames[-1].quantize(96)
    first, *others = [frame.quantize(palette=palette, dither=0) for frame in frames]
    first.save(sys.argv[1], save_all=True, append_images=others, duration=160, loop=0)
    print("wrote", sys.argv[1])
