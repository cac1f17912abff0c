"""Ways to clip gradients that are given, and the size at which one of them explains what was seen."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import numpy as np

from jaxnn.types import Updates


def _clip_by_global_norm(grads: Updates, size: float) -> Updates:
    squares = sum(np.sum(g.reshape(len(g), -1) ** 2, axis=1) for g in jax.tree.leaves(grads))
    return jax.tree.map(lambda g: _shrunk(g, np.sqrt(squares), size), grads)


def _clip_by_norm(grads: Updates, size: float) -> Updates:
    return jax.tree.map(lambda g: _shrunk(g, np.linalg.norm(g.reshape(len(g), -1), axis=1), size), grads)


def _clip_by_value(grads: Updates, size: float) -> Updates:
    return jax.tree.map(lambda g: np.clip(g, -size, size), grads)


def _shrunk(g: np.ndarray, norms: np.ndarray, size: float) -> np.ndarray:
    factors = np.minimum(1.0, size / np.maximum(norms, 1e-300))
    return g * factors.reshape(-1, *[1] * (g.ndim - 1))


CLIPS: Mapping[str, Callable[[Updates, float], Updates]] = MappingProxyType(
    {
        "clipped by their global norm": _clip_by_global_norm,
        "clipped by each leaf's norm": _clip_by_norm,
        "clipped by value": _clip_by_value,
    }
)


def least(function: Callable[[float], float]) -> float:
    """The size > 0 at which a function of it is least: the best of common ones, then golden sections around it."""
    common = np.log([0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0])
    i = int(np.argmin([function(math.exp(z)) for z in common]))
    low, high = float(common[max(i - 1, 0)]), float(common[min(i + 1, len(common) - 1)])
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 1e-13:
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if function(math.exp(a)) < function(math.exp(b)) else (a, high)
    return math.exp((low + high) / 2)
