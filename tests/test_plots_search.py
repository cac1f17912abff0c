"""The picture of a search shows the trials and shares it was given, and nothing in it overlaps."""

import math
from itertools import combinations

import numpy as np
import pytest

from jaxnn import plots
from jaxnn.plots import style
from jaxnn.plots.score_panels import scores_to_draw

SHARES = {"batch_size": 0.05, "learning_rate": 0.62, "activation": 0.21, "hidden": 0.1, "dropout": 0.0}
HIDDEN = [(width,) * layers for layers in (1, 2, 3) for width in (32, 64, 128)]


def trials(n=60, seed=0):
    rng = np.random.default_rng(seed)
    choices = [
        {
            "learning_rate": float(10 ** rng.uniform(-4, -1)),
            "dropout": float(rng.uniform(0, 0.5)),
            "batch_size": int(rng.choice([8, 16, 32])),
            "activation": (str(rng.choice(["relu", "silu", "tanh"])),),
            "hidden": list(HIDDEN[rng.integers(len(HIDDEN))]),
        }
        for _ in range(n)
    ]
    return choices, rng.uniform(0.2, 0.3, n).tolist()


def panels(figure):
    """Name of the hyperparameter -> its axes; the bars are under what their axis says."""
    return {axes.get_xlabel(): axes for axes in figure.axes}


def points(axes):
    (drawn,) = [found for found in axes.collections if found.get_label() == "trial"]
    return np.asarray(drawn.get_offsets())


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def test_bars_are_the_shares_greatest_first():
    choices, scores = trials()
    bars = panels(plots.search(choices, scores, SHARES))["variance explained, %"]
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert names == ["learning rate", "activation", "hidden", "batch size", "dropout"]
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], [62, 21, 10, 5, 0])
    assert [text.get_text() for text in bars.texts] == ["62", "21", "10", "5", "0"]
    assert bars.yaxis_inverted()


def test_panels_show_every_trial_against_the_most_important():
    choices, scores = trials()
    drawn = panels(plots.search(choices, scores, SHARES, name="log loss"))
    assert list(drawn)[1:] == ["learning rate", "activation", "hidden", "batch size"]
    rates = [each["learning_rate"] for each in choices]
    np.testing.assert_array_equal(points(drawn["learning rate"]), np.column_stack([rates, scores]))
    assert drawn["learning rate"].get_xscale() == "log"
    assert [drawn[name].get_ylabel() for name in list(drawn)[1:]] == ["log loss", "", "log loss", ""]
    assert len({axes.get_ylim() for name, axes in drawn.items() if name in ("learning rate", "hidden")}) == 1


def test_categories_are_strips_with_their_medians():
    choices, scores = trials()
    drawn = panels(plots.search(choices, scores, SHARES))
    sizes = drawn["batch size"]
    assert [label.get_text() for label in sizes.get_xticklabels()] == ["8", "16", "32"]
    places = np.array([[8, 16, 32].index(each["batch_size"]) for each in choices])
    at = points(sizes)
    np.testing.assert_array_equal(at[:, 1], scores)
    assert (np.abs(at[:, 0] - places) < 0.3).all()
    assert len(set(at[:, 0])) == len(scores)  # side by side
    medians = sorted(float(line.get_ydata()[0]) for line in lines(sizes, "median"))
    assert medians == pytest.approx(sorted(np.median(np.array(scores)[places == place]) for place in range(3)))
    layers = [label.get_text().replace("\n", ",") for label in drawn["hidden"].get_xticklabels()]
    assert layers == [",".join(map(str, hidden)) for hidden in HIDDEN]


@pytest.mark.parametrize("higher", [False, True])
def test_the_best_is_ringed_and_named(higher):
    choices, scores = trials()
    best = int(np.argmax(scores) if higher else np.argmin(scores))
    figure = plots.search(choices, scores, SHARES, name="rmse in $", higher_is_better=higher, numbers=range(100, 160))
    (ring,) = lines(panels(figure)["learning rate"], "best")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (choices[best]["learning_rate"], scores[best])
    first, second = figure.get_suptitle().split("\n")
    assert first == "Learning rate explains 62 % of the differences, activation 21 %"
    assert second == rf"Best of 60 trials: number {100 + best}, rmse in \$ {scores[best]:.4g}"


@pytest.mark.parametrize(("sign", "marker"), [(1, "^"), (-1, "v")])
def test_what_diverged_or_is_far_off_is_at_the_edge(sign, marker):
    choices, scores = trials()
    scores[3], scores[4], scores[5] = math.nan, math.inf, 50.0
    drawn = panels(plots.search(choices, sign * (np.array(scores) - 1), SHARES, higher_is_better=sign < 0))
    axes = drawn["learning rate"]
    (marks,) = lines(axes, "diverged or far off")
    assert set(marks.get_xdata()) == {choices[i]["learning_rate"] for i in (3, 4, 5)}
    assert marks.get_marker() == marker
    assert (float(marks.get_ydata()[0]) > 0.5) == (sign > 0)  # in the height of the axes
    assert len(points(axes)) == 57
    low, high = sorted(sign * limit + 1 for limit in axes.get_ylim())
    assert 0.15 < low < high < 0.35


def test_losses_over_decades_are_on_a_logarithmic_axis():
    choices, _ = trials(40)
    scores = np.geomspace(1e-4, 1, 40)
    axes = panels(plots.search(choices, scores, SHARES))["learning rate"]
    assert axes.get_yscale() == "log"
    assert len(points(axes)) == 40
    assert axes.get_ylim()[0] < 1e-4 < 1 < axes.get_ylim()[1]


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [3.0, math.nan], [2.0, 2.0, 2.0, 9.0]])
def test_limits_hold_what_is_drawn(values):
    drawn = scores_to_draw(np.array(values), False)
    low, high = drawn.limits
    assert all(low < value < high for value in np.array(values)[~drawn.edge])


def test_a_search_without_a_finite_score_says_so():
    choices, _ = trials(5)
    figure = plots.search(choices, [math.nan] * 5, {"dropout": 0.0})
    assert figure.get_suptitle() == (
        "No hyperparameter explains much of the differences alone\nNone of 5 trials has a finite score"
    )
    assert len(lines(panels(figure)["dropout"], "best")) == 0


def test_trials_without_a_hyperparameter_are_not_in_its_panel():
    choices, scores = trials(30)
    for each in choices[:10]:
        del each["dropout"]
    drawn = panels(plots.search(choices, scores, {"dropout": 0.5}))
    assert len(points(drawn["dropout"])) == 20


@pytest.mark.by_default("5-light", "3-dark", "1-light")
@pytest.mark.parametrize("theme", style.THEMES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_nothing_overlaps_and_all_is_inside(theme, count):
    choices, scores = trials()
    scores[0] = math.nan
    names = ["hidden", "batch_size", "activation", "learning_rate", "dropout"]
    shares = {name: 0.5 - place / 20 for place, name in enumerate(names[:count])}
    figure = plots.search(choices, scores, shares, name="top k accuracy", most=6, theme=theme)
    figure.draw_without_rendering()
    whole = figure.bbox
    (legend,) = [legend for part in figure.subfigs for legend in part.legends]
    over = [figure._suptitle.get_window_extent(), legend.get_window_extent()]
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        boxes = [box for box in boxes if axes.bbox.x0 - 1 <= (box.x0 + box.x1) / 2 <= axes.bbox.x1 + 1]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2)), axes.get_xlabel()
        over.append(axes.get_tightbbox())
    assert len(over) == count + 3
    assert not any(one.overlaps(other) for one, other in combinations(over, 2))
    for box in over:
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1


def test_many_long_categories_stand_upright():
    choices = [{"optimiser": f"a_rather_long_name_{i % 15}"} for i in range(60)]
    figure = plots.search(choices, np.linspace(1, 2, 60), {"optimiser": 0.3})
    figure.draw_without_rendering()
    labels = panels(figure)["optimiser"].get_xticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) == 15
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c, s: plots.search(c, s[:-1], SHARES), "choices 60, scores 59"),
        (lambda c, s: plots.search(c, s, SHARES, numbers=[1]), "numbers 1, scores 60"),
        (lambda c, s: plots.search(c, s, {}), "No hyperparameter has a share"),
        (lambda c, s: plots.search(c, s, {"epochs": 0.5}), "shares has 'epochs', which no trial has chosen"),
        (lambda c, s: plots.search(c, s, {"dropout": 1.5}), r"shares\['dropout'\] must be in \[0, 1\]"),
        (lambda c, s: plots.search(c, s, SHARES, most=0), "most must be a whole number ≥ 1"),
        (lambda c, s: plots.search(c, s, SHARES, theme="drak"), "Did you mean 'dark'"),
    ],
)
def test_bad_input_is_told_in_one_line(call, told):
    with pytest.raises(ValueError, match=told) as caught:
        call(*trials())
    assert "\n" not in str(caught.value)
