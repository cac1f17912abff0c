"""How far Adam in float32 is from Adam: 2000 coordinates, 1000 steps, against extended precision.

python -m benchmarks.accuracy
"""

import importlib.util
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import optimisers

STEPS = (1, 10, 100, 1000)
LEARNING_RATE, B1, B2, EPS = 1e-3, 0.9, 0.999, 1e-8


def gradients(seed: int = 0) -> np.ndarray:
    """Float32 gradients whose sizes go from 1e-4 to 10, coordinate by coordinate; (1000, 2000)."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(STEPS[-1], 2000)) * 10 ** rng.uniform(-4, 1, size=2000)).astype(np.float32)


def exact(gradients: np.ndarray) -> list[np.ndarray]:
    """The displacements at STEPS, from the paper's formula in 80 bits, each power βᵗ taken afresh."""
    wide = np.longdouble
    assert np.finfo(wide).nmant >= 63, "this machine has no extended precision"
    b1, b2, eps, eta = wide(B1), wide(B2), wide(EPS), wide(LEARNING_RATE)
    m = v = theta = np.zeros(gradients.shape[1], wide)
    reached = []
    for t, g in enumerate(gradients.astype(wide), start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        theta = theta - eta * (m / (1 - b1 ** wide(t))) / (np.sqrt(v / (1 - b2 ** wide(t))) + eps)
        if t in STEPS:
            reached.append(theta)
    return reached


def median_ulps(displacements: Sequence[Any], exact_displacements: Sequence[Any]) -> list[float]:
    """The median distance at each of STEPS, in float32's spacing at the exact value."""
    pairs = zip(displacements, exact_displacements, strict=True)
    return [float(np.median(np.abs(d - x) / np.spacing(np.abs(x).astype(np.float32)))) for d, x in pairs]


def floor(gradients: np.ndarray) -> list[np.ndarray]:
    """The displacements of the best that float32 parameters and moments allow: all arithmetic in double precision."""
    m = v = theta = np.zeros(gradients.shape[1], np.float32)
    reached = []
    for t, g in enumerate(gradients.astype(np.float64), start=1):
        m = (B1 * m.astype(np.float64) + (1 - B1) * g).astype(np.float32)
        v = (B2 * v.astype(np.float64) + (1 - B2) * g**2).astype(np.float32)
        m_hat, v_hat = m.astype(np.float64) / (1 - B1**t), v.astype(np.float64) / (1 - B2**t)
        theta = (theta - LEARNING_RATE * m_hat / (np.sqrt(v_hat) + EPS)).astype(np.float32)
        if t in STEPS:
            reached.append(theta)
    return reached


def ours(gradients: np.ndarray) -> list[np.ndarray]:
    """The displacements of `optimisers.adam`, compiled as one scan."""
    return followed(optimisers.adam(LEARNING_RATE, b1=B1, b2=B2, eps=EPS), gradients)


def followed(optimiser: Any, gradients: np.ndarray) -> list[np.ndarray]:
    """The displacements of any optimiser of ours or optax's."""

    def step(carry: Any, g: Any) -> Any:
        theta, state = carry
        updates, state = optimiser.update(g, state, theta)
        return (theta + updates, state), theta + updates

    theta = jnp.zeros(gradients.shape[1], jnp.float32)
    path = jax.jit(lambda: jax.lax.scan(step, (theta, optimiser.init(theta)), gradients)[1])()
    return [np.asarray(path[t - 1]) for t in STEPS]


def optax_adam(gradients: np.ndarray) -> list[np.ndarray]:
    """The displacements of `optax.adam`."""
    import optax

    return followed(optax.adam(LEARNING_RATE, b1=B1, b2=B2, eps=EPS), gradients)


def torch_adam(gradients: np.ndarray) -> list[np.ndarray]:
    """The displacements of `torch.optim.Adam`."""
    import torch

    theta = torch.zeros(gradients.shape[1])
    optimiser = torch.optim.Adam([theta], lr=LEARNING_RATE, betas=(B1, B2), eps=EPS)
    reached = []
    for t, g in enumerate(gradients, start=1):
        theta.grad = torch.tensor(g)
        optimiser.step()
        if t in STEPS:
            reached.append(theta.numpy().copy())
    return reached


CONTENDERS: dict[str, Callable[[np.ndarray], list[np.ndarray]]] = {
    "jaxnn": ours,
    "torch": torch_adam,
    "optax": optax_adam,
    "the best that float32 state allows": floor,
}


def table() -> str:
    """Markdown: the median distance at each of STEPS; a library that is not installed is said to be so."""
    grads = gradients()
    truth = exact(grads)
    rows = ["| steps | " + " | ".join(map(str, STEPS)) + " |", "| --- |" + " ---: |" * len(STEPS)]
    for name, contender in CONTENDERS.items():
        if importlib.util.find_spec(name) is None and name in ("torch", "optax"):
            rows.append(f"| {name} | not installed |" + " |" * (len(STEPS) - 1))
            continue
        version = f" {metadata.version(name)}" if name in ("torch", "optax") else ""
        distances = median_ulps(contender(grads), truth)
        rows.append(f"| {name}{version} | " + " | ".join(f"{distance:.2g}" for distance in distances) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
