"""Our update rules in double precision against their papers' formulae in 60 digits."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import checks, optimisers
from jaxnn.types import OptimiserLike
from jaxnn.verify.first_order import given_gradients
from jaxnn.verify.first_order.oracles import BOXES, ORACLES, exactly
from jaxnn.verify.table import FAILED, UNCHECKED, Row, Table, unexpected, verdict_of, versions

DIGITS = 60
AT_MOST = 1e-12  # roundings of 200 steps come to 1e-14; the least change of a term that we know of, to 1e-9


class Variant(NamedTuple):
    """A configuration of a rule, or of a preset, and where it was published."""

    rule: str  # a name in `optimisers.TABLE`, or the preset's own
    keywords: Mapping[str, Any]
    reference: str


def _variants(rule: str, reference: str, *others: tuple[dict[str, Any], str]) -> Iterator[Variant]:
    """A rule as it comes, some of its configurations, and J maximised under a penalty."""
    yield Variant(rule, {}, reference)
    for keywords, named in others:
        yield Variant(rule, keywords, named or reference)
    yield Variant(rule, {"weight_decay": 0.3, "maximise": True}, reference)


KINGMA, REDDI = "Kingma & Ba 2015, algorithm 1", "Reddi, Kale & Kumar 2018, algorithm 2"
LIU, GRAVES = "Liu et al. 2020, algorithm 2", "Graves 2013, equations 38-41"
MOMENTS: dict[str, Any] = {"b1": 0.8, "b2": 0.99, "eps": 1e-3}
SLOW = {"b2": 0.99999}  # 1 - βᵗ is delicate: its plain form in float32 has lost three digits of seven at t = 1
VARIANTS: tuple[Variant, ...] = (
    *_variants("sgd", "Robbins & Monro 1951"),
    *_variants(
        "momentum",
        "Polyak 1964; Goodfellow 8.2",
        ({"dampening": 0.25}, ""),
        ({"learning_rate_inside": False}, "torch.optim.SGD's box"),
        ({"learning_rate_inside": False, "dampening": 0.25}, "torch.optim.SGD's box"),
    ),
    *_variants(
        "nesterov",
        "Sutskever et al. 2013, equations 3 and 4",
        ({"learning_rate_inside": False}, "torch.optim.SGD's box"),
    ),
    *_variants(
        "adagrad",
        "Duchi, Hazan & Singer 2011; Goodfellow 8.4",
        ({"eps": 1e-3, "initial_accumulator": 0.25}, ""),
        ({"eps": 1e-3, "eps_inside": True, "initial_accumulator": 0.25}, "optax.adagrad's documentation"),
    ),
    *_variants(
        "rmsprop",
        "Hinton 2012, lecture 6e; Goodfellow 8.5",
        ({"decay": 0.95, "eps": 1e-3, "initial_mean_square": 0.25}, ""),
        ({"eps": 1e-3, "eps_inside": False}, "torch.optim.RMSprop's box"),
        ({"eps": 1e-3, "centred": True}, GRAVES),
        ({"eps": 1e-3, "centred": True, "eps_inside": False}, "torch.optim.RMSprop's box"),
        ({"eps": 1e-3, "centred": True, "momentum": 0.9}, GRAVES),
        ({"eps": 1e-3, "momentum": 0.9, "learning_rate_inside": False}, "torch.optim.RMSprop's box"),
        ({"decay": 0.99999, "bias_correction": True}, "optax.rmsprop's documentation"),
        # ε well above rounding: the corrected variance of a first gradient is 0
        (
            {"decay": 0.99999, "eps": 1.0, "centred": True, "bias_correction": True, "initial_mean_square": 1e-4},
            "optax.rmsprop's documentation",
        ),
    ),
    *_variants("adadelta", "Zeiler 2012, algorithm 1", ({"rho": 0.99, "eps": 1e-3}, "")),
    *_variants(
        "adam",
        f"{KINGMA}; Goodfellow 8.7",
        (MOMENTS, KINGMA),
        (SLOW, KINGMA),
        ({"b1": 0.0}, KINGMA),
        (MOMENTS | {"eps_hat": True}, "Kingma & Ba 2015, end of section 2"),
        (SLOW | {"eps": 1e-3, "eps_hat": True}, "Kingma & Ba 2015, end of section 2"),
        (MOMENTS | {"eps_root": 0.5}, "optax.adam's documentation"),
    ),
    *_variants(
        "adamw",
        "Loshchilov & Hutter 2019, algorithm 2, with α = 1",
        (MOMENTS | {"weight_decay": 0.3}, ""),
        (MOMENTS | {"weight_decay": 0.3, "eps_hat": True}, "keras.optimizers.AdamW"),
        (MOMENTS | {"weight_decay": 0.0, "eps_root": 0.5}, "optax.adamw's documentation"),
    ),
    *_variants(
        "adamax",
        "Kingma & Ba 2015, algorithm 2",
        (MOMENTS, "torch.optim.Adamax's box"),
        (MOMENTS | {"eps_inside": False}, "keras.optimizers.Adamax"),
    ),
    *_variants(
        "amsgrad",
        "optax.amsgrad's documentation",
        (MOMENTS, ""),
        (MOMENTS | {"eps_hat": True}, ""),
        (MOMENTS | {"maximum": "raw"}, "torch.optim.Adam's box"),
        (MOMENTS | {"maximum": "raw", "eps_hat": True}, "keras.optimizers.Adam"),
        (MOMENTS | {"maximum": "paper", "eps_root": 0.5}, REDDI),
        (MOMENTS | {"maximum": "paper", "eps_hat": True}, REDDI),
    ),
    *_variants(
        "nadam",
        "torch.optim.NAdam's box, after Dozat 2016",
        (MOMENTS, ""),
        (SLOW | {"momentum_decay": 1.0}, "keras.optimizers.Nadam"),
        (MOMENTS | {"momentum_decay": math.inf, "eps_root": 0.5}, "optax.nadam's documentation"),
        ({"b1": 0.0}, ""),
    ),
    *_variants(
        "radam",
        f"{LIU}, their code's threshold 5",
        (MOMENTS, LIU),
        (SLOW, LIU),
        ({"b2": 0.9995, "threshold": 4.0}, LIU),
        (MOMENTS | {"b2": 0.9, "eps_hat": True}, "torch.optim.RAdam's box"),
        (MOMENTS | {"eps_root": 0.5}, "optax.radam's documentation"),
    ),
    *_variants("lion", "Chen et al. 2023, algorithm 2", ({"b1": 0.5, "b2": 0.8}, ""), ({"weight_decay": 0.3}, "")),
    Variant("goodfellow.sgd", {}, "Goodfellow 8.1"),
    Variant("goodfellow.momentum", {"alpha": 0.95}, "Goodfellow 8.2"),
    Variant("goodfellow.nesterov", {"alpha": 0.95}, "Goodfellow 8.3, at its look-ahead point"),
    Variant("goodfellow.adagrad", {"delta": 1e-3}, "Goodfellow 8.4"),
    Variant("goodfellow.rmsprop", {"rho": 0.95, "delta": 1e-3}, "Goodfellow 8.5"),
    Variant("goodfellow.rmsprop_nesterov", {"rho": 0.95, "alpha": 0.8}, "Goodfellow 8.6, at its look-ahead point"),
    Variant("goodfellow.adam", {"rho1": 0.8, "rho2": 0.99, "delta": 1e-3}, "Goodfellow 8.7"),
)
FACTORIES: dict[str, Callable[..., OptimiserLike]] = {
    **optimisers.TABLE,
    **{name: optimisers.PRESETS[name] for name in BOXES},
}


def problem(seed: int = 0, steps: int = given_gradients.STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Four coordinates of `given_gradients.problem` as one vector, and their gradients: (4,) and (steps, 4)."""
    params, grads = given_gradients.problem(seed, steps)
    w, g = params["layers"][0]["w"], grads["layers"][0]["w"]
    return w.ravel()[:4], g.reshape(steps, -1)[:, :4]


def truth(rule: str, keywords: Mapping[str, Any], theta: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """The parameters after each step by the paper's formula, in 60 digits and then rounded; (steps, n), float64.

    Args:
        rule: a name in `oracles.ORACLES` or `oracles.BOXES`.
        keywords: of the rule; doubles, taken for exactly what they are.
        theta: the first parameters, (n,).
        gradients: (steps, n).

    Raises:
        ImportError: mpmath is not installed.
    """
    oracle = checks.one_of(rule, {**ORACLES, **BOXES}, "oracle")
    mp = checks.require("mpmath", extra="verify", purpose="for arithmetic in 60 digits").mp
    exact = np.frompyfunc(lambda number: mp.mpf(float(number)), 1, 1)
    with mp.workdps(DIGITS):
        # numbers as arrays of length 1: mpf times an array is ten times slower, through an error whose text is built
        rates = exact([[given_gradients.rate(step)] for step in range(len(gradients))])
        constants = exactly(oracle, keywords, lambda number: exact([number]))
        return np.stack([*oracle(exact(theta), exact(gradients), rates, **constants)]).astype(np.float64)


def worst(
    factory: Callable[..., OptimiserLike],
    rule: str,
    keywords: Mapping[str, Any],
    *,
    steps: int = given_gradients.STEPS,
    seed: int = 0,
    dtype: Any = np.float64,
) -> float:
    """How far `factory(rate, **keywords)` ever is from a rule's formula: see `given_gradients.differences`.

    Args:
        factory: makes the optimiser from a schedule and the keywords.
        rule: whose formula: a name in `oracles.ORACLES` or `oracles.BOXES`.
        keywords: the hyperparameters, by that rule's names.
        steps: how many are compared.
        seed: of `problem`.
        dtype: of the parameters and gradients, float64 or float32.

    Raises:
        ImportError: mpmath is not installed.
    """
    theta, gradients = (array.astype(dtype) for array in problem(seed, steps))
    with jax.enable_x64(dtype == np.float64):
        ours = given_gradients.follow(factory(given_gradients.rate, **keywords), theta, gradients)
    return float(given_gradients.differences(ours, truth(rule, keywords, theta, gradients)).max())


def check(
    variants: Sequence[Variant] = VARIANTS, factories: Mapping[str, Callable[..., OptimiserLike]] = FACTORIES
) -> Table:
    """Every variant against its formula: rows of the group "oracle".

    Args:
        variants: what is checked.
        factories: what makes the optimiser of each rule's name.
    """
    theta, gradients = problem()
    found = versions("jax", "numpy", "mpmath")
    try:
        exact = [truth(variant.rule, variant.keywords, theta, gradients) for variant in variants]
    except ImportError as error:
        unchecked = {"worst": None, "expected": "", "verdict": UNCHECKED, "why": str(error)}
        return Table(tuple(_row(variant, **unchecked) for variant in variants), found)
    makers = [partial(factories[v.rule], given_gradients.rate, **v.keywords) for v in variants]
    with jax.enable_x64(True):
        paths = given_gradients.follow_each(makers, theta, gradients)
    rows = []
    for variant, path, expected in zip(variants, paths, exact, strict=True):
        if isinstance(path, Exception):
            failed = {"worst": None, "expected": f"at most {AT_MOST:g}", "verdict": FAILED, "why": unexpected(path)}
            rows.append(_row(variant, **failed))
            continue
        apart = given_gradients.differences(path, expected)
        why = f"leaves the formula at step {1 + int(np.argmax(apart > AT_MOST))}"
        rows.append(_row(variant, **verdict_of(float(apart.max()), AT_MOST, otherwise=why)))
    return Table(tuple(rows), found)


def _row(variant: Variant, **verdict: Any) -> Row:
    mapping = ", ".join(f"{name}={value!r}" for name, value in variant.keywords.items())
    return Row("oracle", variant.rule, variant.reference, mapping or "defaults", given_gradients.STEPS, **verdict)
