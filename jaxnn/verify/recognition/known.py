"""The published names and arguments of each update rule: every rule of jaxnn and every preset, by what it computes.

A form is one formula whose hyperparameters have roles. A spelling is a name under which someone publishes it: how that
factory's keywords correspond to the roles, and the flags that choose the formula. A role that a spelling has no word
for is 0 there.

    b1 b2        decay of the first and second moment        decay       of a mean square
    eps eps_root beside a root, and under it                 momentum    of a velocity
    initial      of an accumulator                           dampening   of what enters a velocity
    l2           λ of a penalty: λθ joins the gradient       decoupled   λ of a decay: ηλθ leaves the parameters
"""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from jaxnn.optimisers import PRESETS, TABLE
from jaxnn.optimisers.presets.building_blocks import decay_decoupled
from jaxnn.types import OptimiserLike, ScalarOrSchedule

Words: TypeAlias = Mapping[str, str | tuple[str, str]]  # keyword -> its role, or roles where it takes a pair
FACTORIES: Mapping[str, Any] = {**TABLE, **PRESETS}


class Spelling(NamedTuple):
    """A name under which a form is published."""

    name: str  # of TABLE or PRESETS
    words: Words
    flags: Mapping[str, Any]

    def keywords(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The factory's keywords for these roles."""

        def one(role: str | tuple[str, str]) -> Any:
            return values[role] if isinstance(role, str) else tuple(values[each] for each in role)

        return {word: one(role) for word, role in self.words.items()} | dict(self.flags)

    def roles(self) -> set[str]:
        """The roles that this spelling has a word for."""
        return {each for role in self.words.values() for each in ([role] if isinstance(role, str) else role)}

    def defaults(self) -> dict[str, Any]:
        """What each of its words is if nobody says otherwise."""
        parameters = inspect.signature(FACTORIES[self.name]).parameters
        return {word: parameters[word].default for word in self.words}

    def default(self, role: str) -> Any:
        """What a role is if nobody says otherwise; None if there is no word for it."""
        for word, default in self.defaults().items():
            roles = self.words[word]
            if role == roles:
                return default
            if role in roles and not isinstance(roles, str):
                return default[roles.index(role)]
        return None

    def arguments(self, values: Mapping[str, Any]) -> list[str]:
        """The arguments as one would write them, without those that are the defaults."""
        usual = {word: 0.0 if default is None else default for word, default in self.defaults().items()}
        return [f"{word}={_text(value)}" for word, value in self.keywords(values).items() if value != usual.get(word)]


@dataclass(frozen=True, eq=False)
class Form:
    """A formula, and the spellings of it; the first one makes it, decoupled decay is added where it has none."""

    family: str
    spellings: tuple[Spelling, ...]
    needs: str = ""  # a role that is never 0 here: with 0 it would be another form
    fixed: Mapping[str, float] = field(default_factory=dict)  # roles that have to be Python numbers
    common: bool = True  # compared with every rule, not only within its family
    takes_signs: bool = False  # steps are signs, which have no derivative to search along

    @property
    def roles(self) -> list[str]:
        """The roles whose values are free."""
        return sorted(set().union(*(spelling.roles() for spelling in self.spellings)) - set(self.fixed))

    def spellings_of(self, values: Mapping[str, Any]) -> list[Spelling]:
        """The spellings that have a word for every role that is not 0."""
        given = {role for role in self.roles if values[role]}
        return [each for each in self.spellings if given <= each.roles() and (not self.needs or self.needs in given)]

    def names(self, values: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
        """Under which names that is published, and with which arguments; those with the fewest first."""
        every = {**values, **self.fixed}
        named = [(each.name, each.arguments(every)) for each in self.spellings_of(values)]
        return sorted(named, key=lambda each: len(each[1]))

    def make(self, rate: ScalarOrSchedule, values: Mapping[str, Any]) -> OptimiserLike:
        """The optimiser; `values` has every free role, numbers or tracers."""
        base, values = self.spellings[0], {**values, **self.fixed}
        rule = FACTORIES[base.name](rate, **base.keywords(values))
        own = "decoupled" in base.roles() or "decoupled" not in values
        return rule if own else decay_decoupled(rule, rate, values["decoupled"])


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_text(each) for each in value)})"
    return f"{value:.10g}" if isinstance(value, float) else repr(value)


def _spelling(name: str, *words: Words, **flags: Any) -> Spelling:
    return Spelling(name, {word: role for each in words for word, role in each.items()}, flags)


def _form(family: str, *spellings: Spelling, **keywords: Any) -> Form:
    return Form(family, spellings, **keywords)


L2, DECOUPLED = {"weight_decay": "l2"}, {"weight_decay": "decoupled"}
ROOT, MOMENTUM, EPS = {"eps_root": "eps_root"}, {"momentum": "momentum"}, {"eps": "eps"}
EPSILON, ALPHA = {"epsilon": "eps"}, {"alpha": "momentum"}
ADAM = {"b1": "b1", "b2": "b2", "eps": "eps"}
KERAS = {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps"}
TORCH: Words = {"betas": ("b1", "b2"), "eps": "eps"}
_s, _f = _spelling, _form


def _sgd() -> list[Form]:
    outside, own = {"learning_rate_inside": False}, {"dampening": "dampening"}
    return [
        _f(
            "momentum",
            _s("sgd", L2),
            _s("goodfellow.sgd"),
            _s("optax.sgd"),
            _s("torch.SGD", L2),
            _s("keras.SGD", L2),  # decoupled there, which is the same without a velocity
        ),
        _f(
            "momentum",
            _s("momentum", MOMENTUM, own, L2, **outside),
            _s("optax.sgd", MOMENTUM),
            _s("torch.SGD", MOMENTUM, own, L2),
            needs="momentum",
        ),
        _f(
            "momentum",
            _s("momentum", MOMENTUM, own, L2),
            _s("goodfellow.momentum", ALPHA),
            _s("keras.SGD", MOMENTUM, DECOUPLED),
            _s("sklearn.sgd", MOMENTUM, nesterovs_momentum=False),
            _s("sklearn.SGDOptimizer", MOMENTUM, nesterov=False),
            needs="momentum",
        ),
        _f(
            "momentum",
            _s("nesterov", MOMENTUM, L2, **outside),
            _s("optax.sgd", MOMENTUM, nesterov=True),
            _s("torch.SGD", MOMENTUM, L2, nesterov=True),
            needs="momentum",
        ),
        _f(
            "momentum",
            _s("nesterov", MOMENTUM, L2),
            _s("goodfellow.nesterov", ALPHA),
            _s("keras.SGD", MOMENTUM, DECOUPLED, nesterov=True),
            _s("sklearn.sgd", MOMENTUM),
            _s("sklearn.SGDOptimizer", MOMENTUM),
            needs="momentum",
        ),
    ]


def _adagrad() -> list[Form]:
    start = {"initial_accumulator_value": "initial"}
    ours = {"initial_accumulator": "initial"}
    return [
        _f(
            "adagrad",
            _s("torch.Adagrad", EPS, start, {"lr_decay": "lr_decay"}, L2),
            _s("adagrad", EPS, ours, L2),
            _s("goodfellow.adagrad", {"delta": "eps"}),
        ),
        _f(
            "adagrad",
            _s("adagrad", EPS, ours, L2, eps_inside=True),
            _s("optax.adagrad", EPS, start),
            _s("keras.Adagrad", EPSILON, start, DECOUPLED),
        ),
    ]


def _rmsprop(centred: bool) -> list[Form]:
    ours: Words = {"decay": "decay", "eps": "eps", "momentum": "momentum", "initial_mean_square": "initial"}
    optax: Words = {"decay": "decay", "eps": "eps", "momentum": "momentum", "initial_scale": "initial"}
    c, z = ({"centred": True}, {"centered": True}) if centred else ({}, {})
    keras = _s("keras.RMSprop", {"rho": "decay"}, MOMENTUM, EPSILON, DECOUPLED, **z)
    book = [] if centred else [_s("goodfellow.rmsprop", {"rho": "decay", "delta": "eps"})]
    book6 = [] if centred else [_s("goodfellow.rmsprop_nesterov", {"rho": "decay"}, ALPHA)]
    out, corrected = {"eps_inside": False}, {"bias_correction": True}
    beside = {"eps_in_sqrt": False}
    torch = _s("torch.RMSprop", {"alpha": "decay"}, EPS, MOMENTUM, L2, **z)

    def bare(**flags: Any) -> Form:  # Nesterov's velocity, which only optax and the book have
        first = _s("optax.rmsprop", optax, nesterov=True, **flags, **z)
        return _f("rmsprop", first, *([] if flags else book6), needs="momentum", common=False)

    return [
        _f("rmsprop", _s("rmsprop", ours, L2, **c), *book, _s("optax.rmsprop", optax, **z), keras),
        _f("rmsprop", _s("rmsprop", ours, L2, learning_rate_inside=False, **out, **c), torch, common=not centred),
        _f("rmsprop", _s("rmsprop", ours, L2, **out, **c), _s("optax.rmsprop", optax, **beside, **z), common=False),
        _f(
            "rmsprop",
            _s("rmsprop", ours, L2, **corrected, **c),
            _s("optax.rmsprop", optax, **corrected, **z),
            common=not centred,
        ),
        _f(
            "rmsprop",
            _s("rmsprop", ours, L2, **out, **corrected, **c),
            _s("optax.rmsprop", optax, **beside, **corrected, **z),
            common=False,
        ),
        *(bare(**a, **b) for a in ({}, beside) for b in ({}, corrected)),
    ]


def _adadelta() -> list[Form]:
    rho = {"rho": "decay"}
    return [
        _f(
            "adadelta",
            _s("adadelta", rho, EPS, L2),
            _s("optax.adadelta", rho, EPS, L2),
            _s("torch.Adadelta", rho, EPS, L2),
            _s("keras.Adadelta", rho, EPSILON, DECOUPLED),
        )
    ]


def _adam() -> list[Form]:
    return [
        _f(
            "adam",
            _s("adam", ADAM, ROOT, L2),
            _s("adamw", ADAM, ROOT, DECOUPLED),
            _s("goodfellow.adam", {"rho1": "b1", "rho2": "b2", "delta": "eps"}),
            _s("optax.adam", ADAM, ROOT),
            _s("optax.adamw", ADAM, ROOT, DECOUPLED),
            _s("torch.Adam", TORCH, L2),
            _s("torch.AdamW", TORCH, DECOUPLED),
        ),
        _f(
            "adam",
            _s("adam", ADAM, ROOT, L2, eps_hat=True),
            _s("adamw", ADAM, ROOT, DECOUPLED, eps_hat=True),
            _s("keras.Adam", KERAS, DECOUPLED),
            _s("keras.AdamW", KERAS, DECOUPLED),
            _s("sklearn.adam", KERAS),
            _s("sklearn.AdamOptimizer", KERAS),
        ),
        _f(
            "adam",
            _s("adamax", ADAM, L2),
            _s("optax.adamax", ADAM),
            _s("optax.adamaxw", ADAM, DECOUPLED),
            _s("torch.Adamax", TORCH, L2),
        ),
        _f("adam", _s("adamax", ADAM, L2, eps_inside=False), _s("keras.Adamax", KERAS, DECOUPLED)),
    ]


def _amsgrad() -> list[Form]:
    raw, mu, nu = {"maximum": "raw"}, {"bias_correction_mu": False}, {"bias_correction_nu": False}
    return [
        _f("amsgrad", _s("amsgrad", ADAM, ROOT, L2), _s("optax.amsgrad", ADAM, ROOT)),
        _f(
            "amsgrad",
            _s("amsgrad", ADAM, ROOT, L2, **raw),
            _s("torch.Adam", TORCH, L2, amsgrad=True),
            _s("torch.AdamW", TORCH, DECOUPLED, amsgrad=True),
        ),
        _f(
            "amsgrad",
            _s("amsgrad", ADAM, ROOT, L2, eps_hat=True, **raw),
            _s("keras.Adam", KERAS, DECOUPLED, amsgrad=True),
            _s("keras.AdamW", KERAS, DECOUPLED, amsgrad=True),
            common=False,
        ),
        _f("amsgrad", _s("amsgrad", ADAM, ROOT, L2, maximum="paper"), _s("optax.amsgrad", ADAM, ROOT, **mu, **nu)),
        _f("amsgrad", _s("optax.amsgrad", ADAM, ROOT, **nu), common=False),
        _f("amsgrad", _s("optax.amsgrad", ADAM, ROOT, **mu), common=False),
    ]


def _nadam(psi: float) -> Form:
    own = {"momentum_decay": "psi"}
    spellings = [_s("nadam", ADAM, ROOT, L2, own), _s("torch.NAdam", TORCH, L2, own)]
    spellings += [_s("torch.NAdam", TORCH, DECOUPLED, own, decoupled_weight_decay=True)]
    if psi == 1:
        spellings += [_s("keras.Nadam", KERAS, DECOUPLED)]
    if psi == math.inf:
        spellings += [_s("optax.nadam", ADAM, ROOT), _s("optax.nadamw", ADAM, ROOT, DECOUPLED)]
    return _f("nadam", *spellings, fixed={"psi": psi})


def _radam(b2: float, threshold: float, hat: bool) -> Form:
    own, common = {"threshold": "threshold"}, b2 == 0.999 and threshold == 5
    spellings = [_s("radam", ADAM, ROOT, L2, own, **({"eps_hat": True} if hat else {}))]
    if not hat:
        spellings += [_s("optax.radam", ADAM, ROOT, own)]
    elif threshold == 5:
        spellings += [_s("torch.RAdam", TORCH, L2), _s("torch.RAdam", TORCH, DECOUPLED, decoupled_weight_decay=True)]
    return _f("radam", *spellings, fixed={"b2": b2, "threshold": threshold}, common=common)


def _lion() -> list[Form]:
    ours = {"b1": "b1", "b2": "b2"}
    theirs = {"beta_1": "b1", "beta_2": "b2"}
    return [
        _f(
            "lion",
            _s("lion", ours, DECOUPLED),
            _s("optax.lion", ours, DECOUPLED),
            _s("keras.Lion", theirs, DECOUPLED),
            takes_signs=True,
        )
    ]


FORMS: tuple[Form, ...] = (
    *_sgd(),
    *_adagrad(),
    *_rmsprop(centred=False),
    *_rmsprop(centred=True),
    *_adadelta(),
    *_adam(),
    *_amsgrad(),
    *(_nadam(psi) for psi in (math.inf, 0.004, 1.0)),
    *(_radam(0.999, threshold, hat) for threshold in (5.0, 4.0) for hat in (False, True)),
    *(_radam(b2, 5.0, hat) for b2 in (0.9, 0.95, 0.98, 0.99, 0.995, 0.9999) for hat in (False, True)),
    *_lion(),
)
