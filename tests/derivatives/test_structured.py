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
from jaxnn.derivatives.structured import memory
from jaxnn.objective import Objective, l2
from jaxnn.verify.compiling import quick_to_compile
from tests.targets import targets

ROWS, DRAWS = 11, 3
ALL = ("hessian", "gauss_newton", "blocks", "diagonal", "trace")


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
    parts: tuple = ("hessian", "diagonal")  # tracing and compiling are what takes the time: not all parts of all


def quartic(params):
    """A penalty whose Hessian is neither constant nor diagonal, and couples layers."""
    return 0.1 * jnp.sum(params[0].w ** 2) * jnp.sum(params[-1].w ** 4)


# Together every elementwise activation in both first and later places, every loss, depths 1 to 5, widths 1 to 7.
CASES = {
    "one layer": Case((5, 4), (), "poisson", weighted=True, penalty=l2(0.3), parts=ALL),
    "two layers": Case((7, 6, 3), ("tanh",), "softmax_cross_entropy", weighted=True, rows_at_once=4, parts=ALL),
    "kinks": Case(
        (3, 5, 4, 1), ("leaky_relu", "relu"), "huber", squeezed=True, rows_at_once=3, parts=("hessian", "gauss_newton")
    ),
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
QUICK = ("two layers", "squared")  # the others take half a minute together


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
    y = targets(case.loss, ROWS, case.sizes[-1], rng, soft=case.one_hot)
    y = jnp.asarray(y[:, 0] if case.squeezed else y, None if case.loss == "softmax_cross_entropy" else dtype)
    weight = (jnp.asarray(rng.integers(0, 3, ROWS), dtype),) if case.weighted else ()
    return params, (normal(ROWS, case.sizes[0]), y, *weight)


def objective_of(case):
    def predict(params, x):
        outputs = mlp.apply(params, x, activation=functions(case))
        return outputs[:, 0] if case.squeezed else outputs

    return Objective(predict, losses.get(case.loss), case.penalty)


def gauss_newton(objective, params, batch):
    """Aᵀ Λ A and the penalty's Hessian, by jax alone; Λ over the outputs of all examples together."""
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
    words["block_bytes"] = case.rows_at_once * one[0].w.dtype.itemsize * memory.numbers_per_example(one, "whole")
    ours = {
        "hessian": derivatives.mlp_hessian,
        "gauss_newton": partial(derivatives.mlp_hessian, kind="gauss_newton"),
        "blocks": derivatives.mlp_hessian_blocks,
        "diagonal": derivatives.mlp_hessian_diagonal,
        "trace": derivatives.mlp_hessian_trace,
    }

    @partial(jax.jit, compiler_options=quick_to_compile())
    @partial(jax.vmap, in_axes=(0, None))
    def program(params, batch):
        flat, back = ravel_pytree(params)
        found = {part: ours[part](objective, params, batch, **words) for part in case.parts}
        found["by jax"] = jax.hessian(lambda v: objective(back(v), batch))(flat)
        if "gauss_newton" in case.parts:
            found["by jax, gauss_newton"] = gauss_newton(objective, params, batch)
        return found

    return jax.tree.map(np.asarray, program(params, batch))


def compare(found, params, tolerance):
    """Every part with its witness, relative to the Hessian's largest entry."""
    ends = np.cumsum([0, *(sum(leaf[0].size for leaf in jax.tree.leaves(layer)) for layer in params)])
    for i, expected in enumerate(found["by jax"]):
        close = partial(np.testing.assert_allclose, rtol=0, atol=tolerance * np.abs(expected).max())
        close(found["hessian"][i], expected)
        np.testing.assert_array_equal(found["hessian"][i], found["hessian"][i].T)
        if "gauss_newton" in found:
            close(found["gauss_newton"][i], found["by jax, gauss_newton"][i])
        if "diagonal" in found:
            close(found["diagonal"][i], np.diag(expected))
        if "trace" in found:
            close(found["trace"][i] / len(expected), np.trace(expected) / len(expected))
        for block, (begin, end) in zip(found.get("blocks", ()), pairwise(ends), strict=False):
            close(block[i], expected[begin:end, begin:end])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in CASES]
)
def test_equals_jax_hessian(name, x64):
    case = CASES[name]
    params, batch = draw(case)
    found = all_of(case, params, batch)
    compare(found, params, 1e-12)
    if case.activations and "gauss_newton" in found:
        assert np.abs(found["hessian"] - found["gauss_newton"]).max() > 1e-3


@pytest.mark.slow
def test_equals_jax_hessian_in_float32():
    """To some roundings of the largest entry, of which a sum over 11 examples through 3 layers has a few."""
    case = CASES["two layers"]._replace(parts=("hessian",))
    params, batch = draw(case, jnp.float32)
    found = all_of(case, params, batch)
    assert found["hessian"].dtype == np.float32
    compare(found, params, 3e-6)


def test_together_the_cases_have_every_activation_and_loss():
    used = {name for case in CASES.values() for name in case.activations}
    assert set(activations.TABLE) - used == {"softmax"}
    assert {case.loss for case in CASES.values()} == set(losses.TABLE)


def network(sizes, activation=jnp.tanh, loss=losses.squared_error):
    """A network, its objective and a batch."""
    case = Case(sizes, (), "softmax_cross_entropy" if loss is losses.softmax_cross_entropy else "squared_error")
    params, batch = draw(case, seed=1)
    params = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[0]), params)
    return Objective(partial(mlp.apply, activation=activation), loss), params, batch


def quick(function, objective, params, batch, **words):
    """The function's value, compiled without optimisation."""
    program = lambda params, batch: function(objective, params, batch, **words)
    return np.asarray(jax.jit(program, compiler_options=quick_to_compile())(params, batch))


whole = partial(quick, derivatives.mlp_hessian)


class TestClosedForms:
    def test_linear_regression(self, x64):
        """2 X̃ᵀX̃/B ⊗ I, for the outputs are the fastest axis."""
        objective, params, (x, y) = network((3, 2))
        design = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        found = whole(objective, params, (x, y), activation=jnp.tanh)
        np.testing.assert_allclose(found, np.kron(2 * design.T @ design / len(x), np.eye(2)), atol=1e-14)

    def test_linear_network_at_zero(self, x64):
        """Eigenvalues ± the singular values of 2 Σ xy/B, each once a hidden unit, and zeros: a strict saddle."""
        hidden = 4
        objective, params, (x, y) = network((3, hidden, 2), jax.nn.identity)
        zero = tuple(mlp.Layer(jnp.zeros_like(layer.w), None) for layer in params)
        singular = np.linalg.svd(2 * x.T @ y / len(x), compute_uv=False)
        found = np.linalg.eigvalsh(whole(objective, zero, (x, y), activation=jax.nn.identity))
        expected = np.concatenate([np.repeat(singular, hidden), np.zeros(hidden), -np.repeat(singular, hidden)])
        np.testing.assert_allclose(found, np.sort(expected), atol=1e-14)

    def test_softmax_has_a_null_direction_for_every_row_of_its_weights(self, x64):
        """Adding one number to all outputs changes nothing: n_{L-1} + 1 directions, at any parameters."""
        objective, params, batch = network((3, 5, 4), loss=losses.softmax_cross_entropy)
        found = whole(objective, params, batch, activation=jnp.tanh)
        shifts = np.kron(np.eye(6), np.ones((1, 4)))  # over the rows of [W; b] of the last layer
        np.testing.assert_allclose(found[:, -24:] @ shifts.T, 0, atol=1e-14)
        assert np.sum(np.abs(np.linalg.eigvalsh(found)) < 1e-13) == 6

    def test_relu_is_gauss_newton_within_a_layer_and_not_between_layers(self, x64):
        objective, params, batch = network((3, 5, 4, 2), jax.nn.relu)
        exact, gauss_newton = (
            whole(objective, params, batch, activation=jax.nn.relu, kind=kind) for kind in ("hessian", "gauss_newton")
        )
        for begin, end in pairwise((0, 20, 44, 54)):
            np.testing.assert_allclose(exact[begin:end, begin:end], gauss_newton[begin:end, begin:end], atol=1e-14)
        assert np.abs(exact - gauss_newton).max() > 0.1
        assert np.linalg.eigvalsh(exact)[0] < -0.1 < -1e-14 < np.linalg.eigvalsh(gauss_newton)[0]


def test_the_order_is_that_of_ravel_pytree(x64):
    """And the whole agrees with a product with a vector of the very tree."""
    objective, params, batch = network((3, 4, 2))
    v = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(1.0, leaf.size + 1)).reshape(leaf.shape), params)
    product = derivatives.hvp(lambda p: objective(p, batch), params, v)
    found = whole(objective, params, batch, activation=jnp.tanh)
    np.testing.assert_allclose(found @ ravel_pytree(v)[0], ravel_pytree(product)[0], atol=1e-13)


def test_chunks_keep_to_their_bytes_and_are_alike():
    params = mlp.Layer(np.zeros((64, 16)), np.zeros(16)), mlp.Layer(np.zeros((16, 10)), np.zeros(10))
    each = 8 * memory.numbers_per_example(params, "whole")
    assert memory.rows_at_once(params, "whole", 1797, 100 * each, 8) == 100  # 18 chunks
    assert memory.rows_at_once(params, "whole", 1797, 1, 8) == 1
    assert memory.rows_at_once(params, "whole", 1797, 10**12, 8) == 1797
    assert 64 <= memory.rows_at_once(params, "whole", 1797, None, 8) <= 512


@pytest.mark.by_default("float64")
def test_units_at_a_kink_are_counted(dtype):
    params = (mlp.Layer(jnp.eye(3, dtype=dtype), jnp.zeros(3, dtype)),) * 4
    x = jnp.asarray([[0.0, 1.0, 2.0], [1e-6, -0.5, 0.0]], dtype)
    count = partial(derivatives.kinked_units, params, x)
    relu = jax.nn.relu
    np.testing.assert_array_equal(count(activation=relu, tolerance=1e-5), [3, 4, 4])  # -0.5 becomes 0
    np.testing.assert_array_equal(count(activation=[relu, jnp.tanh, jax.nn.elu], tolerance=1e-7), [2, 0, 3])
    np.testing.assert_array_equal(count(activation=jax.nn.relu6), [2, 3, 3] if dtype == "float64" else [3, 4, 4])
    np.testing.assert_array_equal(derivatives.kinked_units(params[:1], x, activation=relu), [])
    smooth = activations.TABLE.keys() - {"softmax", "relu", "leaky_relu", "absolute_value", "elu", "selu"}
    for names in (sorted(smooth)[:3], sorted(smooth)[-3:]):
        np.testing.assert_array_equal(count(activation=list(map(activations.get, names)), tolerance=1e-3), [0, 0, 0])
    assert len(smooth) <= 6


def refused(activation=jnp.tanh, objective=None, params=None, batch=None, **words):
    given, parameters, rows = network((3, 4, 2), activation=words.pop("truly", jnp.tanh))
    objective, params, batch = objective or given, params or parameters, batch or rows
    derivatives.mlp_hessian(objective, params, batch, activation=activation, **words)


def centred(z):
    """Not elementwise, and unlike softmax not known by name."""
    return z - z.mean(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"activation": jax.nn.relu}, r"the given activation \(relu\), but .* differ by"),
        ({"activation": jax.nn.gelu, "truly": partial(jax.nn.gelu, approximate=False)}, "differ by"),
        ({"activation": jax.nn.softmax, "truly": jax.nn.softmax}, "elementwise, got softmax"),
        ({"activation": centred, "truly": centred}, "elementwise, but centred mixes"),
        ({"activation": [jnp.tanh, jnp.tanh]}, "the network has 1 hidden layers, got 2"),
        ({"kind": "newton"}, '"hessian" or "gauss_newton", got \'newton\''),
        ({"block_bytes": 0}, "block_bytes must be a whole number ≥ 1"),
        ({"memory_bytes": 1000}, r"26 parameters takes .*mlp_hessian_blocks"),
        ({"objective": lambda params, batch: 0.0}, "mlp_hessian needs the split"),
        ({"params": [jnp.ones(3)]}, "tuple of Layer"),
        ({"batch": (jnp.ones(3), jnp.ones(2))}, r"x must have shape \(batch, 3\)"),
        ({"batch": (jnp.ones((4, 5)), jnp.ones((4, 2)))}, "for layer 0"),
        ({"batch": (jnp.ones((4, 3)), jnp.ones((4, 3)))}, "must have the same shape"),
        ({"batch": (jnp.ones((4, 3)), jnp.ones((4, 2)), -jnp.ones(4))}, "weight must be ≥ 0"),
        ({"batch": (jnp.ones((4, 3)), jnp.ones((4, 2)), jnp.ones(3))}, "weight must have shape"),
        ({"objective": Objective(lambda p, x: x[:, 0], losses.squared_error)}, "must give the MLP's outputs"),
    ],
)
def test_bad_input_is_told(words, told):
    with pytest.raises(ValueError, match=told):
        refused(**words)


def test_what_does_not_fit_into_memory_is_refused_by_its_own_error():
    with pytest.raises(MemoryBudgetError):
        refused(memory_bytes=1000)


def test_labels_out_of_range_are_told():
    objective, params, (x, y) = network((3, 4, 2), loss=losses.softmax_cross_entropy)
    with pytest.raises(ValueError, match="label 2 in row 8"):
        derivatives.mlp_hessian_diagonal(objective, params, (x, y.at[8].set(2)), activation=jnp.tanh)


def test_a_wrong_activation_is_told_under_jit_too():
    objective, params, batch = network((3, 4, 2))
    with pytest.raises(ValueError, match="differ by"):
        jax.jit(lambda p: derivatives.mlp_hessian_trace(objective, p, batch, activation=jnp.sin))(params)


def test_an_objective_that_closes_over_what_is_traced_is_believed(x64):
    """As a hyperparameter under vmap: the loss is then different for each, and predict may be."""
    objective, params, batch = network((3, 4, 2))

    def trace(scale):
        scaled = Objective(
            lambda p, x: scale * objective.predict(p, x) / scale, lambda o, y: scale * objective.loss(o, y)
        )
        return derivatives.mlp_hessian_trace(scaled, params, batch, activation=jnp.tanh)

    once = quick(derivatives.mlp_hessian_trace, objective, params, batch, activation=jnp.tanh)
    np.testing.assert_allclose(jax.vmap(trace)(jnp.array([1.0, 2.0])), [once, 2 * once], rtol=1e-13)


def test_lists_are_batches_too(x64):
    objective, params, (x, y) = network((3, 4, 2), loss=losses.softmax_cross_entropy)
    diagonal = partial(derivatives.mlp_hessian_diagonal, objective, params, activation=jnp.tanh)
    np.testing.assert_array_equal(diagonal((x.tolist(), y.tolist())), diagonal((x, y)))
