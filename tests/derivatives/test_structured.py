"""The structured Hessian equals `jax.hessian`, and what is known of Hessians of networks; what it refuses."""

from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxnn import activations, derivatives, losses, mlp
from jaxnn.derivatives import MemoryBudgetError
from jaxnn.derivatives.structured import blocks, chunks
from jaxnn.objective import Objective, l2
from jaxnn.verify.problems import compiler_options

ROWS, DRAWS = 11, 3


class Case(NamedTuple):
    """A network, how it is judged, and how its batch is cut."""

    sizes: tuple
    activations: tuple
    loss: str
    bias: tuple = ()  # of each layer; all of them where empty
    weighted: bool = False
    penalty: object = None
    squeezed: bool = False
    one_hot: bool = False
    rows_at_once: int = ROWS


def quartic(params):
    """A penalty whose Hessian is neither constant nor diagonal, and couples layers."""
    return 0.1 * jnp.sum(params[0].w ** 2) * jnp.sum(params[-1].w ** 4)


# Together every elementwise activation in both first and later places, every loss, depths 1 to 5, widths 1 to 7.
CASES = {
    "one layer": Case((5, 4), (), "poisson", weighted=True, penalty=l2(0.3)),
    "two layers": Case((7, 6, 3), ("tanh",), "softmax_cross_entropy", weighted=True, rows_at_once=4),
    "kinks": Case((3, 5, 4, 1), ("leaky_relu", "relu"), "huber", squeezed=True, rows_at_once=3),
    "some biases": Case(
        (2, 4, 3, 2), ("softplus", "sigmoid"), "sigmoid_cross_entropy", (False, True, False), True, quartic
    ),
    "four layers": Case((3, 2, 4, 1, 2), ("elu", "identity", "silu"), "absolute_error", (False,) * 4, rows_at_once=5),
    "five layers": Case(
        (3, 4, 2, 5, 3, 3),
        ("gelu", "selu", "absolute_value", "sin"),
        "softmax_cross_entropy",
        one_hot=True,
        rows_at_once=1,
    ),
    "squared": Case((4, 3, 1, 3, 2), ("tanh", "softplus", "gelu"), "squared_error", penalty=l2(0.1), rows_at_once=10),
}


def functions(case):
    return tuple(jnp.sin if name == "sin" else activations.get(name) for name in case.activations)


def draw(case, dtype=None, seed=0):
    """Parameters with a leading axis of draws, and a batch."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: jnp.asarray(rng.standard_normal(shape), dtype)
    params = tuple(
        mlp.Layer(normal(DRAWS, n, m), normal(DRAWS, m) if bias else None)
        for (n, m), bias in zip(pairwise(case.sizes), case.bias or (True,) * (len(case.sizes) - 1), strict=True)
    )
    k = case.sizes[-1]
    targets = {
        "softmax_cross_entropy": jnp.asarray(
            rng.dirichlet(np.ones(k), ROWS) if case.one_hot else rng.integers(0, k, ROWS)
        ),
        "sigmoid_cross_entropy": jnp.asarray(rng.integers(0, 2, (ROWS, k))),
        "poisson": jnp.asarray(rng.poisson(2.0, (ROWS, k))),
    }.get(case.loss, normal(ROWS) if case.squeezed else normal(ROWS, k))
    weight = (jnp.asarray(rng.integers(0, 3, ROWS), dtype),) if case.weighted else ()
    return params, (normal(ROWS, case.sizes[0]), targets, *weight)


def objective_of(case):
    def predict(params, x):
        outputs = mlp.apply(params, x, activation=functions(case))
        return outputs[:, 0] if case.squeezed else outputs

    return Objective(predict, losses.get(case.loss), case.penalty)


def gauss_newton(objective, params, batch):
    """Jᵀ Λ J and the penalty's Hessian, by jax alone; Λ over the outputs of all examples together."""
    flat, back = ravel_pytree(params)
    x, y, *weight = batch
    outputs = lambda v: objective.predict(back(v), x)
    mean_loss = lambda o: Objective(lambda _, o: o, objective.loss)(None, (o, y, *weight))
    o = outputs(flat)
    j = jax.jacrev(outputs)(flat).reshape(o.size, -1)
    matrix = j.T @ jax.hessian(mean_loss)(o).reshape(o.size, o.size) @ j
    return matrix if objective.penalty is None else matrix + jax.hessian(lambda v: objective.penalty(back(v)))(flat)


def all_of(case, params, batch):
    """What is to be tested and its witnesses, for every draw, in one program."""
    objective, words = objective_of(case), {"activation": functions(case)}
    one = jax.tree.map(lambda leaf: leaf[0], params)
    itemsize = one[0].w.dtype.itemsize
    words["block_bytes"] = case.rows_at_once * itemsize * chunks.numbers_per_example(one, "whole")
    assert chunks.rows_at_once(one, "whole", ROWS, words["block_bytes"], itemsize) <= case.rows_at_once

    @partial(jax.jit, compiler_options=compiler_options(params))
    @partial(jax.vmap, in_axes=(0, None))
    def program(params, batch):
        flat, back = ravel_pytree(params)
        return {
            "hessian": derivatives.mlp_hessian(objective, params, batch, **words),
            "gauss_newton": derivatives.mlp_hessian(objective, params, batch, kind="gauss_newton", **words),
            "blocks": derivatives.mlp_hessian_blocks(objective, params, batch, **words),
            "diagonal": derivatives.mlp_hessian_diagonal(objective, params, batch, **words),
            "trace": derivatives.mlp_hessian_trace(objective, params, batch, **words),
            "by jax": jax.hessian(lambda v: objective(back(v), batch))(flat),
            "by jax, gauss_newton": gauss_newton(objective, params, batch),
        }

    return jax.tree.map(np.asarray, program(params, batch))


def compare(case, found, params, tolerance):
    """Every part with the witness, relative to its largest entry."""
    sizes = [sum(leaf[0].size for leaf in jax.tree.leaves(layer)) for layer in params]
    ends = np.cumsum([0, *sizes])
    for draw in range(DRAWS):
        expected = found["by jax"][draw]
        close = partial(np.testing.assert_allclose, rtol=0, atol=tolerance * np.abs(expected).max())
        close(found["hessian"][draw], expected)
        np.testing.assert_array_equal(found["hessian"][draw], found["hessian"][draw].T)
        close(found["gauss_newton"][draw], found["by jax, gauss_newton"][draw])
        close(found["diagonal"][draw], np.diag(expected))
        close(
            found["trace"][draw],
            np.trace(expected) * np.ones(()),
            atol=len(expected) * tolerance * np.abs(expected).max(),
        )
        for block, (begin, end) in zip(found["blocks"], pairwise(ends), strict=True):
            close(block[draw], expected[begin:end, begin:end])


@pytest.mark.parametrize("name", CASES)
def test_equals_jax_hessian(name, x64):
    case = CASES[name]
    params, batch = draw(case)
    found = all_of(case, params, batch)
    compare(case, found, params, 1e-12)
    assert np.abs(found["hessian"] - found["gauss_newton"]).max() > 1e-3 or case.activations == ()


def test_equals_jax_hessian_in_float32():
    """To some roundings of the largest entry, of which a sum over 11 examples through 3 layers has a few."""
    case = CASES["two layers"]
    params, batch = draw(case, jnp.float32)
    found = all_of(case, params, batch)
    assert found["hessian"].dtype == np.float32
    compare(case, found, params, 3e-6)


def test_together_the_cases_have_every_activation_and_loss():
    used = {name for case in CASES.values() for name in case.activations}
    assert set(activations.TABLE) - used == {"softmax"}
    assert {case.loss for case in CASES.values()} == set(losses.TABLE)
