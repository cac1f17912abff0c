"""One look for every picture: two themes, one palette, large type, little ink.

The colours are the palette of Okabe and Ito, which readers with any of the common colour deficiencies can tell apart;
each theme puts those first that stand out from its background. Styles are given to each artist and never to
matplotlib's `rcParams`, which all threads share.

References:
    Okabe and Ito (2002), Color universal design: how to make figures that are colorblind-friendly.
    Tufte (1983), The visual display of quantitative information.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jaxnn import checks

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.colors
    import matplotlib.figure

TITLE, TEXT, SMALL = 20.0, 16.0, 13.0  # points
WIDE = (10.0, 6.0)  # inches, one picture
LOW = (10.0, 5.2)  # inches, rows of small images
SLIDE = (13.333, 7.5)  # inches, a composed picture: 16 to 9
LINE = 3.0  # points


@dataclass(frozen=True)
class Theme:
    """The colours of a picture, as matplotlib colour strings.

    Attributes:
        background: behind everything; also the colour of zero in both colour maps.
        ink: text and marks that must be read.
        muted: axes, reference lines, remarks.
        grid: the faintest lines.
        series: data, in order of use; the first is training or what is right, the second validation or what is wrong.
        positive: from middling to large positive values.
        negative: from middling to large negative values.
    """

    background: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]
    positive: tuple[str, str]
    negative: tuple[str, str]


LIGHT = Theme(
    background="#FFFFFF",
    ink="#1A1A1A",
    muted="#5F6368",
    grid="#DDE0E4",
    series=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    positive=("#5BA3D0", "#00517F"),
    negative=("#F0955A", "#A34800"),
)
DARK = Theme(
    background="#14171C",
    ink="#F2F2F2",
    muted="#A7ADB5",
    grid="#333941",
    series=("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#FFFFFF"),
    positive=("#2A7AAB", "#8CD3FF"),
    negative=("#B35A12", "#FFC26B"),
)
THEMES = MappingProxyType({"light": LIGHT, "dark": DARK})


def theme_named(name: str) -> Theme:
    """The theme called `name`, "light" or "dark".

    Raises:
        ValueError: there is none.
    """
    return checks.one_of(name, THEMES, "theme")


def new_figure(theme: Theme, size: tuple[float, float] = WIDE) -> "matplotlib.figure.Figure":
    """An empty figure of `size` inches that draws itself without a screen.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figures = checks.require("matplotlib.figure", extra="plot", purpose="to draw")
    agg = checks.require("matplotlib.backends.backend_agg", extra="plot", purpose="to draw")
    figure = figures.Figure(figsize=size, facecolor=theme.background, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12, wspace=0.04, hspace=0.04)
    agg.FigureCanvasAgg(figure)
    return figure


def dress(
    axes: "matplotlib.axes.Axes",
    theme: Theme,
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    pad: float = 12.0,
    grid: bool = True,
) -> None:
    """Gives axes the house's look: two spines, faint horizontal lines, a title that begins at the left."""
    axes.set_facecolor(theme.background)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.muted)
    axes.tick_params(which="both", colors=theme.muted, labelcolor=theme.ink, labelsize=SMALL)
    if grid:
        axes.grid(axis="y", color=theme.grid, linewidth=1)
        axes.set_axisbelow(True)
    axes.set_title(title, loc="left", color=theme.ink, fontsize=TITLE, fontweight="bold", pad=pad)
    axes.set_xlabel(x_label, color=theme.ink, fontsize=TEXT)
    axes.set_ylabel(y_label, color=theme.ink, fontsize=TEXT)


def bare(axes: "matplotlib.axes.Axes", theme: Theme, *, title: str = "") -> None:
    """Gives axes the house's look where positions mean nothing: no spines, no ticks."""
    dress(axes, theme, title=title, grid=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def diverging(theme: Theme) -> "matplotlib.colors.Colormap":
    """Orange for negative, blue for positive, the background for zero."""
    colors = checks.require("matplotlib.colors", extra="plot", purpose="to draw")
    stops = [*reversed(theme.negative), theme.background, *theme.positive]
    return colors.LinearSegmentedColormap.from_list("jaxnn-diverging", stops)


def readable_on(rgba: Any) -> str:
    """Black or white, whichever contrasts more with the colour `rgba` (by WCAG's relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgba[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Contrast is (L₁ + 0.05)/(L₂ + 0.05): equal against black and white where L = √(0.05·1.05) - 0.05.
    return "#000000" if luminance > 0.179 else "#FFFFFF"


def size_in_points(axes: "matplotlib.axes.Axes") -> tuple[float, float]:
    """Width and height of `axes` before the layout is settled: enough to choose a grid or a gap by."""
    extent = axes.get_window_extent()
    return 72 * extent.width / axes.figure.dpi, 72 * extent.height / axes.figure.dpi
