"""What can never happen: second moments below zero, maxima that fall, steps longer than the theory allows.

Adam's bound. Kingma & Ba (2015, section 2.1) give |Δ| ≤ η (1 - β₁) / √(1 - β₂) for 1 - β₁ > √(1 - β₂), reached when one
gradient follows many that were 0. By Cauchy and Schwarz, with the weights wⱼ, uⱼ that m̂ and v̂ give the gradient j steps
ago, |Δ|² ≤ η² Σ wⱼ² / uⱼ. That is reached by gradients (β₁ / β₂)ʲ, and it is larger than the paper's by up to
1 / √(1 - β₁² / β₂): the paper's figure is that of its one sequence, no bound on all.
"""

from functools import partial

import numpy as np
import pytest

from jaxnn import optimisers
from tests import laws

pytestmark = pytest.mark.rounding(quickly=True)

STEPS = 64
LAG = np.arange(STEPS)[::-1]  # of the last step
BETAS = [(0.5, 0.9), (0.9, 0.999), (0.0, 0.95), (0.9, 0.9)]
NEVER_NEGATIVE = {"nu", "mean_square", "mean_square_step", "accumulator", "nu_max", "norm"}
NEVER_FALLING = {"accumulator", "nu_max", "step"}


def fields(node):
    """The named fields of all states in a tree of them, with what they hold."""
    if hasattr(node, "_fields"):
        yield from ((field, part) for field, part in zip(node._fields, node, strict=True))
    elif isinstance(node, tuple):
        for part in node:
            yield from fields(part)


@pytest.mark.by_default("rules", "variants")
@pytest.mark.parametrize("zoo", laws.ZOOS.values(), ids=list(laws.ZOOS))
def test_moments_and_maxima(zoo):
    """On gradients over three decades, and once more with every third of them gone and one that is 10⁶ times larger."""
    p, grads, paths = laws.usual(zoo, True)
    holes = np.where(np.arange(laws.STEPS) % 3 == 1, 0, np.where(np.arange(laws.STEPS) == 6, 1e6, 1))
    spiked = {"w": grads["w"] * holes[:, None, None].astype(np.float32)}
    found = set()
    for run in (paths, zoo.follow(p, spiked)):
        for name, path in run.items():
            kept = dict(fields(path.states))
            found |= kept.keys()
            for field in NEVER_NEGATIVE & kept.keys():
                if kept[field] != ():
                    assert (kept[field]["w"] >= 0).all(), (name, field)
            for field in NEVER_FALLING & kept.keys():
                assert (np.diff(kept[field]["w"] if field != "step" else kept[field], axis=0) >= 0).all(), (name, field)
            if "nu_max" in kept:
                assert (kept["nu_max"]["w"] >= kept["nu"]["w"]).all()
            if "norm" in kept:
                assert (kept["norm"]["w"] >= np.abs((grads if run is paths else spiked)["w"])).all()
    assert "accumulator" in found or "velocity" in found  # every zoo has some of them


def sharp(b1, b2):
    """√(Σ wⱼ² / uⱼ) at t = 1, 2, …; and the gradients that reach it at the last step."""
    bounds = []
    for t in range(1, STEPS + 1):
        j = np.arange(t)
        w, u = ((1 - b) * b**j / (1 - b**t) for b in (b1, b2))
        bounds.append(np.sqrt(np.sum(w**2 / u)))
    return np.array(bounds), (b1 / b2) ** LAG


def sequences(worst):
    """Four sequences to be sure of, one that comes after nothing, and one at random with gaps; (steps, 2, 3)."""
    rng = np.random.default_rng(16)
    gaps = rng.normal(size=STEPS) * (rng.uniform(size=STEPS) < 0.2)
    return np.stack([*worst, 1.0 * (LAG == 0), gaps], axis=1).reshape(STEPS, 2, 3)


def test_adams_step_bound(x64):
    rules = {betas: partial(optimisers.adam, b1=betas[0], b2=betas[1], eps=0.0) for betas in BETAS}
    g = sequences([sharp(*betas)[1] for betas in BETAS])
    paths = laws.Zoo(rules).follow({"w": np.zeros((2, 3))}, {"w": g}, np.ones_like(laws.RATES))
    for i, betas in enumerate(BETAS):
        b1, b2 = betas
        length = np.abs(paths[betas].updates["w"].reshape(STEPS, 6))
        bounds = sharp(*betas)[0]
        assert (length <= bounds[:, None] * (1 + 1e-12)).all()
        np.testing.assert_allclose(length[-1, i], bounds[-1], rtol=1e-12)
        correction = np.sqrt(1 - b2**STEPS) / (1 - b1**STEPS)
        np.testing.assert_allclose(length[-1, 4], (1 - b1) / np.sqrt(1 - b2) * correction, rtol=1e-12)
        if b1 == b2:
            assert length.max() <= 1 + 1e-12
    # β = (0.5, 0.9): the paper has 1.58 η, and 1.86 η is reached
    assert np.abs(paths[0.5, 0.9].updates["w"]).max() > 1.17 * (1 - 0.5) / np.sqrt(1 - 0.9)


def test_the_others_step_bounds(x64):
    b1, b2 = 0.5, 0.9
    rules = {
        "adamax": partial(optimisers.adamax, b1=b1, b2=b2, eps=0.0),
        "rmsprop": partial(optimisers.rmsprop, decay=b2, eps=0.0),
        "adagrad": partial(optimisers.adagrad, eps=0.0),
        "lion": optimisers.lion,
        "momentum": partial(optimisers.momentum, momentum=b2),
        "adam": optimisers.adam,
        "amsgrad": optimisers.amsgrad,
        "radam": optimisers.radam,
    }
    g = sequences([b2 ** -LAG.astype(float) / b2**-STEPS, np.ones(STEPS), np.cos(np.arange(STEPS)), (-1.0) ** LAG])
    paths = laws.Zoo(rules).follow({"w": np.zeros((2, 3))}, {"w": g}, np.ones_like(laws.RATES))
    length = {name: np.abs(path.updates["w"].reshape(STEPS, 6)) for name, path in paths.items()}
    # AdaMax: gradients that fall by β₂ leave the norm constant; the paper's section 7.1 has |Δ| ≤ η, and this is 1.12 η
    t = np.arange(1, STEPS + 1)
    bounds = (1 - b1) / (1 - b1**t) * np.cumsum((b1 / b2) ** np.arange(STEPS))
    assert (length["adamax"] <= bounds[:, None] * (1 + 1e-12)).all()
    np.testing.assert_allclose(length["adamax"][:, 0], bounds, rtol=1e-12)
    assert length["rmsprop"].max() <= (1 + 1e-12) / np.sqrt(1 - b2)
    np.testing.assert_allclose(length["rmsprop"][-1, 4], 1 / np.sqrt(1 - b2), rtol=1e-12)  # after nothing
    assert length["adagrad"].max() <= 1 + 1e-12
    np.testing.assert_allclose(length["adagrad"][-1, 4], 1.0, rtol=1e-12)
    assert set(np.unique(length["lion"])) == {0.0, 1.0}
    assert (length["lion"][:, :4] == 1).all()
    assert length["momentum"].max() < 1 / (1 - b2)
    assert length["momentum"][-1, 1] > 0.99 / (1 - b2)
    # A maximum in the denominator, and a factor below 1, can only shorten; RAdam's first five steps are others.
    assert (length["amsgrad"] <= length["adam"] * (1 + 1e-12)).all()
    assert (length["amsgrad"] < 0.9 * length["adam"]).any()
    assert (length["radam"][5:] <= length["adam"][5:]).all()
    assert 0 < length["radam"][-1, 1] < 0.5
