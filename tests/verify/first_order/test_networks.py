"""The gradients hold, and a planted fault turns its own row, and no other, into a failure."""

import jax
import jax.numpy as jnp
import pytest

from jaxnn import activations, backprop, losses
from jaxnn.verify.first_order import networks
from jaxnn.verify.table import EQUAL, FAILED, HOLDS


@pytest.fixture(scope="module")
def table():
    return networks.check()


@pytest.mark.slow
def test_nothing_fails(table):
    assert table.ok, str(table)
    assert {row.group for row in table} == {"gradients"}
    assert {row.verdict for row in table} == {EQUAL, HOLDS}
    assert 20 <= len(table) <= 40


@pytest.mark.slow
def test_every_loss_and_every_activation_has_its_rows(table):
    rules = {row.rule for row in table}
    for name in losses.TABLE:
        assert {f"backprop.backward, {name}", f"{name}, by the outputs"} <= rules
    assert {f"derivative of {name}" for name in activations.DERIVATIVES} <= rules
    stepped = {row.rule.removeprefix("derivative of ") for row in table if row.reference == "complex step"}
    assert stepped == {"sigmoid", "tanh", "gelu", "silu", "identity"}


def test_precision_is_the_callers_again(table):
    assert jnp.ones(()).dtype == jnp.float32


def test_the_networks_have_every_depth_activation_and_kind(x64):
    cases = networks.cases()
    assert {len(case.sizes) - 1 for case in cases} == {1, 2, 3, 4, 5}
    assert {sigma for case in cases for sigma in case.activation} == {
        activations.TABLE[n] for n in networks.ELEMENTWISE
    }
    assert {case.params[0].b is None for case in cases} == {True, False}
    assert {case.loss for case in cases} == set(losses.TABLE)


def without_last_slope(params, kept, grad_outputs, *, activation):
    """Backpropagation that takes the first hidden layer for a linear one."""
    linear = (activations.identity, *activation[1:]) if activation else ()
    return backprop.backward(params, kept, grad_outputs, activation=linear)


def doubled_bias(params, kept, grad_outputs, *, activation):
    grads = backprop.backward(params, kept, grad_outputs, activation=activation)
    return tuple(g._replace(b=None if g.b is None else 2 * g.b) for g in grads)


@pytest.mark.by_default("doubled_bias")
@pytest.mark.parametrize("fault", [without_last_slope, doubled_bias])
def test_a_fault_in_the_reverse_pass_is_seen(fault, x64):
    rows = networks.backward_passes(fault)
    assert any(row.verdict == FAILED and row.worst > 1e-3 for row in rows)


def test_a_fault_in_one_derivative_fails_its_rows_alone(x64):
    wrong = {**activations.DERIVATIVES, "tanh": lambda z: 1 - jnp.tanh(z)}
    failed = {row.rule for row in networks.slopes(wrong) if row.verdict == FAILED}
    assert failed == {"derivative of tanh"}


@pytest.mark.slow
def test_a_fault_in_a_gradient_is_seen(x64):
    rows = networks.by_outputs(lambda f: lambda outputs: jax.grad(f)(outputs) * 1.001)
    assert [row.verdict for row in rows] == [FAILED] * len(losses.TABLE)
    rows = networks.objectives(lambda f: lambda params: jax.tree.map(jnp.negative, jax.grad(f)(params)))
    assert {row.verdict for row in rows} == {FAILED}
