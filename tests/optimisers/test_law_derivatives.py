"""Derivatives of a short training by gradients and all continuous hyperparameters, one coordinate's gradient 0."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import optimisers
from tests import laws

pytestmark = pytest.mark.rounding(quickly=True)

# Where the derivative is taken: inside every range, far from ties. 0.5 for a hyperparameter that is not listed.
VALUES = {
    "b1": 0.6,
    "b2": 0.8,
    "decay": 0.8,
    "dampening": 0.3,
    "eps": 0.3,
    "eps_root": 0.2,
    "initial_accumulator": 0.2,
    "initial_mean_square": 0.2,
    "momentum": 0.7,
    "rho": 0.8,
    "weight_decay": 0.1,
}
# Python numbers on purpose: they choose a branch, or are taken apart in double precision.
NOT_CONTINUOUS = {("radam", "b2"), ("radam", "threshold"), ("nadam", "momentum_decay")}
OUTSIDE = {"learning_rate_inside": False}
# (rule, what stays fixed): every rule, and those of its forms that have another derivative
FORMS = [(rule, {"b2": 0.8, "threshold": 4.0} if rule == "radam" else {}) for rule in optimisers.TABLE] + [
    ("momentum", OUTSIDE),
    ("nesterov", OUTSIDE),
    ("adagrad", {"eps_inside": True}),
    ("rmsprop", OUTSIDE | {"eps_inside": False, "centred": True, "bias_correction": True}),
    ("adam", {"eps_hat": True}),
    ("adamax", {"eps_inside": False}),
    ("amsgrad", {"maximum": "raw", "eps_hat": True}),
    ("amsgrad", {"maximum": "paper"}),
    ("nadam", {"momentum_decay": np.inf}),
]


def continuous(rule):
    """The names of its hyperparameters that derivatives can be taken by, the learning rate apart."""
    _, *parameters = inspect.signature(optimisers.get(rule)).parameters.values()
    return [p.name for p in parameters if isinstance(p.default, float) and (rule, p.name) not in NOT_CONTINUOUS]


INSIDE = [(rule, fixed, {name: VALUES.get(name, 0.5) for name in continuous(rule)}) for rule, fixed in FORMS]
STEPS = 6


def end(name, fixed, hyperparameters, grads, p):
    """A weighted sum of the parameters and the state after all steps."""
    optimiser = optimisers.get(name)(**fixed, **hyperparameters)

    def step(carry, g):
        p, state = carry
        updates, state = optimiser.update(g, state, p)
        return (p + updates, state), None

    (p, _), _ = jax.lax.scan(step, (p, optimiser.init(p)), grads)
    return p @ jnp.arange(1.0, 5.0)


def setting():
    rng = np.random.default_rng(17)
    grads = rng.normal(size=(STEPS, 4)) + np.array([0.0, 1.0, -1.0, 0.0])
    return jnp.asarray(grads).at[:, 0].set(0), jnp.asarray([0.0, 0.7, -1.3, 2.0])


@pytest.mark.slow
def test_derivatives_are_those_of_differences(x64):
    """By hyperparameters one by one, and by the gradients in one direction; θ₁ and its gradients are 0 throughout."""
    grads, p = setting()
    direction = jnp.asarray(np.random.default_rng(18).normal(size=grads.shape)).at[:, 0].set(0)
    h = 1e-5

    def all_of_it(grads):
        out = []
        for name, fixed, inside in INSIDE:
            names = ["learning_rate", *inside]

            def value(z, name=name, fixed=fixed, names=names):
                return end(name, fixed, dict(zip(names, z[:-1], strict=True)), grads + z[-1] * direction, p)

            z = jnp.asarray([0.1, *inside.values(), 0.0])
            moved = z + h * jnp.concatenate([jnp.eye(len(z)), -jnp.eye(len(z))])
            plus, minus = jnp.split(jax.vmap(value)(moved), 2)
            out.append((jax.grad(value)(z), (plus - minus) / (2 * h)))
        return out

    for (name, fixed, inside), (exact, difference) in zip(INSIDE, jax.jit(all_of_it)(grads), strict=True):
        # Central differences err by h² times a third derivative, and by 1e-16 / h.
        np.testing.assert_allclose(exact, difference, rtol=1e-7, atol=1e-8, err_msg=f"{name} {fixed}")
        if name != "lion":  # whose steps have a constant size
            zero = [n for n, x in zip(["learning_rate", *inside, "gradients"], exact, strict=True) if abs(x) < 1e-4]
            assert zero == [], name


@pytest.mark.slow
def test_derivatives_at_the_edge_are_finite():
    """At the defaults, with every constant that may be 0 at 0, where roots and ratios are taken of nothing; float32."""
    grads, p = setting()
    grads, p = grads.astype(jnp.float32), p.astype(jnp.float32)

    def all_of_it(grads):
        out = []
        for name, fixed, inside in INSIDE:
            defaults = inspect.signature(optimisers.get(name)).parameters
            edge = {
                n: 0.0 if n in MAY_BE_ZERO and (name, n) != ("adadelta", "eps") else defaults[n].default for n in inside
            }
            edge = {n: jnp.asarray(x) for n, x in ({"learning_rate": 0.1} | edge).items()}
            out.append(jax.grad(partial(end, name, fixed), argnums=(0, 1, 2))(edge, grads, p))
        return out

    for (name, fixed, _), derivatives in zip(INSIDE, jax.jit(all_of_it)(grads), strict=True):
        assert laws.finite(derivatives), (name, fixed, derivatives)


MAY_BE_ZERO = {"eps", "eps_root", "weight_decay", "momentum", "dampening", "initial_accumulator", "initial_mean_square"}


RATES_AT_ZERO = [
    (rule, fixed, {"b1": 0.0}) for rule, fixed in FORMS[: len(optimisers.TABLE)] if "b1" in continuous(rule)
] + [
    ("adam", {}, {"b1": 0.0, "b2": 0.5}),
    ("adam", {}, {"b1": 0.5, "b2": 0.0}),
    ("rmsprop", {"bias_correction": True, "eps": 0.3}, {"decay": 0.0}),
    ("rmsprop", {}, {"decay": 0.0}),
    ("adadelta", {}, {"rho": 0.0}),
    ("momentum", {}, {"momentum": 0.0}),
]


@pytest.mark.slow
def test_derivatives_by_a_rate_of_zero(x64):
    """0 belongs to every range; differences from there to one side, of the second order."""
    grads, p = setting()
    h = 1e-5

    def all_of_it(grads):
        out = []
        for name, fixed, rates in RATES_AT_ZERO:

            def value(change, name=name, fixed=fixed, rates=rates):
                moved = {key: jnp.asarray(x) + (change if x == 0 else 0) for key, x in rates.items()}
                return end(name, fixed, {"learning_rate": 0.1} | moved, grads, p)

            low, middle, high = jax.vmap(value)(h * jnp.arange(3.0))
            out.append((jax.grad(value)(0.0), (4 * middle - 3 * low - high) / (2 * h)))
        return out

    ends = jax.jit(all_of_it)(grads)
    gaps = {case: exact - side for case, (exact, side) in enumerate(ends)}
    assert {(case, RATES_AT_ZERO[case][0]): float(gap) for case, gap in gaps.items() if not abs(gap) < 1e-4} == {}
