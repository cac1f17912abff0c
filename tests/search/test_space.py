"""Distributions against their cumulative distribution functions; draws as pure functions; grids against itertools."""

import functools
import itertools
import json

import numpy as np
import pytest
import scipy.stats

from jaxnn import optimisers, search
from jaxnn.experiments import PROBLEMS, recipe
from jaxnn.search import Choice, LogUniform, Uniform, space

CLASSES = PROBLEMS["classes"]
SEARCHED = {
    "learning_rate": LogUniform(1e-4, 1e-1),
    "dropout": Uniform(0.0, 0.5),
    "hidden": Choice([(8,), (16,), (8, 8), (16, 16)]),
    "activation": Choice(["relu", "tanh"]),
}


def whole(**choices):
    return recipe.complete(choices, rows=2000, problem=CLASSES)


# Distributions


@pytest.mark.parametrize(
    ("distribution", "witness"),
    [
        (Uniform(-1.0, 3.0), scipy.stats.uniform(-1.0, 4.0)),
        (Uniform(1000.0, 1001.0), scipy.stats.uniform(1000.0, 1.0)),  # narrow: three digits of the range
        (LogUniform(1e-5, 1e-1), scipy.stats.loguniform(1e-5, 1e-1)),
        (LogUniform(1.0, 1.1), scipy.stats.loguniform(1.0, 1.1)),
    ],
    ids=["uniform", "narrow-uniform", "log-uniform", "narrow-log-uniform"],
)
def test_draws_have_the_distribution(distribution, witness):
    drawn = [distribution.draw(np.random.default_rng(seed)) for seed in range(2000)]
    assert min(drawn) >= distribution.low
    assert max(drawn) <= distribution.high
    # The draws are fixed, so this p-value is too; rounding to three digits moves the distribution by up to 0.005.
    assert scipy.stats.kstest(drawn, witness.cdf).statistic < 1.63 / np.sqrt(2000) + 0.005


def test_a_choice_draws_each_value_as_often():
    drawn = [Choice(["a", "b", "c"]).draw(np.random.default_rng(seed)) for seed in range(3000)]
    counts = [drawn.count(value) for value in "abc"]
    assert sum(counts) == 3000
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_a_drawn_number_is_short():
    drawn = {LogUniform(1e-5, 1e-1).draw(np.random.default_rng(seed)) for seed in range(50)}
    assert all(float(f"{value:.3g}") == value for value in drawn)
    assert len(drawn) > 45


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Uniform(1.0, 1.0), "Uniform needs low < high, got low=1.0 and high=1.0"),
        (lambda: Uniform(0.0, np.inf), "high must be finite"),
        (lambda: Uniform(np.nan, 1.0), "low must be a number, got nan"),
        (lambda: LogUniform(0.0, 1.0), "low must be > 0 and finite, got 0.0"),
        (lambda: LogUniform(2.0, 1.0), "LogUniform needs low < high"),
        (lambda: Choice([]), "values must hold at least one value"),
        (lambda: Choice("relu"), "values must be a list of the values to try, got 'relu'"),
        (lambda: Choice([None]), "values must hold numbers, texts, or sequences of these, got None"),
    ],
)
def test_a_distribution_refuses_what_it_cannot_draw_from(make, told):
    with pytest.raises(ValueError, match=told):
        make()


# The default space


def test_the_default_space_is_around_the_defaults():
    found = search.around(whole())
    assert set(found) == {"learning_rate", "weight_decay", "dropout", "hidden", "activation", "batch_size"}
    assert found["learning_rate"] == LogUniform(3e-4, 3e-2)
    assert found["weight_decay"] == LogUniform(0.01, 3.0)
    assert set(found["hidden"].values) == {(w,) * n for w in (32, 64, 128) for n in (1, 2, 3)}
    assert found["batch_size"].values == (16, 32, 64)
    assert found["activation"].values == ("relu", "silu", "tanh")


@pytest.mark.parametrize("optimiser", [*optimisers.TABLE, *optimisers.METHODS])
def test_every_draw_from_the_default_space_is_a_recipe(optimiser):
    for rows, kind in itertools.product((50, 20_000), PROBLEMS):
        make = functools.partial(recipe.complete, rows=rows, problem=PROBLEMS[kind])
        default = make({"optimiser": optimiser})
        around = search.around(default, fixed=["optimiser"])
        for number in range(1, 100, 7):
            drawn = make({"optimiser": optimiser, **search.draw(around, 0, number)})
            assert drawn != default
            assert drawn.weight_decay > 0  # a decay of 0 would be another program


def test_a_method_is_searched_only_for_what_applies():
    assert set(search.around(whole(optimiser="lbfgs"))) == {"weight_decay", "hidden", "activation"}
    assert "relu" not in search.around(whole(optimiser="newton"))["activation"].values


def test_a_decay_of_zero_is_searched_in_the_units_of_the_rule():
    assert search.around(whole(optimiser="adam"))["weight_decay"] == LogUniform(1e-6, 1e-2)
    assert search.around(whole(optimiser="lion"))["weight_decay"] == LogUniform(1e-3, 1.0)


def test_what_is_fixed_is_never_drawn():
    found = search.around(whole(learning_rate=0.5, epochs=7), fixed={"learning_rate": 0.5, "epochs": 7})
    assert "learning_rate" not in found
    assert not any("learning_rate" in search.draw(found, 0, number) for number in range(40))


def test_one_activation_per_layer_keeps_the_number_of_layers():
    given = {"hidden": (8, 4), "activation": ("relu", "tanh")}
    assert search.around(whole(**given), fixed=["activation"])["hidden"].values == ((4, 2), (8, 4), (16, 8))
    assert len(search.around(whole(**given))["hidden"].values) == 9  # with the activation drawn, one name for all


def test_a_linear_model_has_no_layers_to_search():
    assert set(search.around(whole(hidden=()), fixed=["hidden"])) == {"learning_rate", "weight_decay", "batch_size"}


def test_a_space_that_is_none_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'learning_rate'"):
        search.around(whole(), fixed=["learning_rat"])
    with pytest.raises(
        ValueError, match="Nothing is left to search: leave out one of weight_decay, hidden, activation"
    ):
        search.around(whole(optimiser="lbfgs"), fixed=["weight_decay", "hidden", "activation"])


# Draws


def test_the_first_trial_is_the_defaults():
    assert search.draw(SEARCHED, 3, 0) == {}


def test_a_draw_depends_on_nothing_but_its_arguments():
    forwards = [search.draw(SEARCHED, 5, number) for number in range(40)]
    backwards = [search.draw(SEARCHED, 5, number) for number in reversed(range(40))]
    assert forwards == backwards[::-1]
    assert forwards[1:] != [search.draw(SEARCHED, 6, number) for number in range(1, 40)]


def test_a_draw_is_what_json_reads_back():
    for number in range(0, 200, 16):
        drawn = search.draw(SEARCHED, 0, number)
        assert json.loads(json.dumps(drawn)) == drawn


@pytest.mark.parametrize("block", [1, 4, space.BLOCK])
def test_a_block_shares_its_structure_and_no_number(block):
    trials = [search.draw(SEARCHED, 0, number, block=block) for number in range(1, 8 * block)]
    structures = {}
    for number, drawn in enumerate(trials, start=1):
        structures.setdefault(number // block, set()).add((str(drawn["hidden"]), drawn["activation"]))
    assert all(len(found) == 1 for found in structures.values())
    assert len(set.union(*structures.values())) > 2
    assert len({drawn["learning_rate"] for drawn in trials}) > 0.9 * len(trials)


def test_structure_alone_is_drawn_for_each_trial():
    only = {"hidden": SEARCHED["hidden"], "activation": SEARCHED["activation"]}
    drawn = {str(search.draw(only, 0, number)) for number in range(1, space.BLOCK)}
    assert len(drawn) > 4  # of 8


def test_taking_one_out_leaves_the_others():
    fewer = {name: SEARCHED[name] for name in ("dropout", "hidden", "learning_rate")}
    for number in range(1, 50):
        whole = search.draw(SEARCHED, 1, number)
        assert search.draw(fewer, 1, number) == {name: whole[name] for name in fewer}


def test_hyperparameters_are_drawn_independently():
    drawn = [search.draw(SEARCHED, 0, number) for number in range(1, 400)]
    rate, dropout = (np.array([trial[name] for trial in drawn]) for name in ("learning_rate", "dropout"))
    # Over independent draws, Spearman's coefficient has the standard deviation 1/√(n - 1).
    assert abs(scipy.stats.spearmanr(rate, dropout).statistic) < 3.3 / np.sqrt(398)
    assert abs(scipy.stats.spearmanr(rate[1:], rate[:-1]).statistic) < 3.3 / np.sqrt(397)


@pytest.mark.parametrize(
    ("searched", "seed", "number", "told"),
    [
        ({"learning_rat": Uniform(0.0, 1.0)}, 0, 1, "Did you mean 'learning_rate'"),
        ({"dropout": 0.3}, 0, 1, "dropout must be searched by Uniform, LogUniform or Choice, got 0.3"),
        ({}, -1, 1, "seed must be a whole number ≥ 0"),
        ({}, 0, -1, "number must be a whole number ≥ 0"),
    ],
)
def test_a_draw_from_no_space_is_refused(searched, seed, number, told):
    with pytest.raises(ValueError, match=told):
        search.draw(searched, seed, number)


# Grids


def test_a_grid_is_every_combination_in_order():
    values = {"optimiser": ["adam", "sgd"], "hidden": [(4,), (8, 8)], "learning_rate": np.array([0.1, 0.2, 0.3])}
    found = search.grid(**values)
    expected = itertools.product(["adam", "sgd"], [[4], [8, 8]], [0.1, 0.2, 0.3])
    assert [tuple(choices.values()) for choices in found] == list(expected)
    assert all(list(choices) == list(values) for choices in found)
    assert json.loads(json.dumps(found)) == found
    assert search.grid() == [{}]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"learningrate": [0.1]}, "Unknown hyperparameter 'learningrate'. Did you mean 'learning_rate'"),
        ({"learning_rate": 0.1}, "learning_rate must be a list of the values to try, got 0.1"),
        ({"activation": "relu"}, "activation must be a list of the values to try, got 'relu'"),
        ({"batch_size": []}, "batch_size must hold at least one value"),
        ({"hidden": (32, 16)}, r"hidden must be a list of sequences.*\[32, 16\]"),
    ],
)
def test_a_grid_of_nothing_is_refused(values, told):
    with pytest.raises(ValueError, match=told):
        search.grid(**values)
