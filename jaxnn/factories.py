"""Optimisers and schedules as pytrees: the hyperparameters are leaves, the factory's name and flags are structure.

    @factories.optimiser
    def sgd(learning_rate: ScalarOrSchedule, *, maximise: bool = False) -> Optimiser: ...

    sgd(0.1)                                       prints as sgd(learning_rate=0.1, maximise=False)
    jax.tree.map(lambda rate: 2 * rate, sgd(0.1))  is sgd(0.2)

As an argument of a compiled program, its numbers are data: inside, the factory is called again with tracers, and its
result is traced. A new number compiles nothing.

The annotation of an argument decides what it is:

    Scalar, ScalarOrSchedule, …   numbers: data
    DecayRate                     a number in [0, 1), kept as `numerics.Decay`, so float32 loses no accuracy
    Strength                      a number, but structure if it is a Python 0: the term is absent
    Count                         a whole number of steps: data
    int, bool, str, functions     structure
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import structure
from jaxnn.numerics import Decay
from jaxnn.types import ABSENT_AT_0, COUNT, DECAYS, Optimiser

Factory = TypeVar("Factory", bound=Callable[..., Any])

SHOWN = 8  # the most entries of an array that are printed


class Made:
    """A factory and the arguments that it was called with."""

    splits_itself = True  # for `structure.split`

    def __init__(self, factory: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self.factory, self.is_restored = factory, False
        self.arguments = {name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}

    @property
    def built(self) -> Any:
        """What the factory returns for these arguments: closures."""
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(self.split)):
            return self._build()  # not kept: what is computed within one loop's body must not be used in another's
        return self._kept

    @functools.cached_property
    def _kept(self) -> Any:
        # Known numbers are computed with now, even while jax traces a program: what is kept must not belong to it.
        with jax.ensure_compile_time_eval():
            return self._build()

    def _build(self) -> Any:
        arguments: Any = dict(zip(self.arguments, structure.restore(self.split), strict=True))
        bound = inspect.BoundArguments(_signature(self.factory), arguments)
        return self.factory.__wrapped__(*bound.args, **bound.kwargs)  # type: ignore[attr-defined]

    @functools.cached_property
    def split(self) -> tuple[Any, ...]:
        """The arguments in order, as a pytree of numbers."""
        parameters = _signature(self.factory).parameters
        return tuple(_split(parameters[name].annotation)(value) for name, value in self.arguments.items())

    @classmethod
    def restored(cls, factory: Callable[..., Any], split: Any) -> "Made":
        """The inverse of `split`, with the current leaves. Nothing is checked: they may not even be numbers."""
        made = cls(factory, dict(zip(_signature(factory).parameters, structure.restore(split), strict=True)))
        made.__dict__["split"] = split  # leaves stay leaves, whatever they are now
        made.is_restored = True
        return made

    @property
    def spec(self) -> dict[str, Any]:
        """Its name and arguments, in JSON's types: `{"sgd": {"learning_rate": 0.1, "maximise": False}}`."""
        return {self.name: {name: _plain(value) for name, value in self.arguments.items()}}

    @property
    def name(self) -> str:
        """The factory's name, with the library's for a preset: "adam", "torch.Adam"."""
        return getattr(self.factory, "known_as", self.factory.__name__)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same factory and equal arguments."""
        if not isinstance(other, Made) or self.factory is not other.factory:
            return False
        mine: tuple[list[Any], Any] = jax.tree.flatten(self.split)
        theirs: tuple[list[Any], Any] = jax.tree.flatten(other.split)
        return mine[1] == theirs[1] and all(np.array_equal(a, b) for a, b in zip(mine[0], theirs[0], strict=True))

    def __hash__(self) -> int:
        return hash((self.factory, jax.tree.structure(self.split)))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self._shown())})"

    def _shown(self) -> list[str]:
        parameters = _signature(self.factory).parameters
        shown: list[str] = []
        for name, value in self.arguments.items():
            kind = parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                shown += map(_text, value)
            else:
                named: Any = value if kind is inspect.Parameter.VAR_KEYWORD else {name: value}
                shown += [f"{one}={_text(each)}" for one, each in named.items()]
        return shown

    def __reduce__(self) -> Any:
        if self.is_restored:  # a leaf that is 0 now stays a leaf
            return type(self).restored, (self.factory, self.split)
        return type(self), (self.factory, self.arguments)


_signature = functools.cache(inspect.signature)


class Member:
    """`init` or `update` of an optimiser that a factory made."""

    def __init__(self, made: Made, name: str) -> None:
        self.made, self.name = made, name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Calls the function with these hyperparameters; the dtypes of an update's state stay."""
        result = self.function(*arguments, **keywords)
        if self.name != "update":
            return result
        updates, state = result
        before = arguments[1] if len(arguments) > 1 else keywords.get("state")
        return updates, _in_dtypes_of(before, state)

    @property
    def function(self) -> Callable[..., Any]:
        """The closure."""
        return getattr(self.made.built, self.name)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def __getattr__(self, name: str) -> Any:
        """The function's attributes, such as the marks that `protocol` sets."""
        if name.startswith("__") or name in ("made", "name"):
            raise AttributeError(name)
        return getattr(self.function, name)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same function of an equal optimiser."""
        return isinstance(other, Member) and self.name == other.name and self.made == other.made

    def __hash__(self) -> int:
        return hash((self.made, self.name))

    def __repr__(self) -> str:
        return f"<{self.name} of {self.made!r}>"

    def __reduce__(self) -> Any:
        return Member, (self.made, self.name)


class MadeSchedule(Made):
    """A schedule made by a factory: step -> rate."""

    def __call__(self, step: Any) -> Any:
        """The rate at a step, counted from 0."""
        return self.built(step)


def optimiser(factory: Factory) -> Factory:
    """Decorates a factory of optimisers, which become pytrees whose leaves are the hyperparameters."""
    return _decorated(factory, lambda made: Optimiser(Member(made, "init"), Member(made, "update")), Made)


def schedule(factory: Factory) -> Factory:
    """Decorates a factory of schedules, which become pytrees likewise."""
    return _decorated(factory, lambda made: made, MadeSchedule)


def _decorated(factory: Any, present: Callable[[Any], Any], kind: type[Made]) -> Any:
    signature = inspect.signature(factory)

    @functools.wraps(factory)
    def make(*arguments: Any, **keywords: Any) -> Any:
        factory(*arguments, **keywords)  # runs its own checks on the given values
        bound = signature.bind(*arguments, **keywords)
        bound.apply_defaults()
        return present(kind(make, dict(bound.arguments)))

    return make


def made_by(value: Any) -> Made | None:
    """The factory and the arguments of an optimiser or a schedule; None if it was not made by one of our factories."""
    if isinstance(value, Made):
        return value
    init, update = getattr(value, "init", None), getattr(value, "update", None)
    whole = isinstance(init, Member) and isinstance(update, Member) and init.made is update.made
    return update.made if whole else None  # type: ignore[union-attr]


def stack(factory: Callable[..., Any], **arguments: Any) -> Any:
    """Stacks optimisers or schedules for `jax.vmap`: arguments given as lists vary.

        several = stack(adam, learning_rate=[1e-4, 1e-3, 1e-2], b1=0.9)
        jax.vmap(train, in_axes=(0, None))(several, data)

    Args:
        factory: a factory of this package, such as `optimisers.adam` or `schedules.cosine`.
        arguments: its keyword arguments. Lists, all of the same length, have one value per member; others are shared.

    Returns:
        What `factory` returns, with a leading axis on every leaf.

    Raises:
        ValueError: there is no list, lists have different lengths, or the factory refuses a number.
    """
    lists = {name: values for name, values in arguments.items() if _is_list(values)}
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(
            f"stack needs at least one list of numbers, and lists of the same length, got lengths {lengths}."
        )
    parameters = _signature(factory).parameters
    varying = {
        name: [_present(value, parameters[name].annotation) if any(values) else value for value in values]
        if name in parameters and all(map(structure.is_number, values))
        else values
        for name, values in lists.items()
    }
    members = [
        factory(**arguments | dict(zip(varying, row, strict=True))) for row in zip(*varying.values(), strict=True)
    ]
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *members)


def _present(value: Any, annotation: Any) -> Any:
    """The number, in a form in which a 0 among others is a number too and does not mean that the term is absent."""
    if not structure.is_zero(value):
        return value
    return Decay.of(0.0) if DECAYS in _kinds(annotation) else jnp.zeros(())


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | range) or (structure.is_array(value) and np.ndim(value) == 1)


@functools.cache
def _split(annotation: Any) -> Callable[[Any], Any]:
    """How an argument with that annotation is split into structure and numbers."""
    kinds = set(_kinds(annotation))
    absent = ABSENT_AT_0 in kinds
    if DECAYS in kinds:
        return lambda value: structure.split(_decays(value, absent))
    if kinds and kinds <= {int, bool, str, type(None)}:
        return functools.partial(structure.split, numbers=False)
    if COUNT in kinds:
        return structure.split
    return lambda value: structure.split(
        jax.tree.map(_floats, value, is_leaf=lambda node: made_by(node) is not None), absent_at_0=absent
    )


def _kinds(annotation: Any) -> list[Any]:
    """The types and marks that an annotation consists of."""
    parts = () if get_origin(annotation) is Callable else get_args(annotation)
    return [kind for part in parts for kind in _kinds(part)] or [annotation]


def _decays(value: Any, absent_at_0: bool) -> Any:
    return jax.tree.map(
        lambda rate: structure.Static(0.0) if absent_at_0 and structure.is_zero(rate) else Decay.of(rate),
        value,
        is_leaf=_is_decay,
    )


def _is_decay(node: Any) -> bool:
    return isinstance(node, Decay)


def _floats(value: Any) -> Any:
    """Python's and NumPy's numbers as Python floats, because a rate of 1 means 1.0."""
    if isinstance(value, int | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    return value


def _text(value: Any) -> str:
    if isinstance(value, np.generic):
        return repr(value.item())
    if structure.is_array(value) and not isinstance(value, jax.core.Tracer):
        return repr(np.asarray(value).tolist()) if np.size(value) <= SHOWN else f"{value.dtype}{list(np.shape(value))}"
    return getattr(value, "__name__", None) or repr(value)


def _plain(value: Any) -> Any:
    made = made_by(value)
    if made is not None:
        return made.spec
    if isinstance(value, Decay):
        return value.rate
    if structure.is_array(value) or isinstance(value, np.generic):
        return np.asarray(value).tolist()
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return {"function": name}


def _in_dtypes_of(before: Any, after: Any) -> Any:
    """The state in the dtypes that it had: a stack's numbers are arrays, which may be wider than it."""
    structures: list[Any] = [jax.tree.structure(before), jax.tree.structure(after)]
    if structures[0] != structures[1]:
        return after

    def cast(old: Any, new: Any) -> Any:
        same = not hasattr(new, "dtype") or not hasattr(old, "dtype") or new.dtype == old.dtype
        return new if same else new.astype(old.dtype)

    return jax.tree.map(cast, before, after)


def _flatten(optimiser: Optimiser) -> tuple[Any, Any]:
    made = made_by(optimiser)
    if made is not None:
        return (made.split,), made.factory
    return (structure.split(optimiser.init), structure.split(optimiser.update)), None


def _unflatten(factory: Any, parts: Any) -> Optimiser:
    if factory is None:
        return Optimiser(*structure.restore(tuple(parts)))
    made = Made.restored(factory, *parts)
    return Optimiser(Member(made, "init"), Member(made, "update"))


def _with_keys(flatten: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], tuple[Any, Any]]:
    """Adds keys, which JAX shows as paths in its messages."""

    def flatten_with_keys(value: Any) -> tuple[Any, Any]:
        parts, aux = flatten(value)
        return [(jax.tree_util.SequenceKey(i), part) for i, part in enumerate(parts)], aux

    return flatten_with_keys


def _register(kind: Any, flatten: Any, unflatten: Any) -> None:
    jax.tree_util.register_pytree_with_keys(kind, _with_keys(flatten), unflatten, flatten)


_register(Optimiser, _flatten, _unflatten)
_register(
    Member, lambda m: ((m.made.split,), (m.made.factory, m.name)), lambda a, p: Member(Made.restored(a[0], *p), a[1])
)
_register(MadeSchedule, lambda m: ((m.split,), m.factory), lambda factory, p: MadeSchedule.restored(factory, *p))
