"""The table of twins: which rule of ours is which optimiser elsewhere, which is not, and why.

An equal row maps our arguments to theirs; hyperparameters are drawn, and both follow the same 200 random gradients at a
changing rate. A row that is not equal states the difference, so a change on either side is noticed.

    rule       ours, or a preset
    words      our argument -> theirs; `b1=beta_1` in the table that is printed
    ours       arguments that only ours is given; `theirs` likewise
    space      the ranges of drawn arguments, if not those of `SPACE`
    apart      None if equal; else the worst difference that was measured
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from jaxnn import optimisers
from jaxnn.types import Optimiser, Params
from jaxnn.verify.first_order import given_gradients, libraries, spaces
from jaxnn.verify.first_order.spaces import PRESETS, SPACE
from jaxnn.verify.table import EQUAL, FAILED, UNCHECKED, UNEQUAL, Row, unexpected

AT_MOST = 1e-12  # of the farthest that a coordinate goes, over 200 steps in double precision
DRIFT = 0.01  # how much of its tabulated size a difference may change by


Keywords: TypeAlias = Mapping[str, Any]
NONE: Keywords = MappingProxyType({})


class Twin(NamedTuple):
    """One row: ours, theirs, how the arguments correspond, and whether they are one rule."""

    rule: str
    reference: str
    words: Mapping[str, str] = NONE
    ours: Keywords = NONE
    theirs: Keywords = NONE
    space: Keywords = NONE
    apart: float | None = None
    why: str = ""

    @property
    def library(self) -> str:
        """The library of `reference`."""
        return self.reference.partition(".")[0]

    @property
    def mapping(self) -> str:
        """How the arguments correspond, in one line."""
        drawn = [mine if mine == their else f"{mine}={their}" for mine, their in self.words.items()]
        only_ours = [f"{name}={value}" for name, value in self.ours.items()]
        only_theirs = [f"{name}={value}" for name, value in self.theirs.items()]
        parts = [", ".join(only_ours + drawn), ", ".join(only_theirs) and "theirs: " + ", ".join(only_theirs)]
        return "; ".join(part for part in parts if part) or "defaults"


def same(rule: str, reference: str, words: str = "", **keywords: Any) -> Twin:
    """An equal row; `words` are pairs such as "b1=beta_1 eps", the second word left out where it is the first."""
    pairs = {mine: their or mine for mine, _, their in (pair.partition("=") for pair in words.split())}
    return Twin(rule, reference, pairs, **keywords)


def preset(name: str) -> Twin:
    """The row of a preset: the library's own arguments and their full ranges."""
    reference = SOLVERS.get(name, name)
    return Twin(name, reference, {word: CLASS_WORDS.get(word, word) for word in PRESETS[name]}, space=PRESETS[name])


# scikit-learn's solvers are keywords of its networks; the classes behind them are what can be compared with
SOLVERS = {"sklearn.sgd": "sklearn.SGDOptimizer", "sklearn.adam": "sklearn.AdamOptimizer"}
CLASS_WORDS = {"nesterovs_momentum": "nesterov"}


B, K, T = "b1 b2", "b1=beta_1 b2=beta_2", "b1=betas[0] b2=betas[1]"  # optax's, Keras's and PyTorch's names
OUTSIDE = {"learning_rate_inside": False}

EQUAL_RULES: tuple[Twin, ...] = (
    same("sgd", "optax.sgd"),
    same("sgd", "torch.SGD", "weight_decay"),
    same("sgd", "keras.SGD"),
    same("sgd", "optax.chain(add_decayed_weights, sgd)", "weight_decay"),
    same("momentum", "keras.SGD", "momentum"),
    same("momentum", "sklearn.SGDOptimizer", "momentum", theirs={"nesterov": False}),
    same("momentum", "optax.chain(scale_by_learning_rate, trace)", "momentum=decay"),
    same("momentum", "optax.sgd", "momentum", ours=OUTSIDE),
    same("momentum", "torch.SGD", "momentum weight_decay", ours=OUTSIDE),
    same("momentum", "torch.SGD", "momentum dampening", ours=OUTSIDE),
    same("nesterov", "keras.SGD", "momentum", theirs={"nesterov": True}),
    same("nesterov", "sklearn.SGDOptimizer", "momentum", theirs={"nesterov": True}),
    same("nesterov", "optax.chain(scale_by_learning_rate, trace)", "momentum=decay", theirs={"nesterov": True}),
    same("nesterov", "optax.sgd", "momentum", ours=OUTSIDE, theirs={"nesterov": True}),
    same("nesterov", "torch.SGD", "momentum weight_decay", ours=OUTSIDE, theirs={"nesterov": True}),
    same("adagrad", "torch.Adagrad", "eps initial_accumulator=initial_accumulator_value weight_decay"),
    same("adagrad", "optax.adagrad", "eps initial_accumulator=initial_accumulator_value", ours={"eps_inside": True}),
    same(
        "adagrad",
        "keras.Adagrad",
        "eps=epsilon initial_accumulator=initial_accumulator_value",
        ours={"eps_inside": True},
    ),
    same("rmsprop", "optax.rmsprop", "decay eps initial_mean_square=initial_scale"),
    same("rmsprop", "keras.RMSprop", "decay=rho eps=epsilon"),
    same("rmsprop", "torch.RMSprop", "decay=alpha eps weight_decay", ours={"eps_inside": False}),
    same("rmsprop", "optax.rmsprop", "decay eps", ours={"eps_inside": False}, theirs={"eps_in_sqrt": False}),
    same("rmsprop", "optax.rmsprop", "decay eps", ours={"centred": True}, theirs={"centered": True}),
    same("rmsprop", "keras.RMSprop", "decay=rho eps=epsilon", ours={"centred": True}, theirs={"centered": True}),
    same(
        "rmsprop",
        "torch.RMSprop",
        "decay=alpha eps",
        ours={"centred": True, "eps_inside": False},
        theirs={"centered": True},
    ),
    same("rmsprop", "optax.rmsprop", "decay eps momentum"),
    same("rmsprop", "keras.RMSprop", "decay=rho eps=epsilon momentum"),
    same("rmsprop", "torch.RMSprop", "decay=alpha eps momentum", ours=OUTSIDE | {"eps_inside": False}),
    same("rmsprop", "optax.chain(scale_by_rms, trace, scale_by_learning_rate)", "decay eps momentum", ours=OUTSIDE),
    same("rmsprop", "optax.rmsprop", "decay eps", ours={"bias_correction": True}, theirs={"bias_correction": True}),
    same("adadelta", "optax.adadelta", "rho eps"),
    same("adadelta", "torch.Adadelta", "rho eps weight_decay"),
    same("adadelta", "keras.Adadelta", "rho eps=epsilon"),
    same("adam", "optax.adam", f"{B} eps eps_root"),
    same("adam", "torch.Adam", f"{T} eps weight_decay"),
    same("adam", "keras.Adam", f"{K} eps=epsilon", ours={"eps_hat": True}),
    same("adam", "sklearn.AdamOptimizer", f"{K} eps=epsilon", ours={"eps_hat": True}),
    same("adam", "optax.chain(add_decayed_weights, adam)", f"{B} eps weight_decay"),
    same("adam", "torch.Adam", f"{T} eps", ours={"maximise": True}, theirs={"maximize": True}),
    same(
        "adam",
        "optax.rmsprop",
        "b2=decay eps",
        ours={"b1": 0.0},
        theirs={"bias_correction": True, "eps_in_sqrt": False},
    ),
    same("adamw", "optax.adamw", f"{B} eps eps_root weight_decay"),
    same("adamw", "torch.AdamW", f"{T} eps weight_decay"),
    same("adamw", "keras.AdamW", f"{K} eps=epsilon weight_decay", ours={"eps_hat": True}),
    same("adamw", "keras.Adam", f"{K} eps=epsilon weight_decay", ours={"eps_hat": True}),
    same("adamax", "optax.adamax", f"{B} eps"),
    same("adamax", "torch.Adamax", f"{T} eps weight_decay"),
    same("adamax", "keras.Adamax", f"{K} eps=epsilon", ours={"eps_inside": False}),
    same("amsgrad", "optax.amsgrad", f"{B} eps eps_root"),
    same("amsgrad", "torch.Adam", f"{T} eps weight_decay", ours={"maximum": "raw"}, theirs={"amsgrad": True}),
    same(
        "amsgrad",
        "keras.Adam",
        f"{K} eps=epsilon",
        ours={"maximum": "raw", "eps_hat": True},
        theirs={"amsgrad": True},
    ),
    same(
        "amsgrad",
        "optax.amsgrad",
        f"{B} eps eps_root",
        ours={"maximum": "paper"},
        theirs={"bias_correction_mu": False, "bias_correction_nu": False},
    ),
    same("nadam", "torch.NAdam", f"{T} eps momentum_decay weight_decay"),
    same("nadam", "keras.Nadam", f"{K} eps=epsilon", ours={"momentum_decay": 1.0}),
    same("nadam", "optax.nadam", f"{B} eps eps_root", ours={"momentum_decay": float("inf")}),
    same("radam", "optax.radam", f"{B} eps eps_root threshold"),
    same("radam", "torch.RAdam", f"{T} eps weight_decay", ours={"eps_hat": True}),
    same("lion", "optax.lion", "b1 b2 weight_decay"),
    same("lion", "keras.Lion", f"{K} weight_decay"),
)


def unlike(rule: str, reference: str, apart: float, why: str, ours: Keywords = NONE, theirs: Keywords = NONE) -> Twin:
    """A row that is not equal: by how much, and why. Its hyperparameters are given, not drawn."""
    return Twin(rule, reference, ours=ours, theirs=theirs, apart=apart, why=why)


M, L2 = {"momentum": 0.9}, {"weight_decay": 0.1}
EPS, EPSILON = {"eps": 1e-3}, {"epsilon": 1e-3}  # large, so its place shows
AHEAD = M | {"nesterov": True}
RATE = "η inside the velocity there, outside here: they part when η changes"
RATE_HERE = "η inside the velocity here, outside there: they part when η changes"
ROOT = "ε outside the root there, inside here"
HAT = "ε beside the uncorrected root there"
LARGEST = "the maximum is over v̂ here, over v there"
APART: tuple[Twin, ...] = (
    unlike("momentum", "optax.sgd", 1.48, RATE_HERE, M, M),
    unlike("momentum", "torch.SGD", 1.48, RATE_HERE, M, M),
    unlike("momentum", "keras.SGD", 0.718, RATE, M | OUTSIDE, M),
    unlike("momentum", "sklearn.SGDOptimizer", 0.0682, "Nesterov's is its default", M, M),
    unlike(
        "momentum",
        "optax.chain(ema, scale_by_learning_rate)",
        0.398,
        "dampening spares the first gradient, as in PyTorch; an average does not",
        OUTSIDE | {"momentum": 0.5, "dampening": 0.5},
        {"decay": 0.5},
    ),
    unlike("nesterov", "optax.sgd", 1.16, RATE_HERE, M, AHEAD),
    unlike("nesterov", "torch.SGD", 1.16, RATE_HERE, M, AHEAD),
    unlike("nesterov", "keras.SGD", 0.633, RATE, M | OUTSIDE, AHEAD),
    unlike("adagrad", "optax.adagrad", 0.0434, "r₀ = 0.1 there, 0 here; ε under the root there"),
    unlike("adagrad", "keras.Adagrad", 0.0434, "r₀ = 0.1 there, 0 here; ε under the root there"),
    unlike(
        "adagrad",
        "optax.adagrad",
        9.69e-05,
        "ε under the root there",
        EPS | {"initial_accumulator": 0.1},
        EPS,
    ),
    unlike("rmsprop", "torch.RMSprop", 0.753, "decay 0.99 there, 0.9 here; ε outside the root there"),
    unlike("rmsprop", "torch.RMSprop", 0.0219, ROOT, EPS, EPS | {"alpha": 0.9}),
    unlike("rmsprop", "optax.rmsprop", 0.0219, ROOT, EPS, EPS | {"eps_in_sqrt": False}),
    unlike("rmsprop", "torch.RMSprop", 0.0223, ROOT, EPS | {"centred": True}, EPS | {"centered": True, "alpha": 0.9}),
    unlike("rmsprop", "torch.RMSprop", 1.68, RATE_HERE, M | {"eps_inside": False}, M | {"alpha": 0.9, "eps": 1e-6}),
    unlike(
        "rmsprop",
        "optax.rmsprop",
        0.145,
        "no bias correction there by default",
        {"bias_correction": True},
        {"eps": 1e-6},
    ),
    unlike("adadelta", "optax.adadelta()", 0.661, "without a rate the sign is never turned: it ascends"),
    unlike("adadelta", "keras.Adadelta", 0.00325, "ρ = 0.95 and ε = 1e-7 there, 0.9 and 1e-6 here"),
    unlike("adam", "keras.Adam", 0.0178, HAT, EPS, EPSILON),
    unlike("adam", "sklearn.AdamOptimizer", 0.0178, HAT, EPS, EPSILON),
    unlike("adam", "keras.Adam", 5.87e-06, "ε = 1e-7 and beside the uncorrected root there; 1e-8 here"),
    unlike("adam", "torch.AdamW", 0.0722, "L2 here, decoupled there", L2, L2),
    unlike("adam", "keras.Adam", 0.0722, "L2 here, decoupled there", L2, L2 | {"epsilon": 1e-8}),
    unlike("adamw", "optax.adamw", 0.0167, "λ = 1e-4 there, 1e-2 here"),
    unlike("adamw", "keras.AdamW", 0.0101, "λ = 4e-3 there, 1e-2 here"),
    unlike("adamax", "keras.Adamax", 1.18e-06, "ε beside the norm there, inside the maximum here", EPS, EPSILON),
    unlike("amsgrad", "torch.Adam", 0.961, LARGEST, {}, {"amsgrad": True}),
    unlike("amsgrad", "keras.Adam", 0.961, LARGEST, {}, {"amsgrad": True, "epsilon": 1e-8}),
    unlike("amsgrad", "optax.amsgrad", 6.35, "no bias correction here, as in the paper", {"maximum": "paper"}),
    unlike("amsgrad", "keras.Adam", 0.0178, HAT, EPS | {"maximum": "raw"}, EPSILON | {"amsgrad": True}),
    unlike("nadam", "optax.nadam", 0.425, "constant momentum there, ψ = 0.004 here"),
    unlike("nadam", "keras.Nadam", 0.253, "ψ = 1 there, 0.004 here", {}, {"epsilon": 1e-8}),
    unlike("radam", "torch.RAdam", 0.00101, HAT, EPS, EPS),
    unlike("lion", "optax.lion", 0.00146, "λ = 1e-3 there, 0 here"),
)
TWINS: tuple[Twin, ...] = EQUAL_RULES + tuple(preset(name) for name in PRESETS) + APART


def ours(twin: Twin, keywords: Mapping[str, Any]) -> Optimiser:
    """Our side of a row at those hyperparameters."""
    factory = (optimisers.PRESETS if "." in twin.rule else optimisers.TABLE)[twin.rule]
    return factory(given_gradients.rate, **keywords)


class Call(NamedTuple):
    """Both sides of a row at one draw of its hyperparameters."""

    make: Callable[[], Optimiser]
    their: tuple[str, Keywords]


def call(twin: Twin, index: int = 0) -> Call:
    """Both sides of a row at draw number `index`."""
    name, space = f"{twin.rule} {twin.reference} {twin.mapping}", SPACE | dict(twin.space)
    drawn = spaces.draw(name, {word: space[word] for word in twin.words}, index)
    keywords = dict(twin.theirs) | {twin.words[word]: value for word, value in drawn.items()}
    return Call(functools.partial(ours, twin, dict(twin.ours) | drawn), (twin.reference, keywords))


def compared_rows(twins: Sequence[Twin], index: int = 0) -> list[Row]:
    """The rows of several pairs, at one draw of their hyperparameters and of the gradients.

    Args:
        twins: whose libraries are all installed.
        index: which draw, from 0.
    """
    params, grads = given_gradients.problem(index)
    calls = [call(twin, index) for twin in twins]
    with libraries.double(tuple({twin.library for twin in twins})):
        mine = given_gradients.follow_each([call.make for call in calls], params, grads)
        theirs = libraries.follow_each([call.their for call in calls], given_gradients.rate, params, grads)
    return [_compared(*sides) for sides in zip(twins, mine, theirs, strict=True)]


def _compared(twin: Twin, mine: Params | Exception, theirs: Params | Exception) -> Row:
    for path in (mine, theirs):
        if isinstance(path, Exception):  # a release with other arguments, or without it
            return _row(twin, None, FAILED, unexpected(path))
    found = float(given_gradients.differences(mine, theirs).max())
    if twin.apart is None:
        good = found <= AT_MOST
        return _row(twin, found, EQUAL if good else FAILED, "" if good else "the two no longer follow one rule")
    good = abs(found / twin.apart - 1) <= DRIFT
    changed = f"{twin.apart:.3g} when tabulated: one of the two has changed ({twin.why})"
    return _row(twin, found, UNEQUAL if good else FAILED, twin.why if good else changed)


TOGETHER = 12  # rows in one program: fewer compile slower each, more leave a core idle


def check(against: Sequence[str], twins: Sequence[Twin] = TWINS) -> list[Row]:
    """The rows of the libraries named; a library that is not installed has its rows listed as not checked.

    Raises:
        ValueError: an unknown library.
    """
    absent = {library: libraries.missing(library) for library in against}
    wanted = [twin for twin in twins if twin.library in absent]
    ready = [twin for twin in wanted if absent[twin.library] is None]
    chunks = [ready[i : i + TOGETHER] for i in range(0, len(ready), TOGETHER)]
    with libraries.double(tuple(against)), ThreadPoolExecutor(os.cpu_count()) as pool:  # compiling lets threads run
        found = iter([row for rows in pool.map(compared_rows, chunks) for row in rows])
    return [
        next(found) if absent[twin.library] is None else _row(twin, None, UNCHECKED, absent[twin.library] or "")
        for twin in wanted
    ]


def _row(twin: Twin, found: float | None, verdict: str, why: str) -> Row:
    expected = f"at most {AT_MOST:g}" if twin.apart is None else f"{twin.apart:.3g} within {DRIFT:.0%}"
    return Row("twins", twin.rule, twin.reference, twin.mapping, given_gradients.STEPS, found, expected, verdict, why)
