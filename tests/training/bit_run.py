"""What `test_bits` compares between processes: as digests, by name. `one` keeps this process to one core."""

import hashlib
import json
import os
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import losses, mlp, optimisers, training
from jaxnn.objective import Objective

ROWS, STEPS = 200, 300
OBJECTIVE = Objective(partial(mlp.apply, activation=jnp.tanh), losses.squared_error)


def trained(key: jax.Array) -> mlp.Params:
    """A network of 100 parameters after 300 steps of Adam, its weights and its batches drawn from the key."""
    draw, order = jax.random.split(key)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(ROWS, 3)), jnp.float32)
    rows = jax.random.randint(order, (STEPS, 16), 0, ROWS)
    data = (x, jnp.sin(x.sum(axis=1, keepdims=True)))
    return training.run(OBJECTIVE, optimisers.adam(1e-2), mlp.init(draw, (3, 20, 1)), data, rows)[0].params


def digest(tree: object) -> str:
    """Of all bytes of all leaves."""
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))).hexdigest()


def found() -> dict[str, str]:
    """The digests: of a run, and of what is drawn for one."""
    key = jax.random.key(7)
    draws = [jax.random.bits(key, (1000,)), jax.random.uniform(key, (1000,)), jax.random.bernoulli(key, 0.3, (1000,))]
    return {
        "parameters": digest(jax.jit(trained)(key)),
        "draws": digest(draws),
        "orders": digest([training.order(key, epoch, 1000) for epoch in range(3)]),
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["one"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before XLA makes its threads
    print(json.dumps(found()))
