from itertools import combinations

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from jaxnn import plots
from jaxnn.plots import style
from jaxnn.plots.ulps import FLOOR_IN_WORDS, curve_of

STEPS = np.array([1.0, 10.0, 100.0, 1000.0])
RULES = (
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop, centred and with momentum",
    "adam",
    "amsgrad",
    "adamw",
    "nadam",
    "adamax",
    "adadelta",
    "radam",
    "lion",
    "torch.RMSprop",
    "keras.Adafactor",
    "optax.adabelief",
)


def growing(first, last):
    """Errors that grow by the same factor from each step to the next."""
    return np.geomspace(first, last, len(STEPS))


TYPICAL = {
    "floor": (STEPS, growing(0.35, 6)),
    "torch": (STEPS, growing(0.6, 20)),
    "optax": (STEPS, growing(80, 80)),
    "jaxnn": (STEPS, growing(0.5, 6)),
}


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def names(axes):
    return {line.get_label() for line in axes.lines if not line.get_label().startswith("_")}


def legend(figure):
    (part,) = figure.subfigs
    (found,) = part.legends
    return found


def entries(figure):
    return [text.get_text() for text in legend(figure).get_texts()]


def heights(axes, values):
    """How high values are drawn, as shares of the height of the axes."""
    pixels = axes.transData.transform(np.column_stack([np.ones_like(values), values]))
    return axes.transAxes.inverted().transform(pixels)[:, 1]


def tick_heights(axes):
    """Each label of the axis of errors -> its height, for axes that have labels."""
    ticks, labels = axes.get_yticks(), [label.get_text() for label in axes.get_yticklabels()]
    return dict(zip(labels, heights(axes, ticks), strict=True))


# Curves


def test_each_curve_is_in_the_panel_of_its_rule():
    curves = {
        rule: {name: (steps, errors * factor) for name, (steps, errors) in TYPICAL.items() if name != "floor"}
        for factor, rule in enumerate(RULES, start=1)
    }
    figure = plots.ulp_errors(curves, title="Error of float32")
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(RULES)
    for axes, panel in zip(figure.axes, curves.values(), strict=True):
        assert names(axes) == set(panel)
        for name, (steps, errors) in panel.items():
            np.testing.assert_array_equal(line(axes, name).get_xdata(), steps)
            np.testing.assert_array_equal(line(axes, name).get_ydata(), errors)
    assert figure.get_suptitle() == "Error of float32"


def test_sixteen_rules_fill_a_slide_and_more_make_the_picture_taller():
    slide, tall = (plots.ulp_errors(dict.fromkeys(map(str, range(count)), TYPICAL)) for count in (16, 17))
    assert tuple(slide.get_size_inches()) == style.SLIDE
    np.testing.assert_allclose(tall.get_size_inches(), [style.SLIDE[0], style.SLIDE[1] * 5 / 4])


@pytest.mark.parametrize("count", [1, 2, 5, 7, 16, 21])
def test_panels_share_their_axes_and_label_only_the_outer_ones(count):
    figure = plots.ulp_errors(
        {f"rule {index}": {"jaxnn": (STEPS * 2**index, growing(1, 1 + index))} for index in range(count)}
    )
    assert len(figure.axes) == count
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in figure.axes} == {("log", "log")}
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    low, high = figure.axes[0].get_xlim()
    assert low < 1 < 1000 * 2 ** (count - 1) < high
    low, high = figure.axes[0].get_ylim()
    assert low < 1 < count < high or count == 1
    for index, axes in enumerate(figure.axes):
        place = axes.get_subplotspec()
        last_of_its_column = all(other.get_subplotspec().colspan != place.colspan for other in figure.axes[index + 1 :])
        assert axes.xaxis.get_tick_params()["labelbottom"] == last_of_its_column
        assert axes.yaxis.get_tick_params()["labelleft"] == place.is_first_col()


def test_the_floor_is_a_region_from_the_lower_edge_to_its_errors():
    axes = plots.ulp_errors({"adam": TYPICAL}).axes[0]
    (region,) = axes.collections
    low = axes.get_ylim()[0]
    outline = {tuple(corner) for corner in region.get_paths()[0].vertices}
    assert outline == {*zip(STEPS, growing(0.35, 6), strict=True), *((step, low) for step in STEPS)}
    assert region.get_zorder() < min(line(axes, name).get_zorder() for name in ("jaxnn", "optax", "torch"))
    assert "floor" not in names(axes)


def test_our_curve_lies_over_the_others():
    axes = plots.ulp_errors({"adam": {**TYPICAL, "mine": TYPICAL["torch"]}}).axes[0]
    over = sorted(names(axes), key=lambda name: -line(axes, name).get_zorder())
    assert over == ["jaxnn", "optax", "torch", "mine"]


def test_few_steps_are_marked_and_many_are_not():
    many = np.arange(1.0, 101.0)
    few = plots.ulp_errors({"adam": TYPICAL}).axes[0]
    assert line(few, "jaxnn").get_marker() == "o"
    dense = plots.ulp_errors({"adam": {"jaxnn": (many, many)}}).axes[0]
    assert line(dense, "jaxnn").get_marker() == "None"


# Looks


def look(figure, name):
    for axes in figure.axes:
        if name in names(axes):
            drawn = line(axes, name)
            return to_rgb(drawn.get_color()), drawn._dash_pattern, drawn.get_marker()
    raise AssertionError(name)


def test_a_library_looks_the_same_whichever_others_are_there():
    everything = {**TYPICAL, "keras": TYPICAL["torch"]}
    whole = plots.ulp_errors({"sgd": TYPICAL, "adam": everything})
    for name in ("jaxnn", "optax", "torch", "keras"):
        alone = plots.ulp_errors({"adam": {name: everything[name]}})
        assert look(alone, name) == look(whole, name)
        assert entries(alone) == [name]
    assert entries(whole) == ["jaxnn", "optax", "torch", "keras", "least possible error"]


def test_all_libraries_differ_in_colour_and_in_line_or_mark():
    found = ("jaxnn", "optax", "torch", "keras", "mine", "nearest known", "another rule")
    figure = plots.ulp_errors({"adam": {name: TYPICAL["jaxnn"] for name in ("floor", *reversed(found))}})
    assert entries(figure) == [
        "jaxnn",
        "optax",
        "torch",
        "keras",
        "another rule",
        "nearest known",
        "mine",
        FLOOR_IN_WORDS,
    ]
    for one, other in combinations(found, 2):
        colours, lines, marks = zip(look(figure, one), look(figure, other), strict=True)
        assert colours[0] != colours[1]
        assert lines[0] != lines[1] or marks[0] != marks[1]  # for readers who see no colours
    figure.canvas.draw()
    assert legend(figure).get_window_extent().x1 < figure.bbox.x1


@pytest.mark.by_default("dark")
@pytest.mark.parametrize("theme", style.THEMES)
def test_the_picture_has_its_theme_and_everything_written_is_within_it(theme, tmp_path):
    curves = {rule: {**TYPICAL, "keras": (STEPS, [0, 2, np.inf, np.nan])} for rule in RULES}
    figure = plots.ulp_errors(curves, title="Error of the displacement", theme=theme)
    pixels = matplotlib.image.imread(plots.save(figure, tmp_path / "ulps.png", dpi=100))
    np.testing.assert_allclose(pixels[0, 0, :3], to_rgb(style.THEMES[theme].background), atol=1 / 255)
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    written = {text.get_text() for text in texts}
    labels = {"not finite", "Error of the displacement", "error (units in the last place)", "optimiser steps"}
    assert {*RULES, *TYPICAL, *labels} - written == {"floor"}
    boxes = [text.get_window_extent() for text in texts]
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


# What a logarithm has no place for


def test_zero_is_drawn_on_a_line_that_is_labelled_below_all_else():
    curves = {
        "sgd": {"jaxnn": (STEPS, [0, 0, 0, 0]), "torch": (STEPS, [0, 0.5, 5, 50])},
        "adam": {"jaxnn": (STEPS, [0.5, 5, 5, 50])},
    }
    figure = plots.ulp_errors(curves)
    at = tick_heights(figure.axes[0])
    for axes in figure.axes:
        zero, least, first, second = heights(axes, [0, 0.5, 5, 50])
        assert 0.03 < at["0"] == zero < least - 0.1  # apart from the edge and from what is not 0
        np.testing.assert_allclose(second - first, first - least)  # a decade is a decade
        levels = [set(line.get_ydata()) for line in axes.lines if line.get_linestyle() == ":"]
        assert {0} in levels
    np.testing.assert_array_equal(line(figure.axes[0], "torch").get_ydata(), [0, 0.5, 5, 50])


def test_without_a_zero_there_is_no_line_for_it():
    assert "0" not in tick_heights(plots.ulp_errors({"adam": TYPICAL}).axes[0])


def test_errors_that_are_all_zero():
    at = tick_heights(plots.ulp_errors({"sgd": {"jaxnn": (STEPS, np.zeros(4)), "floor": (STEPS, np.zeros(4))}}).axes[0])
    assert at["0"] < at["1"] < at["10"]


@pytest.mark.parametrize(("library", "largest"), [("optax", 20), ("floor", 80)])
def test_errors_that_are_not_finite_are_at_the_upper_edge(library, largest):
    figure = plots.ulp_errors({"adam": {**TYPICAL, library: (STEPS, [2, np.inf, np.nan, 3])}})
    axes = figure.axes[0]
    marks = line(axes, "not finite")
    np.testing.assert_array_equal(marks.get_xdata(), [10, 100])
    pixels = marks.get_transform().transform(marks.get_xydata())
    level = axes.transAxes.inverted().transform(pixels)[:, 1]
    assert np.all((level > heights(axes, [largest]) + 0.1) & (level < 1))
    assert marks.get_zorder() > max(line(axes, name).get_zorder() for name in ("jaxnn", "torch"))
    assert entries(figure)[-1] == "not finite"


# Ticks


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ([1], ["1"]),
        ([1, 200], ["1", "10", "100"]),
        ([1, 20], ["1", "3", "10"]),
        ([3, 4, 5], ["3", "4", "5", "6"]),
        ([1, 1e9], ["1", "100", "10000", "$10^{6}$", "$10^{8}$"]),
        ([2e6, 4e7], [r"$3\cdot 10^{6}$", "$10^{7}$", r"$3\cdot 10^{7}$"]),
    ],
)
def test_steps_are_labelled_with_few_round_numbers(steps, labels):
    axes = plots.ulp_errors({"adam": {"jaxnn": (steps, np.ones(len(steps)))}}).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == labels


def test_names_are_never_read_as_tex(tmp_path):
    figure = plots.ulp_errors({"$a^b$": {"$x_": (STEPS, STEPS), r"$\nothing$": (STEPS, STEPS)}}, title=r"$\frac$")
    plots.save(figure, tmp_path / "names.png", dpi=30)  # raises if they are
    assert entries(figure) == [r"\$x_", r"\$\nothing\$"]


# Errors


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "curves holds no rule"),
        ({"adam": {}}, r"curves\['adam'\] holds no library"),
        ({"adam": {"optax": ([1, 2], [1])}}, r"curves\['adam'\]\['optax'\].*2 steps and 1 errors"),
        ({"adam": {"optax": ([], [])}}, "must be a non-empty array"),
        ({"adam": {"optax": (["a"], [1])}}, r"The steps of .* must be an array of numbers"),
        ({"adam": {"optax": ([1, 2], [[1, 2]])}}, r"The errors of .* shape \(1, 2\)"),
        ({"adam": {"optax": ([0, 1], [1, 2])}}, "increasing and > 0"),
        ({"adam": {"optax": ([2, 1], [1, 2])}}, "increasing and > 0"),
        ({"adam": {"optax": ([1, 1], [1, 2])}}, "increasing and > 0"),
        ({"adam": {"optax": ([1, np.inf], [1, 2])}}, "finite"),
        ({"adam": {"optax": ([1, np.nan], [1, 2])}}, "finite"),
        ({"adam": {"optax": ([1, 2], [np.nan, -2])}}, "must be ≥ 0, got -2: pass their absolute values"),
    ],
)
def test_bad_curves_are_told_in_one_line(curves, message):
    with pytest.raises(ValueError, match=message) as caught:
        plots.ulp_errors(curves)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pair", [np.ones(3), ([1], [2], [3]), "ab", None])
def test_what_is_no_pair_is_told(pair):
    with pytest.raises(ValueError, match=r"^curves\['a'\]\['b'\] must be a pair \(steps, errors\), got \w+\.$"):
        curve_of("curves['a']['b']", pair)


def test_an_unknown_theme_is_told():
    with pytest.raises(ValueError, match="Did you mean 'dark'"):
        plots.ulp_errors({"adam": TYPICAL}, theme="drak")
