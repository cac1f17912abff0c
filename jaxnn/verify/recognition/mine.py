"""A user's own update rule: found by its name, made, and checked before it is compared with anything.

Whatever the user's code raises becomes one line, a ValueError with the error's own type and text.
"""

import contextlib
import difflib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.types import OptimiserLike, Params, ScalarOrSchedule, Updates
from jaxnn.verify.compiling import compiler_options
from jaxnn.verify.first_order import given_gradients

RATES = ("learning_rate", "learning_rate_init", "lr", "rate", "step_size", "stepsize", "eta")
CONSTANT = 0.01  # the learning rate of a factory that takes no schedule
FORM = "Give a module, a colon and a name, as in 'package.module:factory'."
NOT_TRACEABLE = (
    jax.errors.ConcretizationTypeError,  # of a branch, too
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
NOTHING = object()


class Mine(NamedTuple):
    """A user's rule, ready to be followed."""

    make: Callable[[Any], OptimiserLike]  # from a learning rate, which is passed over where it has its own
    rate: ScalarOrSchedule | None  # what it was checked with: our schedule, a number, or None if it has its own


def load(spec: str) -> Any:
    """The optimiser or factory called "package.module:name"; the name may have dots.

    The current directory is searched first, as by `python -m`, and stays on Python's path: a module may import its
    neighbours later on.

    Raises:
        ValueError: no colon, no such name (the nearest is offered), neither a function nor an optimiser, or a module
            that fails while it is imported.
        ImportError: no such module.
    """
    name, colon, dotted = spec.partition(":")
    if not (colon and name and dotted) or not all(part.isidentifier() for part in f"{name}.{dotted}".split(".")):
        raise ValueError(f"{spec!r} cannot be imported. {FORM}")
    found: Any = _module(name)
    for depth, attribute in enumerate(dotted.split(".")):
        owner, where = found, ".".join([name, *dotted.split(".")[:depth]])
        with _one_line_errors(f"{where}.{attribute}"):
            found = getattr(owner, attribute, NOTHING)
        if found is NOTHING:
            names = [known for known in dir(owner) if not known.startswith("_")]
            near = difflib.get_close_matches(attribute, names, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{where} has no {attribute!r}.{hint}")
    if not (callable(found) or is_optimiser(found)):
        raise ValueError(
            f"{spec} is {_article(found)}: neither an optimiser (init and update) nor a function that makes one."
        )
    return found


def is_optimiser(thing: Any) -> bool:
    """Whether it has `init` and `update`, and is no class that would have to be called first."""
    return not isinstance(thing, type) and all(callable(getattr(thing, each, None)) for each in ("init", "update"))


def prepared(thing: Any, name: str = "mine") -> Mine:
    """A user's optimiser or factory, made and checked in float32 and float64.

    A factory gets our changing learning rate; if it cannot do with a function, a number.

    Args:
        thing: an optimiser, a factory whose first argument (or the one called `learning_rate` or alike) is the
            learning rate, or a factory that needs no argument.
        name: what it is called in messages.

    Raises:
        ValueError: it is neither, needs more arguments, raises an error, or breaks what loops rely on: see `check`.
    """
    if is_optimiser(thing):
        check(thing, name)
        return Mine(lambda _: thing, None)
    if not callable(thing):
        raise ValueError(f"{name} is {_article(thing)}: neither an optimiser (init and update) nor a function.")
    takes = _rate_argument(thing, name)
    if takes is None:
        check(_called(thing, name), name)
        return Mine(lambda _: _called(thing, name), None)

    def make(rate: ScalarOrSchedule) -> OptimiserLike:
        return _called(thing, name, **{takes: rate}) if takes else _called(thing, name, rate)

    with contextlib.suppress(ValueError):  # reported below for a number
        check(make(given_gradients.rate), name)
        return Mine(make, given_gradients.rate)
    check(make(CONSTANT), name)
    return Mine(make, CONSTANT)


def check(optimiser: OptimiserLike, name: str = "mine") -> None:
    """Holds an optimiser to what every training loop relies on, by tracing one step in float32 and in float64.

    Raises:
        ValueError: `init` or `update` raises an error or cannot be compiled; updates that are not like the gradients;
            a state that changes its structure, shapes or dtypes; a step that depends on more than its arguments.
    """
    params, grads = given_gradients.problem(0, steps=1)
    grads = jax.tree.map(lambda leaf: leaf[0], grads)
    for double in (False, True):
        with jax.enable_x64(double):  # decides the dtype of the arrays
            _check_step(optimiser, name, *(jax.tree.map(jnp.asarray, tree) for tree in (params, grads)))


def path(optimiser: OptimiserLike, name: str, params: Params, grads: Updates) -> Updates:
    """The sum of all updates after each step, a tree of NumPy arrays with a leading axis of steps.

    Sums, rather than parameters: where a rule takes tiny steps, they would drown in the roundings of the parameters.

    Raises:
        ValueError: an update is not finite; or it raises an error.
    """

    def step(carry: Any, g: Updates) -> Any:
        params, moved, state = carry
        updates, state = optimiser.update(g, state, params)
        params, moved = (jax.tree.map(jnp.add, tree, updates) for tree in (params, moved))
        return (params, moved, state), moved

    def follow(params: Params, grads: Updates) -> Updates:
        carry = params, jax.tree.map(jnp.zeros_like, params), optimiser.init(params)
        return jax.lax.scan(step, carry, grads)[1]

    with _one_line_errors(f"{name}, compiled,"):
        arrays = jax.tree.map(jnp.asarray, params)
        run = jax.jit(follow, compiler_options=compiler_options(arrays))
        moved = jax.tree.map(np.asarray, run(arrays, grads))
    bad = [
        (int(np.argmin(finite)), jax.tree_util.keystr(where))
        for where, leaf in jax.tree_util.tree_leaves_with_path(moved)
        if not (finite := np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)).all()
    ]
    if bad:
        step_, where = min(bad)
        raise ValueError(f"{name} returns NaN or inf on ordinary gradients, first at step {step_ + 1}, in {where}.")
    return moved


def _module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()  # the module may be younger than what Python remembers of the folder
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ImportError(
                f"There is no module {name!r} here ({here}) or among the installed ones. {FORM}"
            ) from None
        raise ValueError(f"{name} fails to import: {_words(error)}") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{name} fails to import: {_words(error)}") from None


def _rate_argument(factory: Callable[..., Any], name: str) -> str | None:
    """Where a factory takes the learning rate: "" for its first argument, a keyword, or None if it takes none."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # built in: nothing is known of its arguments
        return ""
    plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p for p in plain if p.default is p.empty]
    rate = next((p for p in plain if p.name in RATES), None)
    first = [p for p in needed if p.kind is not p.KEYWORD_ONLY]
    if rate is None and first:
        rate = first[0]
    further = [p.name for p in needed if p is not rate]
    if further:
        raise ValueError(
            f"{name} needs more than a learning rate: {', '.join(further)}. Wrap it, as in"
            f" `mine = lambda rate: factory(rate, {further[0]}=…)`, and give that."
        )
    if rate is None:
        return "" if any(p.kind is p.VAR_POSITIONAL for p in parameters) else None
    return "" if rate.kind is not rate.KEYWORD_ONLY and rate is plain[0] else rate.name


def _called(factory: Callable[..., Any], name: str, *arguments: Any, **keywords: Any) -> OptimiserLike:
    with _one_line_errors(f"{name}({'learning rate' if arguments or keywords else ''})"):
        made = factory(*arguments, **keywords)
    if not is_optimiser(made):
        raise ValueError(f"{name} makes {_article(made)}, not an optimiser: it has no init and update.")
    return made


def _check_step(optimiser: OptimiserLike, name: str, params: Params, grads: Updates) -> None:
    with _one_line_errors(f"{name}'s init"):
        state = jax.eval_shape(optimiser.init, params)
    traces = []
    for _ in range(2):
        with _one_line_errors(f"{name}'s update(grads, state, params)"):
            traces.append(
                jax.make_jaxpr(lambda g, s, p: optimiser.update(g, s, p), return_shape=True)(grads, state, params)
            )
    (first, result), (second, _) = traces
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ValueError(f"{name}'s update must return a pair, (updates, state), but returns {_article(result)}.")
    updates, after = result
    _check_like(updates, grads, f"{name}'s updates must be like the gradients")
    _check_like(after, state, f"{name}'s state must keep its structure from step to step, because loops are compiled")
    if _text(first) != _text(second) or not _same(first.consts, second.consts):
        raise ValueError(
            f"{name}'s update is not a pure function: traced twice, it gives two different programs. What changes from"
            " step to step belongs into the state."
        )


def _check_like(given: Any, wanted: Any, rule: str) -> None:
    structures = [str(jax.tree.structure(tree)) for tree in (given, wanted)]
    if structures[0] != structures[1]:
        raise ValueError(f"{rule}: the structure is {_one_line(structures[0])}, not {_one_line(structures[1])}.")
    for (where, a), b in zip(jax.tree_util.tree_leaves_with_path(given), jax.tree.leaves(wanted), strict=True):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            leaf = jax.tree_util.keystr(where) or "its only leaf"
            raise ValueError(f"{rule}: {leaf} is {a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}.")


def _same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def _text(jaxpr: Any) -> str:
    """A traced program as text, without the addresses of functions, which differ between two equal ones."""
    return re.sub(r"0x[0-9a-f]+", "", str(jaxpr))


@contextlib.contextmanager
def _one_line_errors(what: str) -> Iterator[None]:
    """Turns any error of the user's code into one line that begins with what was called."""
    try:
        yield
    except NOT_TRACEABLE as error:
        raise ValueError(
            f"{what} cannot be compiled; use jax.numpy and jnp.where in place of NumPy and `if`. {_words(error)}"
        ) from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{what} raises {_words(error)}") from None


def _words(error: BaseException) -> str:
    return _one_line(f"{type(error).__name__}: {error}".rstrip(": "))


def _one_line(thing: Any) -> str:
    return " ".join(str(thing).split())[:300]


def _article(thing: Any) -> str:
    """A thing as a message shows it."""
    if isinstance(thing, tuple) and not hasattr(thing, "_fields"):
        return f"a tuple of {len(thing)}"
    kind = type(thing).__name__
    return "None" if thing is None else f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
