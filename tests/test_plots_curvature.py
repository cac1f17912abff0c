"""Pictures of spectra and landscapes show the numbers they were given."""

import numpy as np
import pytest
from matplotlib.colors import LogNorm, to_rgb

from jaxnn import plots
from jaxnn.curvature import Density, Plane
from jaxnn.plots import style
from jaxnn.plots.landscape import levels_of

GRID = np.linspace(-1, 3, 401)
BELLS = np.exp(-0.5 * ((GRID + 0.5) / 0.1) ** 2) + 3 * np.exp(-0.5 * ((GRID - 2) / 0.1) ** 2)
DENSITY = Density(GRID, BELLS / np.trapezoid(BELLS, GRID), np.array([-0.5, 2.0]), np.array([0.25, 0.75]))
STEPS = np.linspace(-1, 1, 21)
BOWL = 1 + STEPS[None, :] ** 2 + 4 * STEPS[:, None] ** 2


def parts(figure):
    """The axes, without those of colour bars."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def drawn(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def words(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("theme", style.THEMES)
def test_a_spectrum_is_cut_at_zero(theme):
    axes = parts(plots.spectrum(DENSITY, [-0.5, 2.0], theme=theme))[0]
    for name, sign in (("negative", -1), ("positive", 1)):
        curve = drawn(axes, name)
        x, y = curve.get_data()
        assert (sign * x >= 0).all()
        assert 0 in x
        seen = np.isfinite(y)
        np.testing.assert_allclose(y[seen], np.interp(x[seen], DENSITY.grid, DENSITY.density), rtol=1e-12)
    assert drawn(axes, "negative").get_color() == style.THEMES[theme].series[1]
    np.testing.assert_array_equal(drawn(axes, "eigenvalues").get_xdata(), [-0.5, 2.0])
    assert "25.0 % negative" in words(axes)
    assert axes.get_yscale() == "log"


def test_a_spectrum_without_negative_eigenvalues():
    only = Density(GRID + 1.1, DENSITY.density, np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    axes = parts(plots.spectrum(only))[0]
    assert words(axes) == ["none negative"]
    assert [line.get_label() for line in axes.lines if line.get_label() in ("negative", "positive")] == ["positive"]


@pytest.mark.parametrize("theme", style.THEMES)
def test_a_landscape_has_its_contours_where_the_function_has_them(theme):
    figure = plots.landscape(Plane(STEPS, STEPS, BOWL), theme=theme)
    axes = parts(figure)[0]
    lines = next(each for each in axes.collections if type(each).__name__ == "QuadContourSet" and not each.filled)
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        x, y = path.vertices.T
        # Contours are straight within a cell of 0.1: its curvature ½ 0.1² (1 + 4) / 4 is what they may be off by.
        assert np.abs(1 + x**2 + 4 * y**2 - level).max(initial=0) < 0.015
    ring = drawn(axes, "the parameters")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (0, 0)
    assert words(axes) == []
    assert to_rgb(figure.get_facecolor()[:3]) == to_rgb(style.THEMES[theme].background)


def test_holes_in_a_landscape_are_told():
    values = BOWL.copy()
    values[0, :3] = [np.nan, np.inf, -np.inf]
    axes = parts(plots.landscape(Plane(STEPS, STEPS, values)))[0]
    assert words(axes) == ["3 of 441 not finite"]


def test_levels_are_logarithmic_where_the_range_is_huge():
    levels, norm = levels_of(np.geomspace(1e-6, 1e3, 50))
    np.testing.assert_allclose(levels[1:] / levels[:-1], 10 ** (9 / 14))
    assert isinstance(norm, LogNorm)
    levels, norm = levels_of(np.linspace(-1, 1, 50))
    np.testing.assert_allclose(np.diff(levels), 2 / 14)
    assert not isinstance(norm, LogNorm)
    levels, _ = levels_of(np.full(4, 2.0))  # a plain
    assert levels[0] < 2 < levels[-1]
    assert len(parts(plots.landscape(Plane(STEPS, STEPS, np.zeros((21, 21)))))) == 1


def test_a_line_shows_its_values():
    values = np.where(STEPS > 0.9, np.inf, 1 + STEPS**2)
    axes = parts(plots.landscape_line(STEPS, values, x_label="t"))[0]
    curve = drawn(axes, "loss")
    np.testing.assert_array_equal(curve.get_xdata(), STEPS)
    np.testing.assert_array_equal(curve.get_ydata()[:19], values[:19])
    assert np.ma.getmaskarray(curve.get_ydata())[-1]
    ring = drawn(axes, "the parameters")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (0, 1)
    assert (axes.get_xlabel(), axes.get_yscale()) == ("t", "linear")
    assert parts(plots.landscape_line(STEPS, np.exp(9 * STEPS)))[0].get_yscale() == "log"


@pytest.mark.by_default("light")
@pytest.mark.parametrize("theme", style.THEMES)
def test_the_report_holds_both(theme, tmp_path):
    figure = plots.curvature_report(DENSITY, Plane(STEPS, STEPS, BOWL), eigenvalues=[2.0], title="both", theme=theme)
    assert [axes.get_title(loc="left") for axes in parts(figure)] == [
        "Eigenvalues of the Hessian",
        "Loss around the parameters",
    ]
    assert figure.get_suptitle() == "both"
    assert plots.save(figure, tmp_path / "report.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.spectrum(DENSITY._replace(density=DENSITY.density[1:])), "grid 401, density 400"),
        (lambda: plots.spectrum(DENSITY._replace(density=DENSITY.density * np.nan)), "is not finite"),
        (lambda: plots.spectrum(DENSITY._replace(density=DENSITY.density * 0)), "nowhere positive"),
        (lambda: plots.spectrum(DENSITY, [np.nan]), "is not finite"),
        (lambda: plots.spectrum(DENSITY, theme="drak"), "Did you mean 'dark'"),
        (lambda: plots.landscape(Plane(STEPS, STEPS[:5], BOWL)), r"got \(21, 21\) for 5 ys and 21 xs"),
        (lambda: plots.landscape(Plane(STEPS, STEPS, BOWL * np.nan)), "No value is finite"),
        (lambda: plots.landscape_line([0, 1], [1]), "ts 2, values 1"),
        (lambda: plots.landscape_line([0], [np.inf]), "nothing to draw"),
    ],
)
def test_bad_input_is_told_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
