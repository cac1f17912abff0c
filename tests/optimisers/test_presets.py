"""Presets beside the table of twins: flags one by one, masks, defaults and bad input."""

import inspect
import itertools

import jax
import numpy as np
import optax
import pytest
from sklearn.neural_network import _stochastic_optimizers as sklearn_optimizers

from jaxnn.optimisers import PRESETS, preset
from jaxnn.verify import table
from jaxnn.verify.first_order import twins
from jaxnn.verify.first_order.given_gradients import differences, follow, problem

FLAGS = list(itertools.product([False, True], repeat=2))


def assert_equal(name, **keywords):
    """The preset is its library's optimiser at these keywords."""
    assert [row.verdict for row in twins.compared_rows([twins.Twin(name, name, ours=keywords, theirs=keywords)])] == [
        table.EQUAL
    ]


@pytest.mark.parametrize(("corrected", "inside"), FLAGS)
def test_optax_rmsprop_by_its_flags(corrected, inside):
    assert_equal("optax.rmsprop", bias_correction=corrected, eps_in_sqrt=inside)


@pytest.mark.parametrize(("mu", "nu"), FLAGS)
def test_optax_amsgrad_by_its_flags(mu, nu):
    assert_equal("optax.amsgrad", bias_correction_mu=mu, bias_correction_nu=nu)


def test_optax_masks_may_be_functions():
    def matrices(tree):
        return jax.tree.map(lambda leaf: leaf.ndim > 1, tree)

    assert_equal("optax.adamw", weight_decay=0.3, mask=matrices)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("optax.")])
def test_optax_defaults(name):
    def defaults(function):
        return {key: value.default for key, value in inspect.signature(function).parameters.items()}

    theirs = defaults(getattr(optax, name.removeprefix("optax.")))
    given = {key: value for key, value in defaults(PRESETS[name]).items() if key != "learning_rate"}
    assert given == {key: theirs[key] for key in given}
    assert set(theirs) - set(given) <= {"learning_rate", "mu_dtype", "accumulator_dtype", "nesterov"}


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("keras.")])
def test_keras_presets_show_the_keywords_that_all_share(name):
    parameters = inspect.signature(PRESETS[name]).parameters
    shared = {key: parameters[key].default for key in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")}
    assert shared == {**dict.fromkeys(shared), "weight_decay": 4e-3 if name == "keras.AdamW" else None}
    assert next(iter(parameters)) == "learning_rate"


def test_keras_keywords_may_be_given_by_position():
    by_position = PRESETS["keras.SGD"](0.1, 0.9, True, 0.01, 1.0)
    assert by_position == preset("keras.SGD", 0.1, momentum=0.9, nesterov=True, weight_decay=0.01, clipnorm=1.0)
    with pytest.raises(TypeError, match="rate"):
        PRESETS["keras.SGD"](0.1, rate=0.1)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_sklearn_defaults(name):
    given = inspect.signature(PRESETS[f"sklearn.{name.replace('sgd', 'SGDOptimizer')}"]).parameters
    kind = sklearn_optimizers.AdamOptimizer if name == "adam" else sklearn_optimizers.SGDOptimizer
    theirs = inspect.signature(kind).parameters
    assert {key: value.default for key, value in given.items()} == {key: theirs[key].default for key in given}


def test_the_rate_goes_by_the_librarys_name_too(x64):
    params, grads = problem(1)
    named, given = preset("torch.Adam", lr=0.01), preset("torch.Adam", 0.01)
    assert differences(follow(named, params, grads), follow(given, params, grads)).max() == 0.0


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        (("torch.adam",), {}, ValueError, "Did you mean 'torch.Adam'"),
        (("pytorch.Adam",), {}, ValueError, "Did you mean 'torch'"),
        (("adam",), {}, ValueError, r"such as 'torch.Adam', got 'adam'"),
        (("torch.RMSprop", 0.1), {"capturable": True}, TypeError, "no keyword 'capturable'. Known: lr, alpha"),
        (("optax.radam", 0.1), {"nesterov": True}, TypeError, "no keyword 'nesterov'"),
        (("optax.adam",), {}, TypeError, "no default learning rate"),
        (("optax.adadelta",), {}, TypeError, "no default learning rate"),
        (("torch.SGD", -0.1), {}, ValueError, "learning_rate must be ≥ 0"),
        (("torch.SGD", 0.1), {"momentum": 1.5}, ValueError, r"momentum must be in \[0, 1\)"),
        (("torch.SGD", 0.1), {"nesterov": True}, ValueError, "needs momentum > 0"),
        (("torch.SGD", 0.1), {"nesterov": True, "momentum": 0.9, "dampening": 0.5}, ValueError, "dampening 0"),
        (("torch.Adagrad", 0.1), {"lr_decay": -1.0}, ValueError, "lr_decay must be ≥ 0"),
        (("torch.AdamW", 0.1), {"weight_decay": -1.0}, ValueError, "weight_decay must be ≥ 0"),
        (("keras.Adam", 0.1), {"clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "in at most one way"),
        (("keras.Adam", 0.1), {"clipnorm": -1.0}, ValueError, "clipnorm must be > 0"),
        (("keras.Adam", 0.1), {"beta_2": 1.0}, ValueError, r"b2 must be in \[0, 1\)"),
        (("sklearn.adam", 0.1), {"alpha": 1e-4}, TypeError, "no keyword 'alpha'"),
    ],
)
def test_bad_input(arguments, keywords, error, message):
    with pytest.raises(error, match=message):
        preset(*arguments, **keywords)


def test_decay_needs_the_parameters():
    optimiser = preset("torch.AdamW", 0.1)
    with pytest.raises(ValueError, match="needs the parameters"):
        optimiser.update(np.ones(2), optimiser.init(np.ones(2)))
