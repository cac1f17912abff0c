"""Scale, units and rotation: what may be done to the gradient without the rule noticing, and where it must notice."""

import inspect
from functools import partial

import numpy as np
import pytest

from jaxnn import optimisers
from jaxnn.optimisers import PRESETS
from tests import laws

pytestmark = pytest.mark.rounding(quickly=True)

LINEAR = {
    "sgd",
    "momentum",
    "momentum, rate outside, damped",
    "nesterov",
    "nesterov, rate outside",
    "optax.sgd",
    "torch.SGD",
    "keras.SGD",
    "goodfellow.sgd",
    "goodfellow.momentum",
    "goodfellow.nesterov",
    "sklearn.sgd",
    "sklearn.SGDOptimizer",
}


def table(name, **keywords):
    return partial(optimisers.get(name), **keywords)


def takes(name, hyperparameter):
    return hyperparameter in inspect.signature(optimisers.get(name)).parameters


# Without ε and r₀ a power of 2 in the gradient changes no rounding, only exponents. AdaDelta starts from its ε > 0.
WITHOUT_EPS = {
    name: table(name, **({"eps": 0.0} if takes(name, "eps") else {})) for name in optimisers.TABLE if name != "adadelta"
} | {
    "momentum, rate outside, damped": laws.CASES["momentum, rate outside, damped"],
    "nesterov, rate outside": laws.CASES["nesterov, rate outside"],
    "adagrad, inside": table("adagrad", eps=0.0, eps_inside=True),
    "rmsprop, outside": table("rmsprop", eps=0.0, eps_inside=False, momentum=0.9),
    "rmsprop, centred": table("rmsprop", eps=0.0, centred=True, momentum=0.9, learning_rate_inside=False),
    "rmsprop, corrected": table("rmsprop", eps=0.0, bias_correction=True),
    "adam, eps_hat": table("adam", eps=0.0, eps_hat=True),
    "adamax, outside": table("adamax", eps=0.0, eps_inside=False),
    "amsgrad, raw": table("amsgrad", eps=0.0, maximum="raw"),
    "amsgrad, paper": table("amsgrad", eps=0.0, maximum="paper"),
    "nadam, constant momentum": table("nadam", eps=0.0, momentum_decay=np.inf),
    "radam": table("radam", eps=0.0, b2=0.8),  # adaptive soon
}
EPS = {"optax": "eps", "torch": "eps", "keras": "epsilon", "goodfellow": "delta", "sklearn": "epsilon"}
PLAIN = LINEAR | {"optax.lion", "keras.Lion", "goodfellow.rmsprop_nesterov"}  # presets that have no ε
START = {name: {"initial_accumulator_value": 0.0} for name in ("optax.adagrad", "keras.Adagrad")}
for name in PRESETS:
    if "adadelta" not in name.lower():  # whose ε > 0 is what it starts from
        without = {} if name in PLAIN else {EPS[name.partition(".")[0]]: 0.0}
        WITHOUT_EPS[name] = partial(optimisers.preset, name, **without, **START.get(name, {}))

SCALED = laws.Zoo(WITHOUT_EPS)


@pytest.mark.slow
@pytest.mark.parametrize("k", [-20, 1, 17])
def test_a_power_of_two_in_the_gradient(k):
    """Scales every step of the linear rules and changes not one bit of the others'; RAdam begins as a linear one."""
    p, grads = laws.plain(seed=9, steps=14)
    one, other = (SCALED.follow(p, laws.scale(grads, s), moving=False) for s in (1.0, 2.0**k))
    holds = {}
    for name, path in one.items():
        grown = [
            laws.is_same(laws.scale(u, 2.0**k), v)
            for u, v in zip(path.updates["w"], other[name].updates["w"], strict=True)
        ]
        same = [laws.is_same(u, v) for u, v in zip(path.updates["w"], other[name].updates["w"], strict=True)]
        begins = {"radam": 6, "optax.radam": 5, "torch.RAdam": 5}.get(name, len(same) if name in LINEAR else 0)
        holds[name] = grown == [t < begins for t in range(14)] and same == [t >= begins for t in range(14)]
    assert laws.breaking(holds) == []


# ε is measured in units of the gradient where it stands beside a root, as in most rules, and of its square under one:
# (rule, further keywords, its ε's and powers).
OTHER_FORMS = [
    ("adagrad", {"eps_inside": True}, {"eps": 2, "initial_accumulator": 2}),
    ("adagrad", {}, {"eps": 1, "initial_accumulator": 2}),
    ("rmsprop", {}, {"eps": 2}),
    ("rmsprop", {"eps_inside": False, "momentum": 0.9}, {"eps": 1, "initial_mean_square": 2}),
    ("rmsprop", {"centred": True}, {"eps": 2}),
    ("rmsprop", {"centred": True, "eps_inside": False, "bias_correction": True}, {"eps": 1}),
    ("adam", {"eps_hat": True}, {"eps": 1}),
    ("adamax", {"eps_inside": False}, {"eps": 1}),
    ("amsgrad", {"maximum": "raw", "eps_hat": True}, {"eps": 1}),
    ("amsgrad", {"maximum": "paper"}, {"eps": 1}),
    ("radam", {"threshold": 4.0, "b2": 0.8}, {"eps": 1, "eps_root": 2}),
    ("adadelta", {}, {"eps": 2}),
]
UNUSUAL = {"rmsprop", "radam", "adadelta"}  # as they come: their rows are above
MEASURED = [
    (name, {}, {"eps": 1} | ({"eps_root": 2} if takes(name, "eps_root") else {}))
    for name in optimisers.TABLE
    if takes(name, "eps") and name not in UNUSUAL
] + OTHER_FORMS
SIZE, K = 0.5, 6  # ε of the gradients' own size: it counts for as much as they do
UNITS = laws.Zoo(
    {
        (i, side): table(name, **keywords, **{eps: SIZE * 2.0 ** (power * K * side) for eps, power in powers.items()})
        for i, (name, keywords, powers) in enumerate(MEASURED)
        for side in (0, 1)
    }
)


@pytest.mark.slow
def test_eps_is_in_the_units_of_the_gradient():
    """J in other units, a power of 2: with g, ε and r₀ changed alike, the steps are the same bits, or scale with g."""
    p, grads = laws.plain(seed=10, steps=14)
    one, other = UNITS.follow(p, grads, moving=False), UNITS.follow(p, laws.scale(grads, 2.0**K), moving=False)
    holds, felt = {}, {}
    for i, (name, _, _) in enumerate(MEASURED):
        first = {"radam": 4, "adadelta": 14}.get(name, 0)  # steps that scale with g
        factors = np.where(np.arange(14) < first, 2.0**K, 1.0).astype(np.float32)[:, None, None]
        holds[name, i] = laws.is_same(factors * one[i, 0].updates["w"], other[i, 1].updates["w"])
        felt[name, i] = laws.apart(*(other[i, side].updates["w"][-1] for side in (0, 1))) > 1e-3
    assert laws.breaking(holds) == []
    assert laws.breaking(felt) == []


def rotation(n, seed=11):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


@pytest.mark.by_default("rules", "variants")
@pytest.mark.parametrize("zoo", laws.ZOOS.values(), ids=list(laws.ZOOS))
def test_rotation(zoo, x64):
    """Rotated gradients make rotated steps in the linear rules. Coordinate by coordinate no other rule can have that.

    A rule that divides each coordinate by its own size misses by more than a tenth of its largest step; seen at the
    last, since RAdam begins as a linear one.
    """
    p, grads = laws.plain(seed=12, dtype=np.float64)
    turn = rotation(6)

    def turned(tree):
        return {"w": (np.asarray(tree["w"]).reshape(-1, 6) @ turn.T).reshape(tree["w"].shape)}

    before, after = zoo.follow(p, grads), zoo.follow(turned(p), turned(grads))
    pairs = {n: (after[n].updates["w"], turned(path.updates)["w"]) for n, path in before.items()}
    kept = {n for n, pair in pairs.items() if laws.apart(*pair) < 1e-12}
    missed = {n: laws.apart(*(side[-1] for side in pair)) for n, pair in pairs.items()}
    assert kept == LINEAR & zoo.makes.keys()
    assert {n: gap for n, gap in missed.items() if n not in kept and not gap > 0.1} == {}
