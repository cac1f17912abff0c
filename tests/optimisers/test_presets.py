"""Every preset against the library or the algorithm box that it is named after."""

import inspect

import jax
import numpy as np
import optax
import pytest
from sklearn.neural_network import _stochastic_optimizers as sklearn_optimizers

from jaxnn.optimisers import PRESETS, preset
from tests.twins import BOTH, STEPS, assert_same, draws, follow, problem, rate

BETA, BETA2, EPS = (0.0, 0.97), (0.7, 0.9995), (1e-9, 1e-3)
ADAM = {"b1": BETA, "b2": BETA2, "eps": EPS, "eps_root": [0.0, 1e-4]}
WEIGHTS_ONLY = {"layers": [True, {"b": False}], "empty": True}
DECAY = {"weight_decay": [1e-2, 0.3, lambda step: 0.1 / (1 + step)], "mask": [None, WEIGHTS_ONLY]}
OPTAX = {
    "sgd": {"momentum": [None, 0.5, 0.95], "nesterov": BOTH},
    "adagrad": {"initial_accumulator_value": [0.0, 0.3], "eps": EPS},
    # the corrected variance is 0 at the first step, where 1/√(rounding + ε) would compare roundings: ε well above them
    "rmsprop": {
        "decay": BETA2,
        "eps": (1e-2, 1e-1),
        "initial_scale": [0.0, 0.2],
        "eps_in_sqrt": [True, True, False],
        "centered": BOTH,
        "momentum": [None, 0.5, 0.95],
        "nesterov": BOTH,
        "bias_correction": [False, False, True],
    },
    "adam": ADAM | {"nesterov": BOTH},
    "amsgrad": ADAM | {"bias_correction_mu": [True, False, True, False], "bias_correction_nu": [True, True, False]},
    "adamw": ADAM | DECAY | {"nesterov": BOTH},
    "nadam": ADAM | {"nesterov": [True, True, False]},
    "nadamw": ADAM | DECAY,
    "adamax": {"b1": BETA, "b2": BETA2, "eps": EPS},
    "adamaxw": {"b1": BETA, "b2": BETA2, "eps": EPS} | DECAY,
    "adadelta": {
        "rho": BETA2,
        "eps": EPS,
        "weight_decay": DECAY["weight_decay"],
        "weight_decay_mask": DECAY["mask"],
    },
    "radam": {"b1": BETA, "b2": BETA2, "eps": EPS, "eps_root": [0.0, 1e-4], "threshold": (5.0, 8.0)},
    "lion": {"b1": BETA, "b2": BETA} | DECAY,
}


@pytest.mark.parametrize("draw", range(3))
@pytest.mark.parametrize("name", OPTAX)
def test_optax(name, draw, x64):
    keywords = draws(name, OPTAX[name], 3)[draw]
    params, grads = problem(draw)
    ours = follow(preset(f"optax.{name}", rate, **keywords), params, grads)
    assert_same(ours, follow(getattr(optax, name)(rate, **keywords), params, grads))


@pytest.mark.parametrize("eps_in_sqrt", BOTH)
@pytest.mark.parametrize("bias_correction", BOTH)
def test_optax_rmsprop_by_its_flags(bias_correction, eps_in_sqrt, x64):
    keywords = {"bias_correction": bias_correction, "eps_in_sqrt": eps_in_sqrt}
    params, grads = problem(0)
    ours = follow(preset("optax.rmsprop", rate, **keywords), params, grads)
    assert_same(ours, follow(optax.rmsprop(rate, **keywords), params, grads))


@pytest.mark.parametrize("flags", [(a, b) for a in BOTH for b in BOTH])
def test_optax_amsgrad_by_its_flags(flags, x64):
    keywords = dict(zip(("bias_correction_mu", "bias_correction_nu"), flags, strict=True))
    params, grads = problem(0)
    ours = follow(preset("optax.amsgrad", rate, **keywords), params, grads)
    assert_same(ours, follow(optax.amsgrad(rate, **keywords), params, grads))


def test_optax_masks_may_be_functions(x64):
    def matrices(tree):
        return jax.tree.map(lambda leaf: leaf.ndim > 1, tree)

    params, grads = problem(0)
    ours = follow(preset("optax.adamw", rate, weight_decay=0.3, mask=matrices), params, grads)
    assert_same(ours, follow(optax.adamw(rate, weight_decay=0.3, mask=matrices), params, grads))


SKLEARN = {
    "sgd": {"momentum": (0.0, 0.95), "nesterovs_momentum": BOTH},
    "SGDOptimizer": {"momentum": (0.0, 0.95), "nesterov": BOTH},
    "adam": {"beta_1": BETA, "beta_2": BETA2, "epsilon": EPS},
    "AdamOptimizer": {"beta_1": BETA, "beta_2": BETA2, "epsilon": EPS},
}


def sklearn_run(name, params, grads, learning_rate, **keywords):
    """The parameters after each step of scikit-learn's own optimiser, a changing rate set as its loop would."""
    kind = sklearn_optimizers.AdamOptimizer if "dam" in name else sklearn_optimizers.SGDOptimizer
    keywords = {word.replace("nesterovs_momentum", "nesterov"): value for word, value in keywords.items()}
    leaves, structure = jax.tree.flatten(params)
    leaves = [np.array(leaf) for leaf in leaves]
    optimiser = kind(leaves, **keywords)
    path = []
    for step in range(STEPS):
        optimiser.learning_rate = optimiser.learning_rate_init = learning_rate(step)
        updates = optimiser._get_updates([g[step] for g in jax.tree.leaves(grads)])
        leaves = [leaf + update for leaf, update in zip(leaves, updates, strict=True)]
        path.append(leaves)
    return jax.tree.unflatten(structure, [np.stack(leaf) for leaf in zip(*path, strict=True)])


@pytest.mark.parametrize("draw", range(2))
@pytest.mark.parametrize("name", SKLEARN)
def test_sklearn(name, draw, x64):
    keywords = draws(name, SKLEARN[name], 2)[draw]
    params, grads = problem(draw)
    ours = follow(preset(f"sklearn.{name}", rate, **keywords), params, grads)
    assert_same(ours, sklearn_run(name, params, grads, rate, **keywords))


class Book:
    """Chapter 8's algorithm boxes for one parameter vector, read line by line; gradients at the look-ahead are given.

    `theta` is what the gradient is taken at: the parameters, or θ + αv where the box says so.
    """

    def sgd(self, theta, grads, rates):  # 8.1
        for g, epsilon in zip(grads, rates, strict=True):
            theta = theta - epsilon * g
            yield theta

    def momentum(self, theta, grads, rates, *, alpha):  # 8.2
        v = 0
        for g, epsilon in zip(grads, rates, strict=True):
            v = alpha * v - epsilon * g
            theta = theta + v
            yield theta

    def nesterov(self, theta, grads, rates, *, alpha):  # 8.3
        v = 0
        for g, epsilon in zip(grads, rates, strict=True):
            v = alpha * v - epsilon * g
            theta = theta + v
            yield theta + alpha * v

    def adagrad(self, theta, grads, rates, *, delta):  # 8.4
        r = 0
        for g, epsilon in zip(grads, rates, strict=True):
            r = r + g * g
            theta = theta - epsilon / (delta + np.sqrt(r)) * g
            yield theta

    def rmsprop(self, theta, grads, rates, *, rho, delta):  # 8.5
        r = 0
        for g, epsilon in zip(grads, rates, strict=True):
            r = rho * r + (1 - rho) * g * g
            theta = theta - epsilon / np.sqrt(delta + r) * g
            yield theta

    def rmsprop_nesterov(self, theta, grads, rates, *, rho, alpha):  # 8.6
        r, v = 0, 0
        for g, epsilon in zip(grads, rates, strict=True):
            r = rho * r + (1 - rho) * g * g
            v = alpha * v - epsilon / np.sqrt(r) * g
            theta = theta + v
            yield theta + alpha * v

    def adam(self, theta, grads, rates, *, rho1, rho2, delta):  # 8.7
        s, r = 0, 0
        for t, (g, epsilon) in enumerate(zip(grads, rates, strict=True), start=1):
            s = rho1 * s + (1 - rho1) * g
            r = rho2 * r + (1 - rho2) * g * g
            theta = theta - epsilon * (s / (1 - rho1**t)) / (np.sqrt(r / (1 - rho2**t)) + delta)
            yield theta


GOODFELLOW = {
    "sgd": {},
    "momentum": {"alpha": BETA},
    "nesterov": {"alpha": BETA},
    "adagrad": {"delta": EPS},
    "rmsprop": {"rho": BETA2, "delta": EPS},
    "rmsprop_nesterov": {"rho": BETA2, "alpha": BETA},
    "adam": {"rho1": BETA, "rho2": BETA2, "delta": EPS},
}


@pytest.mark.parametrize("name", GOODFELLOW)
def test_goodfellow(name, x64):
    keywords = draws(name, GOODFELLOW[name], 1)[0]
    params, grads = problem(3)
    ours = follow(preset(f"goodfellow.{name}", rate, **keywords), params, grads)
    rates = [rate(step) for step in range(STEPS)]
    box = getattr(Book(), name)
    assert_same(ours, jax.tree.map(lambda p, g: np.stack(list(box(p, g, rates, **keywords))), params, grads))


@pytest.mark.parametrize("name", OPTAX)
def test_optax_defaults(name):
    def defaults(function):
        return {key: value.default for key, value in inspect.signature(function).parameters.items()}

    theirs = defaults(getattr(optax, name))
    given = {key: value for key, value in defaults(PRESETS[f"optax.{name}"]).items() if key != "learning_rate"}
    assert given == {key: theirs[key] for key in given}
    assert set(theirs) - set(given) <= {"learning_rate", "mu_dtype", "accumulator_dtype", "nesterov"}


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_sklearn_defaults(name):
    given = inspect.signature(PRESETS[f"sklearn.{name.replace('sgd', 'SGDOptimizer')}"]).parameters
    kind = sklearn_optimizers.AdamOptimizer if name == "adam" else sklearn_optimizers.SGDOptimizer
    theirs = inspect.signature(kind).parameters
    assert {key: value.default for key, value in given.items()} == {key: theirs[key].default for key in given}


def test_the_rate_goes_by_the_librarys_name_too(x64):
    params, grads = problem(1)
    assert_same(
        follow(preset("torch.Adam", lr=0.01), params, grads), follow(preset("torch.Adam", 0.01), params, grads), 0.0
    )


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        (("torch.adam",), {}, ValueError, "Did you mean 'torch.Adam'"),
        (("pytorch.Adam",), {}, ValueError, "Did you mean 'torch'"),
        (("adam",), {}, ValueError, r"as in 'torch.Adam'; got 'adam'"),
        (("torch.RMSprop", 0.1), {"capturable": True}, TypeError, "no keyword 'capturable' here. Known: lr, alpha"),
        (("optax.radam", 0.1), {"nesterov": True}, TypeError, "no keyword 'nesterov'"),
        (("optax.adam",), {}, TypeError, "no default learning rate"),
        (("optax.adadelta",), {}, TypeError, "no default learning rate"),
        (("torch.SGD", -0.1), {}, ValueError, "learning_rate must be ≥ 0"),
        (("torch.SGD", 0.1), {"momentum": 1.5}, ValueError, r"momentum must be in \[0, 1\)"),
        (("torch.SGD", 0.1), {"nesterov": True}, ValueError, "needs a momentum"),
        (("torch.SGD", 0.1), {"nesterov": True, "momentum": 0.9, "dampening": 0.5}, ValueError, "no dampening"),
        (("torch.Adagrad", 0.1), {"lr_decay": -1.0}, ValueError, "lr_decay must be ≥ 0"),
        (("torch.AdamW", 0.1), {"weight_decay": -1.0}, ValueError, "weight_decay must be ≥ 0"),
        (("keras.Adam", 0.1), {"clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "in one way at most"),
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
