"""Every rule against its paper's formula in 60 digits, and Adam in float32 against extended precision.

The oracles are generators over one number: `gradient(t, theta)` and `rate(t)`, t = 1, 2, …, give what a step needs, and
the parameter after each step comes out. They share nothing with jaxnn, not even a helper.
"""

import math
from functools import partial
from itertools import count, islice

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from mpmath import mp, mpf

from benchmarks import accuracy
from jaxnn import optimisers

STEPS, COORDINATES = 50, 3


@pytest.fixture(autouse=True)
def sixty_digits():
    with mp.workdps(60):
        yield


def sgd(theta, gradient, rate):
    for t in count(1):
        theta = theta - rate(t) * gradient(t, theta)
        yield theta


def polyak(theta, gradient, rate, alpha, ahead=False):
    v = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        v = alpha * v - rate(t) * g
        theta = theta + (alpha * v - rate(t) * g if ahead else v)
        yield theta


def torch_momentum(theta, gradient, rate, alpha, dampening=0, ahead=False):
    v = None
    for t in count(1):
        g = gradient(t, theta)
        v = g if v is None else alpha * v + (1 - dampening) * g
        theta = theta - rate(t) * (g + alpha * v if ahead else v)
        yield theta


def adagrad(theta, gradient, rate, eps, r=0, inside=False):
    for t in count(1):
        g = gradient(t, theta)
        r = r + g * g
        theta = theta - rate(t) * g / (mp.sqrt(r + eps) if inside else mp.sqrt(r) + eps)
        yield theta


def rmsprop(theta, gradient, rate, rho, eps, r=0, inside=True, centred=False, corrected=False):
    c = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        r = rho * r + (1 - rho) * g * g
        c = rho * c + (1 - rho) * g
        bias = 1 - rho**t if corrected else 1
        spread = r / bias - (c / bias) ** 2 if centred else r / bias
        theta = theta - rate(t) * g / (mp.sqrt(spread + eps) if inside else mp.sqrt(spread) + eps)
        yield theta


def rmsprop_momentum(theta, gradient, rate, rho, eps, alpha, rate_inside):
    r = v = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        r = rho * r + (1 - rho) * g * g
        d = g / mp.sqrt(r + eps)
        if rate_inside:
            v = alpha * v - rate(t) * d
            theta = theta + v
        else:
            v = alpha * v + d
            theta = theta - rate(t) * v
        yield theta


def adadelta(theta, gradient, rate, rho, eps):
    r = x = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        r = rho * r + (1 - rho) * g * g
        d = mp.sqrt(x + eps) / mp.sqrt(r + eps) * g
        x = rho * x + (1 - rho) * d * d
        theta = theta - rate(t) * d
        yield theta


def adam(theta, gradient, rate, b1, b2, eps, hat=False, root=0, decay=0):
    m = v = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        if hat:
            step = mp.sqrt(1 - b2**t) / (1 - b1**t) * m / (mp.sqrt(v) + eps)
        else:
            step = m / (1 - b1**t) / (mp.sqrt(v / (1 - b2**t) + root) + eps)
        theta = theta - rate(t) * (step + decay * theta)
        yield theta


def adamax(theta, gradient, rate, b1, b2, eps, inside=True):
    m = u = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        u = max(b2 * u, abs(g) + (eps if inside else 0))
        theta = theta - rate(t) / (1 - b1**t) * m / (u if inside else u + eps)
        yield theta


def amsgrad(theta, gradient, rate, b1, b2, eps, maximum, hat=False, root=0):
    m = v = u = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        if maximum == "corrected":
            u = max(u, v / (1 - b2**t))
            step = m / (1 - b1**t) / (mp.sqrt(u + root) + eps)
        else:
            u = max(u, v)
            paper = m / (mp.sqrt(u + root) + eps)
            raw = m / (1 - b1**t) / (mp.sqrt(u / (1 - b2**t) + root) + (eps / mp.sqrt(1 - b2**t) if hat else eps))
            step = paper if maximum == "paper" else raw
        theta = theta - rate(t) * step
        yield theta


def nadam(theta, gradient, rate, b1, b2, eps, psi, root=0):
    def mu(t):
        return b1 if psi == math.inf else b1 * (1 - mpf("0.5") * mpf("0.96") ** (t * psi))

    m, v, product = mpf(0), mpf(0), mpf(1)
    for t in count(1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        product = product * mu(t)
        m_bar = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        theta = theta - rate(t) * m_bar / (mp.sqrt(v / (1 - b2**t) + root) + eps)
        yield theta


def radam(theta, gradient, rate, b1, b2, eps, threshold=5, hat=False, root=0):
    m = v = mpf(0)
    longest = 2 / (1 - b2) - 1
    for t in count(1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        length = longest - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - b1**t)
        if length > threshold:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            epsilon = eps / mp.sqrt(1 - b2**t) if hat else eps
            step = mp.sqrt(r) * step / (mp.sqrt(v / (1 - b2**t) + root) + epsilon)
        theta = theta - rate(t) * step
        yield theta


def lion(theta, gradient, rate, b1, b2, decay=0):
    m = mpf(0)
    for t in count(1):
        g = gradient(t, theta)
        theta = theta - rate(t) * (mp.sign(b1 * m + (1 - b1) * g) + decay * theta)
        m = b2 * m + (1 - b2) * g
        yield theta


# The numbers are floats on both sides, so that mpf(0.999) is what jaxnn is given and not 999/1000.
A, R, B1, B2, E = (mpf(x) for x in (0.9, 0.95, 0.8, 0.99, 1e-3))
MOMENTS = {"b1": 0.8, "b2": 0.99, "eps": 1e-3}
AVERAGE = {"decay": 0.95, "eps": 1e-3}
adam_like = partial(adam, b1=B1, b2=B2, eps=E)
amsgrad_like = partial(amsgrad, b1=B1, b2=B2, eps=E)
nadam_like = partial(nadam, b1=B1, b2=B2, eps=E)
radam_like = partial(radam, b1=B1, b2=B2, eps=E)
rms_like = partial(rmsprop, rho=R, eps=E)
RULES = [
    ("sgd", {}, sgd),
    ("momentum", {"momentum": 0.9}, partial(polyak, alpha=A)),
    ("momentum", {"momentum": 0.9, "learning_rate_inside": False}, partial(torch_momentum, alpha=A)),
    (
        "momentum",
        {"momentum": 0.9, "learning_rate_inside": False, "dampening": 0.25},
        partial(torch_momentum, alpha=A, dampening=mpf(0.25)),
    ),
    ("nesterov", {"momentum": 0.9}, partial(polyak, alpha=A, ahead=True)),
    ("nesterov", {"momentum": 0.9, "learning_rate_inside": False}, partial(torch_momentum, alpha=A, ahead=True)),
    ("adagrad", {"eps": 1e-3}, partial(adagrad, eps=E)),
    (
        "adagrad",
        {"eps": 1e-3, "eps_inside": True, "initial_accumulator": 0.25},
        partial(adagrad, eps=E, inside=True, r=mpf(0.25)),
    ),
    ("rmsprop", AVERAGE, rms_like),
    ("rmsprop", AVERAGE | {"eps_inside": False}, partial(rms_like, inside=False)),
    ("rmsprop", AVERAGE | {"centred": True}, partial(rms_like, centred=True)),
    ("rmsprop", AVERAGE | {"bias_correction": True}, partial(rms_like, corrected=True)),
    (
        "rmsprop",
        AVERAGE | {"centred": True, "initial_mean_square": 0.25, "bias_correction": True},
        partial(rms_like, centred=True, r=mpf(0.25), corrected=True),
    ),
    ("rmsprop", AVERAGE | {"momentum": 0.9}, partial(rmsprop_momentum, rho=R, eps=E, alpha=A, rate_inside=True)),
    (
        "rmsprop",
        AVERAGE | {"momentum": 0.9, "learning_rate_inside": False},
        partial(rmsprop_momentum, rho=R, eps=E, alpha=A, rate_inside=False),
    ),
    ("adadelta", {"rho": 0.95, "eps": 1e-3}, partial(adadelta, rho=R, eps=E)),
    ("adam", MOMENTS, adam_like),
    ("adam", MOMENTS | {"eps_hat": True}, partial(adam_like, hat=True)),
    ("adam", MOMENTS | {"eps_root": 0.5}, partial(adam_like, root=mpf(0.5))),
    ("adamw", MOMENTS | {"weight_decay": 0.3}, partial(adam_like, decay=mpf(0.3))),
    ("adamax", MOMENTS, partial(adamax, b1=B1, b2=B2, eps=E)),
    ("adamax", MOMENTS | {"eps_inside": False}, partial(adamax, b1=B1, b2=B2, eps=E, inside=False)),
    ("amsgrad", MOMENTS, partial(amsgrad_like, maximum="corrected")),
    ("amsgrad", MOMENTS | {"maximum": "raw"}, partial(amsgrad_like, maximum="raw")),
    ("amsgrad", MOMENTS | {"maximum": "raw", "eps_hat": True}, partial(amsgrad_like, maximum="raw", hat=True)),
    ("amsgrad", MOMENTS | {"maximum": "paper", "eps_root": 0.5}, partial(amsgrad_like, maximum="paper", root=mpf(0.5))),
    ("nadam", MOMENTS, partial(nadam_like, psi=mpf(0.004))),
    ("nadam", MOMENTS | {"momentum_decay": 1.0}, partial(nadam_like, psi=mpf(1))),
    (
        "nadam",
        MOMENTS | {"momentum_decay": math.inf, "eps_root": 0.5},
        partial(nadam_like, psi=math.inf, root=mpf(0.5)),
    ),
    ("radam", MOMENTS, radam_like),
    ("radam", MOMENTS | {"b2": 0.9995, "threshold": 4.0}, partial(radam_like, b2=mpf(0.9995), threshold=4)),
    ("radam", MOMENTS | {"b2": 0.9, "eps_hat": True}, partial(radam_like, b2=mpf(0.9), hat=True)),
    ("radam", MOMENTS | {"eps_root": 0.5}, partial(radam_like, root=mpf(0.5))),
    ("lion", {"b1": 0.8, "b2": 0.99}, partial(lion, b1=B1, b2=B2)),
    ("lion", {"b1": 0.8, "b2": 0.99, "weight_decay": 0.3}, partial(lion, b1=B1, b2=B2, decay=mpf(0.3))),
]
PLAIN = {name: (name, keywords, oracle) for name, keywords, oracle in reversed(RULES)}


def rate(step):
    return 0.0625 / (1 + step % 5)


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=COORDINATES), rng.normal(size=(STEPS, COORDINATES)) * 10 ** rng.uniform(-2, 1, COORDINATES)


def ours(optimiser, theta, grads):
    def step(carry, g):
        theta, state = carry
        updates, state = optimiser.update(g, state, theta)
        return (theta + updates, state), theta + updates

    theta = jnp.asarray(theta)
    return np.asarray(jax.jit(lambda: jax.lax.scan(step, (theta, optimiser.init(theta)), grads)[1])())


def exact(oracle, theta, grads, penalty=0.0, sign=1):
    def path(start, gs):
        def gradient(t, theta):
            return sign * mpf(gs[t - 1]) + mpf(penalty) * theta

        return [float(x) for x in islice(oracle(mpf(start), gradient, lambda t: mpf(rate(t - 1))), STEPS)]

    return np.array([path(*coordinate) for coordinate in zip(theta, grads.T, strict=True)]).T


def assert_exact(path, expected):
    size = np.abs(expected).max(axis=0)
    assert np.max(np.abs(path - expected) / size) <= 1e-13


@pytest.mark.parametrize(("name", "keywords", "oracle"), RULES, ids=[f"{n}-{'-'.join(k)}" for n, k, _ in RULES])
def test_the_formula(name, keywords, oracle, x64):
    theta, grads = data()
    optimiser = optimisers.get(name)(rate, **keywords)
    assert_exact(ours(optimiser, theta, grads), exact(oracle, theta, grads))


@pytest.mark.parametrize(("name", "keywords", "oracle"), PLAIN.values(), ids=list(PLAIN))
def test_the_formula_with_the_other_sign_and_a_penalty(name, keywords, oracle, x64):
    theta, grads = data(1)
    penalty = 0.0 if name in ("adamw", "lion") else 0.5  # those two decay decoupled, which the cases above have
    optimiser = optimisers.get(name)(rate, **keywords, maximise=True, **({"weight_decay": penalty} if penalty else {}))
    assert_exact(ours(optimiser, theta, grads), exact(oracle, theta, grads, penalty, sign=-1))


def test_every_rule_has_an_oracle():
    assert set(PLAIN) == set(optimisers.TABLE)


@pytest.mark.parametrize("b2", [0.9, 0.999, 0.9999])
def test_radam_in_float32_at_every_step(b2):
    """Where optax is wrong by half: ρₜ is the difference of two numbers near 2 / (1 - β₂)."""
    grads = np.ones((1000, 1), np.float32)
    optimiser = optimisers.radam(1.0, b1=0.0, b2=b2, eps=0.0)
    steps = -np.diff(ours(optimiser, np.zeros(1, np.float32), grads)[:, 0].astype(np.float64), prepend=0.0)
    oracle = radam(mpf(0), lambda t, theta: mpf(1), lambda t: mpf(1), mpf(0), mpf(b2), mpf(0))
    path = np.array([float(x) for x in islice(oracle, 1000)])
    # the steps are read off a float32 parameter, whose rounding is half a spacing of its largest value on either side
    assert np.abs(steps + np.diff(path, prepend=0.0)).max() <= np.spacing(np.float32(np.abs(path).max())) + 2e-6


def test_adam_in_float32_is_nearer_the_truth_than_optax():
    grads = accuracy.gradients()
    truth = accuracy.exact(grads)
    ours, best = (np.array(accuracy.median_ulps(f(grads), truth)) for f in (accuracy.ours, accuracy.floor))
    theirs = accuracy.followed(
        optax.adam(accuracy.LEARNING_RATE, b1=accuracy.B1, b2=accuracy.B2, eps=accuracy.EPS), grads
    )
    assert (10 * ours < accuracy.median_ulps(theirs, truth)).all()
    assert (ours < 1.5 * best).all()  # what is left is the rounding of the parameters and moments themselves
