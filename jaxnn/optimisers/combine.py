"""Optimisers out of optimisers: pipelines, clipping, masks, accumulation, hyperparameters as state.

A link of a chain takes the updates of the link before it where an optimiser takes gradients. `chain` passes to each
link the words that it names, so that links of either library may stand in it.

References:
    Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, 2013 (clipping).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxnn import checks, tree
from jaxnn.optimisers.gradients import given
from jaxnn.optimisers.words import understood
from jaxnn.types import Optimiser, OptimiserLike, Params, Updates


def chain(*links: OptimiserLike) -> Optimiser:
    """Applies several optimisers in turn, each to the updates of the one before: `chain(clip_by_value(1.0), sgd(0.1))`.

    Args:
        links: any number of optimisers, ours or optax's. At most one of them should flip the sign of the gradient.
    """

    def init(params: Params) -> tuple[Any, ...]:
        return tuple(link.init(params) for link in links)

    def update(
        grads: Updates, state: tuple[Any, ...], params: Params = None, **words: Any
    ) -> tuple[Updates, tuple[Any, ...]]:
        if len(state) != len(links):
            raise ValueError(f"The state is of a chain of {len(state)} links, this chain has {len(links)}.")
        after = []
        for link, link_state in zip(links, state, strict=True):
            grads, link_state = link.update(grads, link_state, params, **understood(link, words))
            after.append(link_state)
        return grads, tuple(after)

    return Optimiser(init, update)


def clip_by_global_norm(max_norm: Any) -> Optimiser:
    """Scales the whole gradient down to norm `max_norm` > 0 where it is longer; its direction stays.

    Raises:
        ValueError: a norm that is not positive.
    """
    checks.positive(max_norm=max_norm)

    def clip(grads: Updates, params: Params) -> Updates:
        del params
        norm = tree.norm(grads)
        scale = jnp.where(norm > max_norm, max_norm / jnp.where(norm > 0, norm, 1), 1)
        return tree.cast_like(jax.tree.map(lambda g: g * scale.astype(g.dtype), tree.widen(grads)), grads)

    return _stateless(clip)


def clip_by_value(max_size: Any) -> Optimiser:
    """Cuts every coordinate to [-max_size, max_size], max_size > 0.

    Raises:
        ValueError: a size that is not positive.
    """
    checks.positive(max_size=max_size)
    return _stateless(lambda grads, _: jax.tree.map(lambda g: jnp.clip(g, -max_size, max_size).astype(g.dtype), grads))


def add_weight_decay(weight_decay: Any) -> Optimiser:
    """Adds λθ to the gradient, λ ≥ 0: the gradient of the L2 penalty ½ λ ‖θ‖².

    Before an adaptive rule this is L2; for decoupled decay use `adamw`.

    Raises:
        ValueError: negative decay; `update` without the parameters.
    """
    checks.non_negative(weight_decay=weight_decay)

    def add(grads: Updates, params: Params) -> Updates:
        return jax.tree.map(
            lambda g, p: (g + weight_decay * p).astype(g.dtype), grads, given(params, "add_weight_decay")
        )

    return _stateless(add)


def set_to_zero() -> Optimiser:
    """No step at all; with `masked` it freezes a part of the parameters."""
    return _stateless(lambda grads, _: jax.tree.map(jnp.zeros_like, grads))


def masked(inner: OptimiserLike, mask: Any) -> Optimiser:
    """Applies `inner` where the mask is True and lets everything else through as it came, as `optax.masked` does.

    What is let through is still a gradient, not a step: use it inside a chain, as in
    `chain(masked(add_weight_decay(1e-4), weights_only), adam(1e-3))` or
    `chain(adam(1e-3), masked(set_to_zero(), frozen))`.

    Args:
        inner: an optimiser; it never sees the other leaves and keeps no state for them.
        mask: a pytree of booleans, like the parameters or a prefix of them, or a function of the parameters giving one.
    """

    def hidden(values: Any) -> tuple[Any, Any]:
        chosen = mask(values) if callable(mask) else mask
        chosen = jax.tree.map(lambda flag, part: jax.tree.map(lambda _: bool(flag), part), chosen, values)
        return chosen, jax.tree.map(lambda flag, value: value if flag else None, chosen, values)

    def init(params: Params) -> Any:
        return inner.init(hidden(params)[1])

    def update(grads: Updates, state: Any, params: Params = None, **words: Any) -> tuple[Updates, Any]:
        chosen, seen = hidden(grads)
        seen_params = None if params is None else hidden(params)[1]
        words = {name: word for name, word in words.items() if name != "grad"}  # it has leaves that inner must not see
        updates, state = inner.update(seen, state, seen_params, **understood(inner, words))
        back = jax.tree.map(lambda flag, g, u: u if flag else g, chosen, grads, _fill(updates, chosen))
        return back, state

    return Optimiser(init, update)


class AccumulateState(NamedTuple):
    """What gradient accumulation carries from step to step."""

    collected: Int[Array, ""]  # gradients since the last step, below `steps`
    mean: Updates  # their mean, like params
    inner: Any  # the inner optimiser's state


def accumulate(inner: OptimiserLike, *, steps: int) -> Optimiser:
    """Collects the mean of `steps` ≥ 1 gradients before each step of `inner`; no step in between.

    With equal batches this is `inner` on batches `steps` times as large.

    Raises:
        ValueError: fewer than one step.
    """
    checks.whole(1, steps=steps)

    def init(params: Params) -> AccumulateState:
        return AccumulateState(tree.start(), tree.zeros(params), inner.init(params))

    def update(
        grads: Updates, state: AccumulateState, params: Params = None, **words: Any
    ) -> tuple[Updates, AccumulateState]:
        count = state.collected + 1
        mean = jax.tree.map(lambda m, g: m + (g - m) / count, state.mean, tree.widen(grads))
        mean = tree.cast_like(mean, state.mean)

        def act() -> tuple[Updates, AccumulateState]:
            average = tree.cast_like(mean, grads)
            updates, after = inner.update(average, state.inner, params, **understood(inner, words))
            return updates, AccumulateState(tree.start(), tree.zeros(mean), after)

        def wait() -> tuple[Updates, AccumulateState]:
            return jax.tree.map(jnp.zeros_like, grads), AccumulateState(count, mean, state.inner)

        return jax.lax.cond(count == steps, act, wait)

    return Optimiser(init, update)


class InjectState(NamedTuple):
    """Hyperparameters as data, beside the state of the optimiser that they make."""

    hyperparameters: dict[str, Array]  # change them with `state._replace`: nothing is compiled again
    inner: Any  # the optimiser's own state


def inject(factory: Callable[..., OptimiserLike], **hyperparameters: Any) -> Optimiser:
    """The optimiser `factory(**hyperparameters)` with its hyperparameters in its state.

    They can then be changed between steps, vmapped or differentiated without another compilation:
    `inject(adam, learning_rate=1e-3)`. A decay rate kept so has the rounding of JAX's default float; keep those that
    need not change out of it with `functools.partial(adam, b2=0.9999)`.

    Args:
        factory: makes an optimiser from keyword arguments.
        hyperparameters: numbers and arrays become state; anything else (a schedule, a flag) stays as it is.

    Raises:
        ValueError: a hyperparameter out of the factory's range.
    """
    factory(**hyperparameters)  # its own checks, on the Python values
    numbers = {name: value for name, value in hyperparameters.items() if _is_number(value)}
    fixed = {name: value for name, value in hyperparameters.items() if name not in numbers}

    def init(params: Params) -> InjectState:
        values = {name: jnp.array(value, jnp.result_type(float)) for name, value in numbers.items()}
        return InjectState(values, factory(**values, **fixed).init(params))

    def update(grads: Updates, state: InjectState, params: Params = None, **words: Any) -> tuple[Updates, InjectState]:
        optimiser = factory(**state.hyperparameters, **fixed)
        updates, inner = optimiser.update(grads, state.inner, params, **understood(optimiser, words))
        return updates, InjectState(state.hyperparameters, inner)

    return Optimiser(init, update)


def _stateless(function: Callable[[Updates, Params], Updates]) -> Optimiser:
    def update(grads: Updates, state: Any, params: Params = None, **words: Any) -> tuple[Updates, Any]:
        del words
        return function(grads, params), state

    return Optimiser(lambda params: (), update)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float | jax.Array)


def _fill(updates: Updates, chosen: Any) -> Updates:
    """The updates with a placeholder where a leaf was hidden, so that trees can be mapped together again."""
    leaves = iter(jax.tree.leaves(updates))
    return jax.tree.map(lambda flag: next(leaves) if flag else 0, chosen)
