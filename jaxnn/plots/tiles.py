"""Many small images on one pair of axes, to one scale."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import matplotlib.axes

from jaxnn.plots import style


def best_columns(count: int, width: float, height: float, tile: tuple[float, float]) -> int:
    """How many columns make `count` tiles of shape (width, height) `tile` largest in a box of the given size."""

    def scale(columns: int) -> float:
        return min(width / (columns * tile[0]), height / (math.ceil(count / columns) * tile[1]))

    return max(range(1, count + 1), key=scale)


def draw_tiles(
    axes: "matplotlib.axes.Axes",
    theme: style.Theme,
    images: np.ndarray,
    *,
    limits: tuple[float, float],
    colour_map: Any,
    caption_height: float = 0.0,
) -> list[tuple[float, float]]:
    """Draws images (n, height, width) in rows, each one unit wide with a thin frame.

    Args:
        axes: cleared of ticks and spines by the caller.
        theme: gives the frame its colour.
        images: (n, height, width).
        limits: the values at the two ends of the colour map.
        colour_map: a matplotlib colour map or its name.
        caption_height: room below each image, in widths of an image.

    Returns:
        For each image the point below the middle of its lower edge, where a caption starts.
    """
    count, rows_of_pixels, columns_of_pixels = images.shape
    tall, gap = rows_of_pixels / columns_of_pixels, 0.12
    step = (1 + gap, tall + gap + caption_height)
    columns = best_columns(count, *style.size_in_points(axes), step)
    captions = []
    for index, image in enumerate(images):
        left, top = (index % columns) * step[0], (index // columns) * step[1]
        drawn = axes.imshow(
            image,
            extent=(left, left + 1, top + tall, top),
            cmap=colour_map,
            vmin=limits[0],
            vmax=limits[1],
            interpolation="nearest",
        )
        drawn.set_zorder(1)
        axes.plot(
            [left, left + 1, left + 1, left, left],
            [top, top, top + tall, top + tall, top],
            color=theme.grid,
            linewidth=1,
            zorder=2,
        )
        captions.append((left + 0.5, top + tall + 0.06))
    margin = 0.03
    axes.set_xlim(-margin, columns * step[0] - gap + margin)
    axes.set_ylim(math.ceil(count / columns) * step[1] - gap + margin, -margin)
    axes.set_aspect("equal", anchor="NW")
    return captions
