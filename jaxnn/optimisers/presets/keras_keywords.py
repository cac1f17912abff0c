"""What all of Keras's optimisers do around their rule: clip gradients in one of three ways, and decay the weights."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax

from jaxnn import checks, factories
from jaxnn.optimisers.compose.combine import chain
from jaxnn.optimisers.compose.links import clip_by_global_norm, clip_by_value
from jaxnn.optimisers.presets.building_blocks import decay_decoupled
from jaxnn.types import Optimiser, Params, Scalar, ScalarOrSchedule, Strength, Updates


def keras_optimiser(rule_of: Callable[..., Optimiser]) -> Callable[..., Any]:
    """A factory of optimisers from a rule's: after the rule's own keywords come those of `clipped_and_decayed`."""
    rules_own = inspect.signature(rule_of)
    _, _, *common = inspect.signature(clipped_and_decayed).parameters.values()
    signature = rules_own.replace(parameters=[*rules_own.parameters.values(), *common])

    @functools.wraps(rule_of)
    def factory(*arguments: Any, **keywords: Any) -> Optimiser:
        given = signature.bind(*arguments, **keywords)
        given.apply_defaults()
        around = {parameter.name: given.arguments.pop(parameter.name) for parameter in common}
        return clipped_and_decayed(rule_of(**given.arguments), given.arguments["learning_rate"], **around)

    factory.__signature__ = signature  # type: ignore[attr-defined]
    return factories.optimiser(factory)


def clipped_and_decayed(
    rule: Optimiser,
    learning_rate: ScalarOrSchedule,
    weight_decay: Strength | None = None,
    clipnorm: Scalar | None = None,
    clipvalue: Scalar | None = None,
    global_clipnorm: Scalar | None = None,
) -> Optimiser:
    """The rule with Keras's clipping before it and Keras's decoupled weight decay after it; None means neither."""
    clips = {
        "clipnorm": (clipnorm, _clip_by_norm),
        "clipvalue": (clipvalue, clip_by_value),
        "global_clipnorm": (global_clipnorm, clip_by_global_norm),
    }
    links = [clip(size) for size, clip in clips.values() if size is not None]
    if len(links) > 1:
        raise ValueError(f"Keras clips in at most one way: give only one of {', '.join(clips)}.")
    decaying = rule if weight_decay is None else decay_decoupled(rule, learning_rate, weight_decay)
    return chain(*links, decaying) if links else decaying


def _clip_by_norm(clipnorm: Scalar) -> Optimiser:
    """Clips each leaf by its own norm."""
    checks.positive(clipnorm=clipnorm)
    clip = clip_by_global_norm(clipnorm)

    def update(grads: Updates, state: Any, params: Params = None, **extra: Any) -> tuple[Updates, Any]:
        del params, extra
        return jax.tree.map(lambda g: clip.update(g, state)[0], grads), state

    return Optimiser(clip.init, update)
