"""The problem on which update rules are compared: gradients that are given, a rate that changes, every kind of leaf.

Gradients are given rather than taken at the parameters, so two rules that differ in a rounding stay as near as
roundings, and two that differ in a convention show the convention and nothing else. The rate jumps and falls: at a
constant one, most conventions of momentum cannot be told apart.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.types import Optimiser, OptimiserLike, Params, Updates
from jaxnn.verify.compiling import compiler_options

STEPS = 200
SHAPES = {"layers": [{"w": (3, 2)}, {"b": ()}], "empty": (0, 2)}


def rate(step: Any) -> Any:
    """A learning rate that jumps and falls, the same for Python numbers and traced ones."""
    return 0.004 * (1 + step % 7) / (1 + 0.01 * step)


def problem(seed: int, steps: int = STEPS) -> tuple[Params, Updates]:
    """Parameters, and gradients with a leading axis of steps whose sizes go over three decades; float64 NumPy arrays.

    The tree is nested, with a 0-d and an empty leaf.
    """
    rng = np.random.default_rng(seed)

    def is_shape(node: Any) -> bool:
        return isinstance(node, tuple)

    def start(shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(rng.normal(size=shape))

    def gradients(shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(size=(steps, *shape)) * 10 ** rng.uniform(-2, 1, size=(steps, *shape))

    params = jax.tree.map(start, SHAPES, is_leaf=is_shape)
    return params, jax.tree.map(gradients, SHAPES, is_leaf=is_shape)


def follow(optimiser: OptimiserLike, params: Params, grads: Updates) -> Params:
    """The parameters after each step, stacked like `grads`; one scan."""

    def step(carry: tuple[Params, Any], g: Updates) -> tuple[tuple[Params, Any], Params]:
        params, state = carry
        updates, state = optimiser.update(g, state, params)
        params = jax.tree.map(lambda p, u: p + u, params, updates)
        return (params, state), params

    def path(params: Params, grads: Updates) -> Params:
        return jax.lax.scan(step, (params, optimiser.init(params)), grads)[1]

    params = jax.tree.map(jnp.asarray, params)
    options = compiler_options(params)
    return jax.tree.map(np.asarray, jax.jit(path, compiler_options=options)(params, grads))


def follow_each(
    makers: Sequence[Callable[[], OptimiserLike]], params: Params, grads: Updates
) -> list[Params | Exception]:
    """The path of each optimiser along the same gradients, or what went wrong while it was made or followed.

    All are one program, which compiles in a third of the time of one each; only if that fails, one each.
    """
    made = [outcome(maker) for maker in makers]
    sound = [optimiser for optimiser in made if not isinstance(optimiser, Exception)]

    def alone(optimiser: OptimiserLike) -> Params | Exception:
        return outcome(lambda: follow(optimiser, params, grads))

    if not sound:
        return made
    together = outcome(lambda: follow(_together(sound), [params] * len(sound), [grads] * len(sound)))
    paths = iter([alone(optimiser) for optimiser in sound] if isinstance(together, Exception) else together)
    return [each if isinstance(each, Exception) else next(paths) for each in made]


def outcome(attempt: Callable[[], Any]) -> Any:
    """What comes of it, an error included: a rule that cannot run is a finding about that rule alone."""
    try:
        return attempt()
    except Exception as error:
        return error


def _together(made: Sequence[OptimiserLike]) -> Optimiser:
    """Several optimisers as one, each on its own copy of the parameters."""

    def init(params: Params) -> list[Any]:
        return [optimiser.init(p) for optimiser, p in zip(made, params, strict=True)]

    def update(grads: Updates, state: Any, params: Params = None, **words: Any) -> tuple[Updates, list[Any]]:
        del words
        steps = [o.update(g, s, p) for o, g, s, p in zip(made, grads, state, params, strict=True)]
        return [updates for updates, _ in steps], [after for _, after in steps]

    return Optimiser(init, update)


def differences(ours: Params, theirs: Params) -> np.ndarray:
    """How far apart two paths are after each step, (steps,): the worst coordinate's |a - b|.

    Each coordinate is measured in units of the farthest that `theirs` ever was from 0 there; a number that is not
    finite is infinitely far.

    Raises:
        ValueError: trees or shapes that differ.
    """
    here, there = str(jax.tree.structure(ours)), str(jax.tree.structure(theirs))
    if here != there:
        raise ValueError(f"The trees differ: {here} and {there}.")
    worst: Sequence[np.ndarray] = [
        _worst(np.asarray(a, np.float64), np.asarray(b, np.float64))
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    ]
    return np.max(worst, axis=0)


def _worst(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.shape != b.shape:
        raise ValueError(f"The shapes differ: {a.shape} and {b.shape}.")
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    farthest = np.abs(b).max(axis=0, initial=0.0)
    with np.errstate(invalid="ignore"):  # inf - inf is what is looked for
        apart = np.abs(a - b) / np.where(farthest > 0, farthest, 1.0)
    return np.where(np.isfinite(apart), apart, np.inf).max(axis=1, initial=0.0)
