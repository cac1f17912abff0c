"""Symmetric matrices with known spectra, and a small network with its dense Hessian from jax.hessian."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxnn import losses, mlp
from jaxnn.objective import Objective

N = 60
RNG = np.random.default_rng(11)
SPECTRA = {
    "diagonal": np.arange(1.0, N + 1),
    "semicircle": np.linalg.eigvalsh(sum((g + g.T) / np.sqrt(8 * N) for g in [RNG.normal(size=(N, N))])),
    "clusters": np.concatenate([np.full(20, 1.0) + 1e-7 * RNG.normal(size=20), 5 + 1e-4 * RNG.normal(size=40)]),
    "outliers": np.concatenate([[90.0, 40.0, -30.0], 0.1 * RNG.normal(size=N - 3)]),
    "low rank": np.concatenate([[4.0, -3.0, 2.0, 1.0], np.zeros(N - 4)]),
    "repeated": np.repeat([5.0, 4.0, -2.0, 0.5], 15),
    "identity": np.ones(N),
    "zero": np.zeros(N),
}


def matrix(values, seed=0):
    """A dense symmetric matrix with these eigenvalues, in double precision."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    product = (rotation * values) @ rotation.T
    return (product + product.T) / 2


MATRICES = {name: matrix(values) for name, values in SPECTRA.items()}
STACK = np.stack(list(MATRICES.values()))


def quadratic(a):
    """½ θᵀ A θ over a tree of two leaves, whose Hessian is A in ravel order."""

    def f(params):
        flat = jnp.concatenate([params["first"].ravel(), params["second"]])
        return 0.5 * flat @ (a @ flat)

    return f


def parameters(n, dtype=None):
    """A tree of n parameters in two leaves."""
    values = jnp.linspace(-1, 1, n, dtype=dtype)
    return {"first": values[: n // 2 * 1].reshape(-1, 1), "second": values[n // 2 :]}


def network(sizes=(3, 6, 4), rows=40, seed=0, activation=jnp.tanh):
    """(objective, params, batch) of a fresh classifier: its Hessian is indefinite and singular."""
    rng = np.random.default_rng(seed)
    batch = (jnp.asarray(rng.normal(size=(rows, sizes[0]))), jnp.asarray(rng.integers(sizes[-1], size=rows)))
    objective = Objective(functools.partial(mlp.apply, activation=activation), losses.softmax_cross_entropy)
    return objective, mlp.init(jax.random.key(seed), sizes), batch


def dense(f, params):
    """The Hessian by jax.hessian, in ravel order."""
    flat, back = ravel_pytree(params)
    return np.asarray(jax.jit(jax.hessian(lambda vector: f(back(vector))))(flat))
