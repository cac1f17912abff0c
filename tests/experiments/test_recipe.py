import pytest

from jaxnn.experiments import PROBLEMS, recipe


@pytest.mark.parametrize("rows", [100, 5_000, 50_000])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_without_choices_it_is_the_defaults_and_a_whole_recipe_stays(rows, problem):
    chosen = recipe.complete({}, rows=rows, problem=PROBLEMS[problem])
    assert chosen == recipe.defaults(rows, PROBLEMS[problem])
    again = chosen._replace(learning_rate=0.5)
    assert recipe.complete(again, rows=rows, problem=PROBLEMS[problem]) == again


def test_few_rows_of_noisy_numbers_get_a_small_network():
    assert recipe.defaults(100, PROBLEMS["numbers"]).hidden == (32,)
    assert recipe.defaults(100, PROBLEMS["classes"]).hidden == (64, 64)


def test_choices_may_come_as_python_has_them():
    chosen = recipe.complete({"hidden": [5, 3], "activation": "tanh"}, rows=100, problem=PROBLEMS["classes"])
    assert (chosen.hidden, chosen.activation, chosen.activations) == ((5, 3), ("tanh",), ("tanh", "tanh"))


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"learning_rat": 0.1}, "Did you mean 'learning_rate'?"),
        ({"optimiser": "adan"}, "Did you mean 'adam'?"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'?"),
        ({"activation": "thanh"}, "Did you mean 'tanh'?"),
        ({"hidden": (4, 0)}, "hidden must be a whole number ≥ 1, got 0"),
        ({"epochs": 0}, "epochs must be a whole number ≥ 1, got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number ≥ 1, got 0"),
        ({"patience": -1}, "patience must be a whole number ≥ 0, got -1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"hidden": (4, 4, 4), "activation": ("relu", "tanh")}, "2 names for 3 hidden layers"),
        ({"optimiser": "newton", "batch_size": 16}, "newton uses all rows in every step"),
    ],
    ids=str,
)
def test_choices_that_make_no_recipe_are_refused(choices, told):
    with pytest.raises(ValueError, match=told):
        recipe.complete(choices, rows=100, problem=PROBLEMS["classes"])
