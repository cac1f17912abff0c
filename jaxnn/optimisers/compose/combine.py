"""Optimisers composed of optimisers: one after another, or on some of the parameters.

In a chain, each link gets the updates of the link before it in place of gradients, and the extra arguments that it
accepts, so links of jaxnn and optax can be mixed.
"""

from typing import Any

import jax

from jaxnn import factories
from jaxnn.optimisers import protocol
from jaxnn.types import Optimiser, OptimiserLike, Params, Updates


@factories.optimiser
def chain(*links: OptimiserLike) -> Optimiser:
    """Applies several optimisers in turn, each to the updates of the one before: `chain(clip_by_value(1.0), sgd(0.1))`.

    Args:
        links: any number of optimisers, ours or optax's. At most one of them should flip the sign of the gradient.
    """

    def init(params: Params) -> tuple[Any, ...]:
        return tuple(link.init(params) for link in links)

    @protocol.forwards_extra
    def update(
        grads: Updates, state: tuple[Any, ...], params: Params = None, **extra: Any
    ) -> tuple[Updates, tuple[Any, ...]]:
        if len(state) != len(links):
            raise ValueError(
                f"The state belongs to a chain of {len(state)} links, but this chain has {len(links)}: use that of its"
                " own init."
            )
        after = []
        for link, link_state in zip(links, state, strict=True):
            grads, link_state = protocol.update(link, grads, link_state, params, **extra)
            after.append(link_state)
        return grads, tuple(after)

    if any(map(protocol.is_row_by_row, links)):
        protocol.row_by_row(update)
    return Optimiser(init, update)


@factories.optimiser
def masked(inner: OptimiserLike, mask: Any) -> Optimiser:
    """Applies `inner` where the mask is True and leaves everything else unchanged, as `optax.masked` does.

    What is left unchanged is still a gradient, not a step, so use this inside a chain, such as
    `chain(masked(add_weight_decay(1e-4), weights_only), adam(1e-3))` or
    `chain(adam(1e-3), masked(set_to_zero(), frozen))`.

    Args:
        inner: an optimiser; it gets no other leaves and keeps no state for them.
        mask: a pytree of booleans, of the parameters' structure or a prefix of it, or a function params -> such a tree.
    """

    def hidden(values: Any) -> tuple[Any, Any]:
        chosen = mask(values) if callable(mask) else mask
        chosen = jax.tree.map(lambda flag, part: jax.tree.map(lambda _: bool(flag), part), chosen, values)
        return chosen, jax.tree.map(lambda flag, value: value if flag else None, chosen, values)

    def init(params: Params) -> Any:
        return inner.init(hidden(params)[1])

    @protocol.forwards_extra
    def update(grads: Updates, state: Any, params: Params = None, **extra: Any) -> tuple[Updates, Any]:
        chosen, seen = hidden(grads)
        seen_params = None if params is None else hidden(params)[1]
        extra = {
            name: each for name, each in extra.items() if name not in protocol.OBJECTIVE_ARGUMENTS
        }  # these involve all parameters
        if "grad" in extra:
            extra["grad"] = hidden(extra["grad"])[1]
        if "value_fn" in extra:  # as a function of the masked parameters only, with the others fixed
            whole = extra["value_fn"]
            extra["value_fn"] = lambda part: whole(
                jax.tree.map(lambda flag, p, v: v if flag else p, chosen, params, _fill(part, chosen))
            )
        updates, state = protocol.update(inner, seen, state, seen_params, **extra)
        back = jax.tree.map(lambda flag, g, u: u if flag else g, chosen, grads, _fill(updates, chosen))
        return back, state

    return Optimiser(init, update)


def _fill(updates: Updates, chosen: Any) -> Updates:
    """The updates with placeholders for hidden leaves, so the trees have the same structure again."""
    leaves = iter(jax.tree.leaves(updates))
    return jax.tree.map(lambda flag: next(leaves) if flag else 0, chosen)
