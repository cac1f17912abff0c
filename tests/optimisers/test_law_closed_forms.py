"""A constant gradient: the step at every t, in closed form, for every rule, variant and preset.

Every form gives the step in units of -η from g, t = 1, 2, … and the hyperparameters, written without a recursion.
"""

import math
from functools import partial

import numpy as np
import pytest

from tests import laws

pytestmark = pytest.mark.rounding(quickly=True)

ETA, STEPS = 2.0**-7, 20
T = np.arange(1, STEPS + 1)[:, None, None]  # steps, then the parameters' two axes


def series(alpha, t):
    """1 + α + … + αᵗ⁻¹."""
    return (1 - alpha**t) / (1 - alpha)


def sgd(g):
    return g * np.ones_like(T)


def momentum(g, alpha=0.9, damp=0.0):
    return g * (alpha ** (T - 1) + (1 - damp) * series(alpha, T - 1))


def nesterov(g, alpha=0.9):
    return g * series(alpha, T + 1)


def adagrad(g, eps=1e-7, inside=False, initial=0.0):
    r = initial + T * g**2
    return g / np.sqrt(r + eps) if inside else g / (np.sqrt(r) + eps)


def rmsprop(g, decay=0.9, eps=1e-6, inside=True, centred=False, corrected=False, alpha=0.0, ahead=False):
    g, fill = g * np.ones_like(T), 1 - decay**T
    square, mean = (g**2, g) if corrected else (g**2 * fill, g * fill)
    spread = np.maximum(square - mean**2, 0) if centred else square
    d = g / np.sqrt(spread + eps) if inside else g / (np.sqrt(spread) + eps)
    late = np.tril(np.ones((STEPS, STEPS)))
    powers = late * alpha ** (late * (T[:, 0] - T[:, 0].T))  # αᵗ⁻ˢ, s ≤ t
    v = np.einsum("ts,sij->tij", powers, d)
    return alpha * v + d if ahead else v


def adadelta(g, rho=0.9, eps=1e-6):
    return (np.sqrt(eps) / np.sqrt((1 - rho) * g**2 + eps) * g)[None]  # of the first step: later ones have no form


def adam(g, b2=0.999, eps=1e-8, hat=False, root=0.0):
    return g / (np.sqrt(g**2 + root) + (eps / np.sqrt(1 - b2**T) if hat else eps * np.ones_like(T)))


def amsgrad_paper(g, b1=0.9, b2=0.999, eps=1e-8):
    return (1 - b1**T) * g / (np.sqrt(1 - b2**T) * np.abs(g) + eps)


def nadam(g, b1=0.9, psi=0.004, eps=1e-8):
    t = np.arange(1, STEPS + 2)
    mu = b1 * (1 - 0.5 * 0.96 ** (psi * t)) if psi < math.inf else np.full(STEPS + 1, b1)
    product = np.cumprod(mu)
    mu, product = mu[:, None, None], product[:, None, None]
    m_bar = mu[1:] / (1 - product[1:]) * (1 - b1**T) + (1 - mu[:-1]) / (1 - product[:-1])
    return m_bar * g / (np.abs(g) + eps)


def radam(g, b2=0.999, eps=1e-8, hat=False):
    b2 = np.longdouble(b2)  # the plain ρₜ cancels
    longest = 2 / (1 - b2) - 1
    rho = longest - 2 * T * b2**T / (1 - b2**T)
    square = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
    return np.where(rho > 5, np.sqrt(np.maximum(square, 0)) * adam(g, b2, eps, hat), g)


def lion(g):
    return np.sign(g) * np.ones_like(T)


FORMS = {
    "sgd": sgd,
    "momentum": momentum,
    "momentum, rate outside, damped": partial(momentum, damp=0.5),
    "nesterov": nesterov,
    "nesterov, rate outside": nesterov,
    "adagrad": adagrad,
    "adagrad, eps inside": partial(adagrad, inside=True, initial=0.1),
    "adagrad, no eps": partial(adagrad, eps=0.0),
    "rmsprop": rmsprop,
    "rmsprop, eps outside": partial(rmsprop, inside=False, alpha=0.9),
    "rmsprop, no eps": partial(rmsprop, eps=0.0),
    "rmsprop, centred": partial(rmsprop, centred=True, alpha=0.9),
    "rmsprop, corrected": partial(rmsprop, centred=True, corrected=True, eps=1e-2),
    "adadelta": adadelta,
    "adam": adam,
    "adamw": adam,
    "adam, eps_hat": partial(adam, hat=True),
    "adam, no eps": partial(adam, eps=0.0),
    "adam, eps_root": partial(adam, root=1e-8),
    "adam, L2": adam,
    "adamax": adam,  # the maximum of equal numbers is their mean
    "adamax, eps outside": adam,
    "adamax, no eps": partial(adam, eps=0.0),
    "amsgrad": adam,
    "amsgrad, raw": adam,
    "amsgrad, paper": amsgrad_paper,
    "nadam": nadam,
    "nadam, constant momentum": partial(nadam, psi=math.inf),
    "nadam, no momentum": adam,
    "radam": radam,
    "radam, eps_hat": partial(radam, b2=0.9, hat=True),
    "lion": lion,
    "lion, decayed": lion,
    "optax.sgd": sgd,
    "optax.adagrad": partial(adagrad, inside=True, initial=0.1),
    "optax.rmsprop": partial(rmsprop, eps=1e-8),
    "optax.adam": adam,
    "optax.amsgrad": adam,
    "optax.adamw": adam,
    "optax.nadam": partial(nadam, psi=math.inf),
    "optax.nadamw": partial(nadam, psi=math.inf),
    "optax.adamax": adam,
    "optax.adamaxw": adam,
    "optax.adadelta": adadelta,
    "optax.radam": radam,
    "optax.lion": lion,
    "torch.SGD": sgd,
    "torch.Adagrad": partial(adagrad, eps=1e-10),
    "torch.RMSprop": partial(rmsprop, decay=0.99, eps=1e-8, inside=False),
    "torch.Adam": adam,
    "torch.AdamW": adam,
    "torch.NAdam": nadam,
    "torch.Adamax": adam,
    "torch.Adadelta": adadelta,
    "torch.RAdam": partial(radam, hat=True),
    "keras.SGD": sgd,
    "keras.Adagrad": partial(adagrad, inside=True, initial=0.1),
    "keras.RMSprop": partial(rmsprop, eps=1e-7),
    "keras.Adam": partial(adam, hat=True, eps=1e-7),
    "keras.AdamW": partial(adam, hat=True, eps=1e-7),
    "keras.Nadam": partial(nadam, psi=1.0, eps=1e-7),
    "keras.Adamax": partial(adam, eps=1e-7),
    "keras.Adadelta": partial(adadelta, rho=0.95, eps=1e-7),
    "keras.Lion": lion,
    "goodfellow.sgd": sgd,
    "goodfellow.momentum": momentum,
    "goodfellow.nesterov": nesterov,
    "goodfellow.adagrad": adagrad,
    "goodfellow.rmsprop": rmsprop,
    "goodfellow.rmsprop_nesterov": partial(rmsprop, eps=0.0, alpha=0.9, ahead=True),
    "goodfellow.adam": adam,
    "sklearn.sgd": nesterov,
    "sklearn.SGDOptimizer": nesterov,
    "sklearn.adam": partial(adam, hat=True),
    "sklearn.AdamOptimizer": partial(adam, hat=True),
}


def gap(zoo, dtype, size):
    """The largest relative difference from the closed form, by name; gradients about `size`."""
    p, grads = laws.plain(seed=5, dtype=dtype, steps=1)
    g = size * np.asarray(grads["w"][0])
    paths = zoo.follow(p, {"w": np.repeat(g[None], STEPS, 0)}, np.full_like(laws.RATES, ETA), moving=False)
    theta, gaps = np.asarray(p["w"], np.float64), {}
    for name, path in paths.items():
        g_seen = g.astype(np.float64) + laws.COUPLED.get(name, 0.0) * theta
        expected = -ETA * (FORMS[name](g_seen) + laws.DECOUPLED.get(name, 0.0) * theta)
        u = path.updates["w"][: len(expected)]
        gaps[name] = np.max(np.abs(u - expected) / np.abs(expected))
    return gaps


@pytest.mark.by_default("rules", "variants")
@pytest.mark.parametrize("zoo", laws.ZOOS.values(), ids=list(laws.ZOOS))
def test_constant_gradient(zoo, x64):
    """The small gradients are of the size of ε and of √ε, so that its place shows."""
    for size in (1.0, 1e-4, 1e-8):
        # r - c² under centring loses 1/ρᵗ < 9 of its digits, and the whole of them with bias correction: ulp(g²) / ε
        far = {n: x for n, x in gap(zoo, np.float64, size).items() if not x < 1e-12}
        assert far == {}


@pytest.mark.by_default("rules")
@pytest.mark.parametrize("zoo", laws.ZOOS.values(), ids=list(laws.ZOOS))
def test_constant_gradient_in_single_precision(zoo):
    """To a few ulp from the first step on, where 1 - βᵗ computed plainly is 1e-5 off."""
    gaps = gap(zoo, np.float32, 1.0)
    gaps.pop("rmsprop, corrected", None)  # its variance is a rounding of g²
    assert {n: x for n, x in gaps.items() if not x < 2e-6} == {}


def test_every_optimiser_has_its_form():
    assert FORMS.keys() == set().union(*(zoo.makes for zoo in laws.ZOOS.values()))
