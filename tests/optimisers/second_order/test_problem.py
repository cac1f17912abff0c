"""The problem that methods are given, and the optimiser that is made of a method."""

import warnings
from dataclasses import FrozenInstanceError
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import Objective, losses, optimisers
from jaxnn.derivatives import rounding
from jaxnn.optimisers.report import start
from jaxnn.optimisers.second_order.optimiser import optimiser_of
from jaxnn.optimisers.second_order.regions import Proposal, Rule
from jaxnn.optimisers.second_order.trials import until_taken

X, Y = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 1.0]]), np.array([1.0, 2.0, 3.0])


class Counted(NamedTuple):
    step: jax.Array


def asked(function, objective=None, params=(1.0, -2.0)):
    """What a function of the problem of Σ (Xθ - y)² / 3 returns."""
    found = []

    def step(problem, state):
        found.append(function(problem))
        return jnp.zeros_like(problem.theta), state

    value_fn = lambda p: jnp.mean((X @ p - Y) ** 2)
    params = jnp.asarray(params)
    value, grad = jax.value_and_grad(value_fn)(params)
    sent = {"value": value, "grad": grad, "value_fn": value_fn, "objective": objective, "batch": (X, Y)}
    update = optimiser_of("test", Counted, step).update
    updates, state = update(grad, Counted(jnp.zeros((), jnp.int32)), params, **sent)
    assert not updates.any()
    assert state.step == 1  # counted by it
    return found[0]


def test_a_problem_knows_the_function_near_the_parameters(x64):
    theta, gradient, value, at_step = asked(lambda p: (p.theta, p.gradient, p.value, p.value_at(jnp.ones(2))))
    np.testing.assert_array_equal(theta, (1.0, -2.0))
    np.testing.assert_allclose(gradient, 2 / 3 * X.T @ (X @ theta - Y), rtol=1e-14)
    np.testing.assert_allclose(value, np.mean((X @ theta - Y) ** 2), rtol=1e-14)
    np.testing.assert_allclose(at_step, np.mean((X @ (theta + 1) - Y) ** 2), rtol=1e-14)


def test_its_matrices_are_computed_once(x64):
    objective = Objective(lambda p, x: x @ p, losses.squared_error)
    once, again, transposed, count = asked(
        lambda p: (p.gauss_newton_matrix, p.gauss_newton_matrix, p.transposed_jacobian, p.output_count), objective
    )
    assert once is again
    np.testing.assert_allclose(once, 2 / 3 * X.T @ X, rtol=1e-14)
    np.testing.assert_allclose(transposed, X.T, rtol=1e-14)
    assert count == 3
    np.testing.assert_allclose(asked(lambda p: p.hessian()), 2 / 3 * X.T @ X, rtol=1e-14)


def test_it_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        asked(lambda p: setattr(p, "value", 0.0))


def test_parts_that_were_not_sent_are_asked_for_by_name():
    with pytest.raises(ValueError, match="test needs the split into predict and loss"):
        asked(lambda p: p.gauss_newton_matrix)
    with pytest.raises(ValueError, match="objective, params, batch"):
        asked(lambda p: p.hessian(lambda *_: jnp.eye(2)))


@pytest.mark.parametrize("keep", [True, False])
def test_trials_count_what_they_cost_and_keep_the_region_if_asked(keep, x64):
    """Steps of 1, ½, ¼, … times an ascent direction: none is acceptable, and forty of two products each are counted."""

    def tried(problem):
        propose = lambda region: Proposal(region * problem.gradient, jnp.ones(()), products=2)
        halved = Rule(lambda region, gain, proposal: region / 2, relaxed=lambda region: region, keep=keep)
        return until_taken(propose, halved, jnp.ones(()), problem)

    taken = asked(tried)
    assert not taken.report.accepted
    assert taken.report.at_limit
    assert taken.trials == 40
    assert taken.report.evaluations == 1 + 40 * (1 + 2)  # one for the rounding
    assert float(taken.region) == (1.0 if keep else 2.0**-40)
    assert not taken.step.any()


def test_offsets_are_roundings_of_each_parameter():
    theta = jnp.asarray([1.0, -4.0, 0.0, 8.0], jnp.float32)
    eps = np.finfo(np.float32).eps
    np.testing.assert_array_equal(rounding.offset(theta), eps * np.array([1.0, 8.0, 0.0, 8.0], np.float32))
    np.testing.assert_array_equal(rounding.offset(np.ones(2), np.array([1.0, -1.0]), eps=0.5), (0.5, -0.5))
    assert rounding.bound(jnp.ones(()), jnp.zeros(())) == pytest.approx(10 * eps)
    assert rounding.bound(jnp.ones(()), jnp.ones(())) == 3


def test_the_former_name_of_a_reports_field_still_works_and_warns():
    report = start(jnp.float32)
    assert isinstance(report, optimisers.Report)
    with pytest.warns(DeprecationWarning, match="within_rounding"):
        assert report.drowned is report.within_rounding
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not report.within_rounding
