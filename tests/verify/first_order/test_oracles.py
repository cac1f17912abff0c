"""The oracles: first steps by hand in fractions, the same names and defaults as our rules, the same path in 80 bits."""

import inspect
import math
import sys
from fractions import Fraction
from functools import partial
from itertools import islice

import numpy as np
import pytest
from mpmath import mp, mpf

from jaxnn import optimisers
from jaxnn.verify import table
from jaxnn.verify.first_order import exact, given_gradients
from jaxnn.verify.first_order.oracles import BOXES, ORACLES, exactly

HALF, THIRD, TENTH = Fraction(1, 2), Fraction(1, 3), Fraction(1, 10)


def keywords_of(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("rule", optimisers.TABLE)
def test_every_rule_has_an_oracle_with_its_keywords_and_defaults(rule):
    assert keywords_of(ORACLES[rule]) == keywords_of(optimisers.TABLE[rule])


def test_there_is_no_oracle_without_a_rule():
    assert set(ORACLES) == set(optimisers.TABLE)
    assert set(BOXES) == {name for name in optimisers.PRESETS if name.startswith("goodfellow.")}


@pytest.mark.parametrize("name", BOXES)
def test_the_boxes_have_the_keywords_and_defaults_of_their_presets(name):
    parameters = list(inspect.signature(optimisers.PRESETS[name]).parameters.values())[1:]
    assert keywords_of(BOXES[name]) == {p.name: p.default for p in parameters}


# Two steps from θ = 1 with gradients 3 and -4, and rates 1/10 and 1/5. Roots of squares, so that fractions are enough.
BY_HAND = [
    ("sgd", {}, (1 - Fraction(3, 10), 1 - Fraction(3, 10) + Fraction(4, 5))),
    ("sgd", {"maximise": True}, (1 + Fraction(3, 10), 1 + Fraction(3, 10) - Fraction(4, 5))),
    # 3 + ½ · 1 = 7/2;  θ = 13/20;  -4 + ½ · 13/20 = -147/40
    ("sgd", {"weight_decay": HALF}, (Fraction(13, 20), Fraction(13, 20) + Fraction(147, 200))),
    # -3 + ½ = -5/2: the penalty shrinks, whatever the sign of J
    ("sgd", {"weight_decay": HALF, "maximise": True}, (Fraction(5, 4), Fraction(5, 4) - (4 + Fraction(5, 8)) / 5)),
    # v = -3/10, then -3/20 + 4/5 = 13/20
    ("momentum", {"momentum": HALF}, (Fraction(7, 10), Fraction(7, 10) + Fraction(13, 20))),
    # v = 3, then 3/2 - 4 = -5/2
    ("momentum", {"momentum": HALF, "learning_rate_inside": False}, (Fraction(7, 10), Fraction(7, 10) + HALF)),
    # the first gradient is not damped, the second to -2: 3/2 - 2 = -1/2
    (
        "momentum",
        {"momentum": HALF, "dampening": HALF, "learning_rate_inside": False},
        (Fraction(7, 10), Fraction(7, 10) + TENTH),
    ),
    # ½ · -3/10 - 3/10 = -9/20;  v = 13/20, ½ · 13/20 + 4/5 = 9/8
    ("nesterov", {"momentum": HALF}, (1 - Fraction(9, 20), 1 - Fraction(9, 20) + Fraction(9, 8))),
    # 3 + 3/2 = 9/2;  -4 + ½ · -5/2 = -21/4
    (
        "nesterov",
        {"momentum": HALF, "learning_rate_inside": False},
        (1 - Fraction(9, 20), 1 - Fraction(9, 20) + Fraction(21, 20)),
    ),
    # √9 = 3, √(9 + 16) = 5
    ("adagrad", {"eps": Fraction(0)}, (1 - TENTH, 1 - TENTH + Fraction(4, 25))),
    ("adagrad", {"eps": Fraction(1)}, (1 - Fraction(3, 40), 1 - Fraction(3, 40) + Fraction(4, 30))),
    # r₀ = 7, ε = 9 under the root: √(7 + 9 + 9) = 5, √(16 + 16 + 9) is no fraction
    (
        "adagrad",
        {"eps": Fraction(9), "eps_inside": True, "initial_accumulator": Fraction(7)},
        (1 - Fraction(3, 50),),
    ),
    # (1 - ρ) 9 = ½ · 9, and 7/2 under the root: √8 is none; ρ = 0: √9
    ("rmsprop", {"decay": Fraction(0), "eps": Fraction(0)}, (1 - TENTH, 1 - TENTH + Fraction(1, 5))),
    ("rmsprop", {"decay": Fraction(0), "eps": Fraction(7)}, (1 - Fraction(3, 40),)),
    ("rmsprop", {"decay": Fraction(0), "eps": Fraction(1), "eps_inside": False}, (1 - Fraction(3, 40),)),
    # the mean square is ½ · 9 and the mean ½ · 3: the variance 9/4, its root 3/2
    ("rmsprop", {"decay": HALF, "eps": Fraction(0), "centred": True}, (1 - Fraction(2, 10),)),
    # both corrected: the variance of one number is 0, and ε = 9 under the root is all
    (
        "rmsprop",
        {"decay": HALF, "eps": Fraction(9), "centred": True, "bias_correction": True},
        (1 - TENTH,),
    ),
    ("rmsprop", {"decay": HALF, "eps": Fraction(0), "bias_correction": True}, (1 - TENTH,)),
    # steps 1 and -1: v = -1/10, then -1/20 + 1/5; outside 1, then ½ - 1
    (
        "rmsprop",
        {"decay": Fraction(0), "eps": Fraction(0), "momentum": HALF},
        (1 - TENTH, 1 - TENTH + Fraction(3, 20)),
    ),
    (
        "rmsprop",
        {"decay": Fraction(0), "eps": Fraction(0), "momentum": HALF, "learning_rate_inside": False},
        (1 - TENTH, 1 - TENTH + TENTH),
    ),
    # ε = 16: √16 / √(0 · 0 + 9 + 16) · 3 = 12/5
    ("adadelta", {"rho": Fraction(0), "eps": Fraction(16)}, (1 - Fraction(12, 50),)),
    # m̂ / √v̂ = ±1 at first; ε = 1 makes 3/4 of it
    ("adam", {"eps": Fraction(0), "b1": HALF, "b2": HALF}, (1 - TENTH,)),
    ("adam", {"eps": Fraction(1), "b1": HALF, "b2": HALF}, (1 - Fraction(3, 40),)),
    ("adam", {"eps": Fraction(0), "eps_root": Fraction(7), "b1": HALF, "b2": HALF}, (1 - Fraction(3, 40),)),
    # 1 - β₂ = ¼: v = 9/4, √¼ / ½ · 3/2 / (3/2 + 3/2) = ½
    ("adam", {"eps": 3 * HALF, "eps_hat": True, "b1": HALF, "b2": Fraction(3, 4)}, (1 - Fraction(1, 20),)),
    # β = 0: m̂ = g, v̂ = g²
    ("adam", {"eps": Fraction(0), "b1": Fraction(0), "b2": Fraction(0)}, (1 - TENTH, 1 - TENTH + Fraction(1, 5))),
    # the decay takes ηλθ: 1/20 of the parameters, then 1/10
    (
        "adamw",
        {"eps": Fraction(0), "b1": Fraction(0), "b2": Fraction(0), "weight_decay": HALF},
        (Fraction(17, 20), Fraction(17, 20) * Fraction(9, 10) + Fraction(1, 5)),
    ),
    (
        "adamw",
        {"eps": Fraction(0), "b1": HALF, "b2": HALF, "weight_decay": HALF, "maximise": True},
        (1 + TENTH - Fraction(1, 20),),
    ),
    # m̂ = 3 and u = 3; then m = ¾ - 2 = -5/4, m̂ = -5/3, u = max(3/2, 4)
    (
        "adamax",
        {"eps": Fraction(0), "b1": HALF, "b2": HALF},
        (1 - TENTH, 1 - TENTH + Fraction(5, 12) / 5),
    ),
    ("adamax", {"eps": Fraction(1), "b1": HALF, "b2": HALF}, (1 - Fraction(3, 40),)),
    ("adamax", {"eps": Fraction(1), "eps_inside": False, "b1": HALF, "b2": HALF}, (1 - Fraction(3, 40),)),
    # β₁ = β₂ = 0: m = g, the maximum of 9 and 16
    *(
        ("amsgrad", {"eps": Fraction(0), "b1": Fraction(0), "b2": Fraction(0), "maximum": which}, (1 - TENTH,))
        for which in ("paper", "raw", "corrected")
    ),
    # 1 - β₂ = ¼: √v = 3/2; m = 3/2, m̂ = 3, √v̂ = 3
    ("amsgrad", {"eps": Fraction(0), "b1": HALF, "b2": Fraction(3, 4), "maximum": "paper"}, (1 - TENTH,)),
    ("amsgrad", {"eps": 3 * HALF, "b1": HALF, "b2": Fraction(3, 4), "maximum": "paper"}, (1 - Fraction(1, 20),)),
    ("amsgrad", {"eps": Fraction(3), "b1": HALF, "b2": Fraction(3, 4), "maximum": "raw"}, (1 - Fraction(1, 20),)),
    (
        "amsgrad",
        {"eps": 3 * HALF, "eps_hat": True, "b1": HALF, "b2": Fraction(3, 4), "maximum": "raw"},
        (1 - Fraction(1, 20),),
    ),
    # a constant momentum of ½: Π₁ = ½, Π₂ = ¼; m = 3/2; ½ · 3/2 / (3/4) + ½ · 3 / ½ = 4
    (
        "nadam",
        {"eps": Fraction(1), "b1": HALF, "b2": HALF, "momentum_decay": math.inf},
        (1 - Fraction(4, 40),),
    ),
    # β₂ = 3/4: ρ_∞ = 7 and ρ₁ = 7 - 2 · ¾ / ¼ = 1: not adaptive, m̂ = 3
    ("radam", {"b1": HALF, "b2": Fraction(3, 4)}, (1 - Fraction(3, 10),)),
    # the sign, whatever the size; m = 3/4, then sign(3/8 - 2)
    ("lion", {"b1": HALF, "b2": Fraction(3, 4)}, (1 - TENTH, 1 - TENTH + Fraction(1, 5))),
    # m = 3/2: ¾ · 3/2 - ¼ · 4 is positive still
    ("lion", {"b1": Fraction(3, 4), "b2": HALF}, (1 - TENTH, 1 - TENTH - Fraction(1, 5))),
    ("lion", {"b1": HALF, "b2": HALF, "weight_decay": HALF, "maximise": True}, (1 + TENTH - Fraction(1, 20),)),
    ("goodfellow.nesterov", {"alpha": HALF}, (1 - Fraction(9, 20), 1 - Fraction(9, 20) + Fraction(9, 8))),
    # v = -1/10, θ = 9/10, looking ahead 17/20
    ("goodfellow.rmsprop_nesterov", {"rho": Fraction(0), "alpha": HALF}, (Fraction(17, 20),)),
]


@pytest.mark.parametrize(("rule", "keywords", "expected"), BY_HAND)
def test_first_steps_by_hand(rule, keywords, expected):
    oracle = {**ORACLES, **BOXES}[rule]
    with mp.workdps(60):
        number = lambda value: mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpf(value)
        constants = exactly(oracle, keywords, number)
        path = oracle(mpf(1), [mpf(3), mpf(-4)], [mpf(1) / 10, mpf(1) / 5], **constants)
        for theta, by_hand in zip(islice(path, len(expected)), expected, strict=True):
            assert abs(theta - number(by_hand)) < mpf(10) ** -55


def test_radam_crosses_its_threshold_by_hand():
    """β₂ = 3/4, so that ρ_∞ = 7; ρ₅ = 7 - 10 · 243 / 781 is below 4, ρ₆ = 7 - 12 · 729 / 3367 is above."""
    with mp.workdps(60):
        constants = exactly(ORACLES["radam"], {"b2": 0.75, "threshold": 4.0, "eps": 0.0}, mpf)
        *_, fifth, sixth = ORACLES["radam"](mpf(0), [mpf(1)] * 6, [mpf(1)] * 6, **constants)
        rho = 7 - mpf(8748) / 3367
        assert abs(fifth + 5) < mpf(10) ** -55
        assert abs((fifth - sixth) ** 2 - (rho - 4) * (rho - 2) * 7 / (15 * rho)) < mpf(10) ** -55


def test_numbers_are_the_doubles_that_were_given():
    with mp.workdps(60):
        constants = exactly(ORACLES["adam"], {"b1": 0.8}, mpf)
        assert constants["b2"] == mpf(0.999) != mpf(999) / 1000
        assert constants["b1"] == mpf(0.8)
    assert constants["maximise"] is False


@pytest.mark.parametrize("rule", ORACLES)
def test_extended_precision_gives_the_same_path(rule):
    """80 bits: what Adam's β₂ = 0.999 loses there at the first step is 5e-17 of the step."""
    theta, gradients = exact.problem()
    truth = exact.truth(rule, {}, theta, gradients)
    wide = np.longdouble
    rates = [wide(given_gradients.rate(step)) for step in range(len(gradients))]
    constants = exactly(ORACLES[rule], {}, wide)
    path = np.stack([*ORACLES[rule](theta.astype(wide), gradients.astype(wide), rates, **constants)])
    assert path.dtype == wide
    assert np.max(np.abs(path - truth) / np.abs(truth).max(axis=0)) <= 1e-15


@pytest.mark.slow
def test_every_variant_follows_its_formula():
    found = exact.check()
    assert found.failures == ()
    assert len(found) == len(exact.VARIANTS) >= 35
    assert {row.rule for row in found} == set(ORACLES) | set(BOXES)
    assert {(row.group, row.steps, row.expected, row.verdict) for row in found} == {
        ("oracle", 200, "at most 1e-12", table.EQUAL)
    }


def chosen(*rules):
    return [variant for variant in exact.VARIANTS if variant.rule in rules]


def test_a_rule_that_leaves_its_formula_fails():
    """ε̂ for ε is 2e-7 at the defaults; the first step has it."""
    wrong = {"adam": partial(optimisers.adam, eps_hat=True), "sgd": optimisers.sgd}
    variants = [variant for variant in chosen("sgd", "adam") if "eps_hat" not in variant.keywords]
    rows = exact.check(variants, wrong).rows
    assert {row.rule for row in rows if row.verdict == table.FAILED} == {"adam"}
    assert {row.rule for row in rows if row.verdict == table.EQUAL} == {"sgd"}
    (first, *_) = (row for row in rows if row.rule == "adam")
    assert 1e-9 < first.worst < 1e-5
    assert first.why == "leaves the formula at step 1"


def test_a_rule_that_cannot_run_fails_alone():
    def broken(learning_rate, **keywords):
        raise RuntimeError("out\nof order")

    rows = exact.check(chosen("sgd", "lion"), {"sgd": broken, "lion": optimisers.lion}).rows
    assert {(row.rule, row.verdict) for row in rows} == {("sgd", table.FAILED), ("lion", table.EQUAL)}
    assert rows[0].why == "RuntimeError: out of order"


def test_without_mpmath_nothing_is_passed(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpmath", None)
    rows = exact.check(chosen("sgd")).rows
    assert {row.verdict for row in rows} == {table.UNCHECKED}
    assert "mpmath is needed for arithmetic in 60 digits" in rows[0].why


def test_worst_is_the_difference_over_the_path():
    assert exact.worst(optimisers.adam, "adam", {"b1": 0.8}) <= exact.AT_MOST
    assert exact.worst(lambda rate, **keywords: optimisers.adam(rate, b1=0.81), "adam", {"b1": 0.8}) > 1e-4


def test_an_unknown_rule_is_named():
    with pytest.raises(ValueError, match=r"Unknown oracle 'adan'\. Did you mean 'adam'"):
        exact.truth("adan", {}, *exact.problem())
