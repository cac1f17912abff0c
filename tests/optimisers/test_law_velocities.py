"""Momentum on quadratics, where it is a power of a matrix; its two conventions; and the look-ahead of the book."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import optimisers
from jaxnn.optimisers import preset
from tests import laws

pytestmark = pytest.mark.rounding(quickly=True)

ETA, ALPHA, STEPS = 0.05, 0.8, 100
CURVATURES = np.array([0.0, 1e-3, 0.5, 1.0, 7.0, 30.0])  # the last oscillates: η h = 1.5
HEAVY = {
    "momentum": partial(optimisers.momentum, momentum=ALPHA),
    "momentum, rate outside": partial(optimisers.momentum, momentum=ALPHA, learning_rate_inside=False),
    "optax.sgd": partial(preset, "optax.sgd", momentum=ALPHA),
    "torch.SGD": partial(preset, "torch.SGD", momentum=ALPHA),
    "keras.SGD": partial(preset, "keras.SGD", momentum=ALPHA),
    "goodfellow.momentum": partial(preset, "goodfellow.momentum", alpha=ALPHA),
    "sklearn.sgd": partial(preset, "sklearn.sgd", momentum=ALPHA, nesterovs_momentum=False),
}
AHEAD = {
    "nesterov": partial(optimisers.nesterov, momentum=ALPHA),
    "nesterov, rate outside": partial(optimisers.nesterov, momentum=ALPHA, learning_rate_inside=False),
    "optax.sgd, nesterov": partial(preset, "optax.sgd", momentum=ALPHA, nesterov=True),
    "torch.SGD, nesterov": partial(preset, "torch.SGD", momentum=ALPHA, nesterov=True),
    "keras.SGD, nesterov": partial(preset, "keras.SGD", momentum=ALPHA, nesterov=True),
    "goodfellow.nesterov": partial(preset, "goodfellow.nesterov", alpha=ALPHA),
    "sklearn.sgd, nesterov": partial(preset, "sklearn.sgd", momentum=ALPHA),
}
NONE = {"sgd": optimisers.sgd, "goodfellow.sgd": partial(preset, "goodfellow.sgd")}


def descended(makes, gradient, p, rates):
    """The parameters after each step of every optimiser, on a gradient function; one program."""

    def path(make):
        optimiser = make(lambda step: jnp.asarray(rates)[step])

        def step(carry, _):
            p, state = carry
            updates, state = optimiser.update(gradient(p), state, p)
            return (p + updates, state), p + updates

        return jax.lax.scan(step, (p, optimiser.init(p)), length=len(rates))[1]

    return jax.tree.map(np.asarray, jax.jit(lambda: {name: path(make) for name, make in makes.items()})())


def powers(matrix, start):
    """The first coordinate of Mᵗ (start), t = 1 … STEPS."""
    return np.array([(np.linalg.matrix_power(matrix, t) @ start)[0] for t in range(1, STEPS + 1)])


def test_quadratics(x64):
    """J = ½ θᵀHθ, H of full rank but one: along each eigenvector θₜ and θₜ₋₁ are a 2×2 matrix times the two before.

    Nesterov's rule is in the look-ahead point φ. Before its first step lies φ₀ / (1 - ηh), where the velocity is 0.
    """
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    hessian = axes * CURVATURES @ axes.T
    start = np.linspace(1, 2, 6)
    paths = descended(HEAVY | AHEAD | NONE, lambda p: hessian @ p, jnp.asarray(axes @ start), np.full(STEPS, ETA))
    expected = {"heavy": [], "ahead": [], "none": []}
    for h, x in zip(CURVATURES, start, strict=True):
        kept = 1 - ETA * h
        expected["none"].append(kept ** np.arange(1, STEPS + 1) * x)
        expected["heavy"].append(powers(np.array([[ALPHA + kept, -ALPHA], [1, 0]]), np.array([x, x])))
        matrix = np.array([[(1 + ALPHA) * kept, -ALPHA * kept], [1, 0]])
        expected["ahead"].append(powers(matrix, np.array([x, x / kept])))
    gaps = {}
    for kind, makes in (("heavy", HEAVY), ("ahead", AHEAD), ("none", NONE)):
        gaps |= {name: laws.apart(paths[name] @ axes, np.stack(expected[kind], axis=1)) for name in makes}
    assert {name: gap for name, gap in gaps.items() if not gap < 1e-12} == {}
    assert np.abs(expected["heavy"][-1][-1]) < 1e-3  # H's largest curvature is not on the edge of divergence


INSIDE_OUTSIDE = {
    name: [partial(rule, learning_rate_inside=inside, **keywords) for inside in (True, False)]
    for name, rule, keywords in (
        ("momentum", optimisers.momentum, {"momentum": ALPHA}),
        ("nesterov", optimisers.nesterov, {"momentum": ALPHA}),
        ("rmsprop", optimisers.rmsprop, {"momentum": ALPHA}),
    )
}
CONVENTIONS = laws.Zoo({(n, side): pair[side] for n, pair in INSIDE_OUTSIDE.items() for side in (0, 1)})


def test_the_rate_inside_is_the_rate_outside_while_it_is_constant(x64):
    p, grads = laws.plain(seed=13, dtype=np.float64, steps=20)
    constant = CONVENTIONS.follow(p, grads, np.full_like(laws.RATES, ETA))
    changing = CONVENTIONS.follow(p, grads)
    once = CONVENTIONS.follow(p, grads, np.where(np.arange(len(laws.RATES)) < 10, ETA, 2 * ETA))
    for name in INSIDE_OUTSIDE:
        assert laws.apart(constant[name, 0].updates, constant[name, 1].updates) < 1e-13
        assert laws.apart(changing[name, 0].updates, changing[name, 1].updates) > 0.1
        gaps = [laws.apart(*(laws.at(once[name, side].updates, t) for side in (0, 1))) for t in range(20)]
        assert max(gaps[:10]) < 1e-13  # until the rate changes
        assert gaps[10] > 0.01


@pytest.mark.parametrize("name", ["momentum", "rmsprop"])
def test_a_momentum_that_follows_the_rate_maps_one_on_the_other(name, x64):
    """The rate outside with α is the rate inside with αₜ = α ηₜ / ηₜ₋₁."""
    p, grads = laws.plain(seed=14, dtype=np.float64)
    rule, rates = optimisers.get(name), jnp.asarray(laws.RATES)
    outside = rule(lambda step: rates[step], momentum=ALPHA, learning_rate_inside=False)

    def both(carry, g):
        (state_in, state_out), t = carry
        before = jnp.where(t > 0, rates[t - 1], rates[t])
        inside = rule(lambda step: rates[step], momentum=ALPHA * rates[t] / before)
        u_in, state_in = inside.update(g, state_in, p)
        u_out, state_out = outside.update(g, state_out, p)
        return ((state_in, state_out), t + 1), (u_in, u_out)

    start = rule(0.1, momentum=jnp.asarray(ALPHA)).init(p)
    ours, theirs = jax.jit(lambda: jax.lax.scan(both, ((start, outside.init(p)), 0), grads)[1])()
    assert laws.apart(ours, theirs) < 1e-12


def gradient(p):
    """Of a bounded, bent J that is no quadratic."""
    mix = jnp.asarray(np.random.default_rng(1).normal(size=(4, 4)))
    return jax.grad(lambda p: jnp.sum(jnp.log(jnp.cosh(mix @ p))) + 0.1 * jnp.sum(jnp.sin(3 * p)))(p)


def box(rates, rho=None):
    """Algorithms 8.3 and, with ρ, 8.6 of Goodfellow et al.: the gradient at the look-ahead, the parameters apart.

    Yields the point where the next gradient will be taken.
    """
    at = jax.jit(gradient)
    theta, v, r = np.linspace(-1, 1, 4), np.zeros(4), np.zeros(4)
    for rate in rates:
        g = np.asarray(at(theta + ALPHA * v))
        if rho is not None:
            r = rho * r + (1 - rho) * g * g
            g = g / np.sqrt(r)
        v = ALPHA * v - rate * g
        theta = theta + v
        yield theta + ALPHA * v


def test_nesterov_looks_ahead_as_the_book_does(x64):
    """Our parameters are the book's θ + αv, on a gradient function and while the rate changes."""
    rates = laws.rates_of(15, 30)
    makes = AHEAD | {"8.6": partial(preset, "goodfellow.rmsprop_nesterov", alpha=ALPHA)} | HEAVY
    paths = descended(makes, gradient, jnp.linspace(-1, 1, 4), rates)
    book, book_rms = np.stack(list(box(rates))), np.stack(list(box(rates, rho=0.9)))
    for name in ("nesterov", "keras.SGD, nesterov", "goodfellow.nesterov", "sklearn.sgd, nesterov"):
        assert laws.apart(paths[name], book) < 1e-12
    assert laws.apart(paths["8.6"], book_rms) < 1e-12
    for name in ("momentum", "nesterov, rate outside", "torch.SGD, nesterov"):
        assert laws.apart(paths[name], book) > 1e-3
