"""Rules that become one another: bit for bit where nothing is left to round, else to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import optimisers
from jaxnn.optimisers import preset
from jaxnn.types import Optimiser
from tests import laws

pytestmark = pytest.mark.rounding(quickly=True)

ZERO = jnp.zeros((), jnp.float32)  # a zero that no rule can see before it runs


def rule(name, **keywords):
    return lambda rate: optimisers.get(name)(rate, **keywords)


def other(name, **keywords):
    return lambda rate: preset(name, rate, **keywords)


def louder(make, factor):
    """The rule at a rate so many times as large."""
    return lambda rate: make(lambda step: rate(step) * factor)


def sign_descent(rate):
    """θ ← θ - η sign g."""

    def update(g, step, params=None):
        return jax.tree.map(lambda g: -rate(step) * jnp.sign(g), g), step + 1

    return Optimiser(lambda params: jnp.zeros((), jnp.int32), update)


BITWISE = {
    "momentum 0 is SGD": (rule("momentum", momentum=0.0), rule("sgd")),
    "momentum 0 is SGD, unseen": (rule("momentum", momentum=ZERO), rule("sgd")),
    "momentum 0 is SGD, rate outside": (rule("momentum", momentum=0.0, learning_rate_inside=False), rule("sgd")),
    "Nesterov 0 is SGD": (rule("nesterov", momentum=0.0), rule("sgd")),
    "Nesterov 0 is SGD, rate outside": (rule("nesterov", momentum=0.0, learning_rate_inside=False), rule("sgd")),
    "dampening 0 is none": (rule("momentum", dampening=ZERO), rule("momentum")),
    "AdamW without decay is Adam": (rule("adamw", weight_decay=0.0), rule("adam")),
    "AdamW without decay is Adam, unseen": (rule("adamw", weight_decay=ZERO), rule("adam")),
    "Lion without decay": (rule("lion", weight_decay=ZERO), rule("lion")),
    "RMSProp without momentum": (rule("rmsprop", momentum=ZERO), rule("rmsprop")),
    "RMSProp without momentum, rate outside": (
        rule("rmsprop", momentum=ZERO, learning_rate_inside=False),
        rule("rmsprop"),
    ),
    "Adam, no constant under the root": (rule("adam", eps_root=ZERO), rule("adam")),
    "AdaGrad, ε = 0 in or out": (rule("adagrad", eps=0.0, eps_inside=True), rule("adagrad", eps=0.0)),
    "RMSProp, ε = 0 in or out": (rule("rmsprop", eps=0.0, eps_inside=False), rule("rmsprop", eps=0.0)),
    "AdaMax, ε = 0 in or out": (rule("adamax", eps=0.0, eps_inside=False), rule("adamax", eps=0.0)),
    "optax.sgd without momentum": (other("optax.sgd", momentum=0.0), other("optax.sgd")),
    "optax.sgd without Nesterov's": (other("optax.sgd", momentum=0.0, nesterov=True), other("optax.sgd")),
    "optax.rmsprop without momentum": (other("optax.rmsprop", momentum=0.0), other("optax.rmsprop")),
    "optax.adamw without decay": (other("optax.adamw", weight_decay=ZERO), other("optax.adam")),
    "optax.nadamw without decay": (other("optax.nadamw", weight_decay=ZERO), other("optax.nadam")),
    "optax.adamaxw without decay": (other("optax.adamaxw", weight_decay=ZERO), other("optax.adamax")),
    "optax.adadelta without decay": (other("optax.adadelta", weight_decay=ZERO), other("optax.adadelta")),
    "optax.lion without decay": (other("optax.lion", weight_decay=ZERO), rule("lion")),
    "torch.SGD without momentum": (other("torch.SGD", momentum=ZERO), other("torch.SGD")),
    "torch.AdamW without decay": (other("torch.AdamW", weight_decay=ZERO), other("torch.Adam")),
    "torch.NAdam, decoupled decay of 0": (
        other("torch.NAdam", weight_decay=ZERO, decoupled_weight_decay=True),
        other("torch.NAdam"),
    ),
    "torch.Adagrad, a rate that does not fall": (other("torch.Adagrad", lr_decay=ZERO), other("torch.Adagrad")),
    "keras.SGD without momentum": (other("keras.SGD", momentum=ZERO), other("keras.SGD")),
    "keras.AdamW without decay": (other("keras.AdamW", weight_decay=ZERO), other("keras.Adam")),
    "keras.Adam, clipped beyond reach": (other("keras.Adam", clipnorm=1e9), other("keras.Adam")),
    "keras.Lion, clipped beyond reach": (other("keras.Lion", clipvalue=1e9), other("keras.Lion")),
    "sklearn.sgd without momentum": (other("sklearn.sgd", momentum=0.0), rule("sgd")),
} | {
    f"{name} without an L2 penalty": (rule(name, weight_decay=ZERO), rule(name))
    for name in optimisers.TABLE
    if name not in laws.DECOUPLED_RULES
}

HUGE = 2.0**200
TO_ROUNDING = {
    "Adam(β₁ = 0) is RMSProp, corrected": (
        rule("adam", b1=0.0, b2=0.9, eps=0.3),
        rule("rmsprop", decay=0.9, eps=0.3, eps_inside=False, bias_correction=True),
    ),
    "Adam(β₁ = 0) is RMSProp, corrected, under the root": (
        rule("adam", b1=0.0, b2=0.9, eps=0.0, eps_root=0.3),
        rule("rmsprop", decay=0.9, eps=0.3, bias_correction=True),
    ),
    "RMSProp of one gradient is sign descent": (rule("rmsprop", decay=0.0, eps=0.0), sign_descent, "growing"),
    "Adam of one gradient is sign descent": (rule("adam", b1=0.0, b2=0.0, eps=0.0), sign_descent, "growing"),
    "AdaMax of one gradient is sign descent": (rule("adamax", b1=0.0, b2=0.0, eps=0.0), sign_descent, "growing"),
    "Adam of one gradient, ε → 0": (rule("adam", b1=0.0, b2=0.0, eps=1e-300), sign_descent, "growing"),
    "Lion of one gradient is sign descent": (rule("lion", b1=0.0, b2=0.0), sign_descent),
    "AMSGrad of one gradient, growing": (rule("amsgrad", b1=0.0, b2=0.0, eps=0.0), sign_descent, "growing"),
    "AMSGrad is Adam while gradients grow": (rule("amsgrad", eps=0.3), rule("adam", eps=0.3), "growing"),
    "AMSGrad is Adam while gradients grow, raw": (
        rule("amsgrad", maximum="raw", eps=0.3),
        rule("adam", eps=0.3),
        "growing",
    ),
    "Nadam without momentum is Adam": (rule("nadam", b1=0.0, eps=0.3), rule("adam", b1=0.0, eps=0.3)),
    "Nadam's momentum is constant in the end": (
        rule("nadam", momentum_decay=1e6, eps=0.3),
        rule("nadam", momentum_decay=np.inf, eps=0.3),
    ),
    "AdaMax(β₂ = 0) is Adam(β₂ = 0)": (rule("adamax", b2=0.0, eps=0.3), rule("adam", b2=0.0, eps=0.3)),
    "AdaDelta, ε → ∞, is SGD": (rule("adadelta", eps=HUGE), rule("sgd")),
    "AdaGrad far along is SGD": (louder(rule("adagrad", initial_accumulator=HUGE), 2.0**100), rule("sgd")),
    "AdaGrad, ε → ∞, is SGD": (louder(rule("adagrad", eps=HUGE), HUGE), rule("sgd")),
    "RMSProp, ε → ∞, is SGD": (louder(rule("rmsprop", eps=HUGE), 2.0**100), rule("sgd")),
    "RMSProp, ε → ∞, is momentum": (
        louder(rule("rmsprop", eps=HUGE, momentum=0.9), 2.0**100),
        rule("momentum", momentum=0.9),
    ),
    "RMSProp, ε → ∞, is momentum, rate outside": (
        louder(rule("rmsprop", eps=HUGE, momentum=0.9, learning_rate_inside=False), 2.0**100),
        rule("momentum", momentum=0.9, learning_rate_inside=False),
    ),
    "Adam(β₁ = 0), ε → ∞, is SGD": (louder(rule("adam", b1=0.0, eps=HUGE), HUGE), rule("sgd")),
    # Compiled, m / √v̂ becomes m times the reciprocal root where no ε is added, even one that is 0.
    "Adam, ε̂ = 0": (rule("adam", eps=0.0, eps_hat=True), rule("adam", eps=0.0)),
    "AMSGrad, ε̂ = 0": (rule("amsgrad", eps=0.0, eps_hat=True), rule("amsgrad", eps=0.0)),
    "RAdam, ε̂ = 0": (rule("radam", b2=0.9, eps=0.0, eps_hat=True), rule("radam", b2=0.9, eps=0.0)),
    "Adam, ε̂ and ε far below": (rule("adam", eps=1e-30, eps_hat=True), rule("adam", eps=0.0)),
}
# Where the limit or the zero is not there, the two are far apart: a pair that always agreed would prove nothing.
APART = {
    "momentum": (rule("momentum"), rule("sgd")),
    "dampening": (rule("momentum", dampening=0.5), rule("momentum")),
    "AdamW": (rule("adamw", weight_decay=0.5), rule("adam")),
    "Adam": (rule("adam", b2=0.9), rule("rmsprop", decay=0.9, eps_inside=False, bias_correction=True)),
    "AMSGrad": (rule("amsgrad"), rule("adam")),
    "AMSGrad, raw": (rule("amsgrad", b2=0.9), rule("amsgrad", b2=0.9, maximum="raw")),
    "AMSGrad, paper": (rule("amsgrad"), rule("amsgrad", maximum="paper")),
    "Nadam": (rule("nadam"), rule("adam")),
    "Nadam's decay": (rule("nadam"), rule("nadam", momentum_decay=np.inf)),
    "AdaMax": (rule("adamax"), rule("adam")),
    "ε̂": (rule("adam", eps=0.3, eps_hat=True), rule("adam", eps=0.3)),
    "rate inside": (rule("rmsprop", momentum=0.9), rule("rmsprop", momentum=0.9, learning_rate_inside=False)),
}


def zoo_of(pairs):
    return laws.Zoo({(name, side): pair[side] for name, pair in pairs.items() for side in (0, 1)})


ZOOS = {"bitwise": zoo_of(BITWISE), "to rounding": zoo_of(TO_ROUNDING), "apart": zoo_of(APART)}


@pytest.mark.parametrize("jitted", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["jitted", "eager"])
def test_bit_for_bit(jitted):
    p, grads = laws.plain(seed=6, steps=8 if jitted else 2)
    paths = ZOOS["bitwise"].follow(p, grads, jitted=jitted, moving=False)
    # Of the updates: θ + u is for XLA to contract, where it likes to, with the product that u is.
    assert laws.breaking({n: laws.is_same(paths[n, 0].updates, paths[n, 1].updates) for n in BITWISE}) == []


@pytest.mark.slow
def test_to_rounding(x64):
    """With gradients over three decades, or doubling: r + 1 (g² - r) is g² only where r is no larger."""
    p, usual = laws.plain(seed=7, dtype=np.float64)
    doubling = {"w": np.sign(usual["w"]) * 2.0 ** np.arange(laws.STEPS)[:, None, None]}
    paths = {kind: ZOOS["to rounding"].follow(p, g) for kind, g in (("usual", usual), ("growing", doubling))}
    gaps = {}
    for name, (_, _, *kind) in TO_ROUNDING.items():
        path = paths[kind[0] if kind else "usual"]
        gaps[name] = laws.apart(path[name, 0].updates, path[name, 1].updates)
    assert {n: gap for n, gap in gaps.items() if not gap < 1e-12} == {}


def test_and_only_there(x64):
    p, grads = laws.plain(seed=7, dtype=np.float64)
    paths = ZOOS["apart"].follow(p, grads)
    gaps = {n: laws.apart(paths[n, 0].updates, paths[n, 1].updates) for n in APART}
    assert {n: gap for n, gap in gaps.items() if not gap > 0.05} == {}


@pytest.mark.parametrize("b2", [0.9, 0.999, 0.9999])
def test_radam_is_adam_times_its_r(b2, x64):
    """From one state at steps far along, where the plain ρₜ loses nothing; r → 1."""
    p, grads = laws.plain(seed=8, dtype=np.float64)
    adam, radam = optimisers.adam(0.1, b2=b2, eps=0.3), optimisers.radam(0.1, b2=b2, eps=0.3)
    g, factors = laws.at(grads, 1), []
    for t in (50_000, 1_000_000):
        state = adam.init(p)._replace(
            step=jnp.asarray(t - 1, jnp.int32), mu=laws.at(grads, 0), nu=jax.tree.map(jnp.square, p)
        )
        rho_inf = 2 / (1 - b2) - 1
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        assert laws.apart(radam.update(g, state, p)[0], laws.scale(adam.update(g, state, p)[0], r)) < 1e-12
        factors.append(r)
    assert 0.8 < factors[0] <= 1
    assert 1 - factors[1] < 1e-12
