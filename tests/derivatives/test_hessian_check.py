"""The check of a Hessian passes right ones and names what is planted: an entry, a factor, a skew part, a trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import derivatives, losses, mlp
from jaxnn.derivatives import check_hessian
from jaxnn.derivatives.differences import AGREES, DISAGREES, KINK, NOT_FINITE, UNDECIDED
from jaxnn.objective import Objective, l2


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def network(sizes=(2, 3, 2), activation=jnp.tanh, dtype=None):
    params = mlp.init(jax.random.key(0), sizes, dtype=dtype)
    x = jax.random.normal(jax.random.key(1), (9, sizes[0]), params[0].w.dtype)
    predict = lambda params, x: mlp.apply(params, x, activation=activation)
    objective = Objective(predict, losses.softmax_cross_entropy, l2(0.01))
    return (lambda params: objective(params, (x, jnp.arange(9) % sizes[-1]))), params


AT = np.array([1.2, 0.7])
RIGHT = np.array([[1200 * 1.2**2 - 400 * 0.7 + 2, -400 * 1.2], [-400 * 1.2, 200]])


def test_a_network_s_hessian_is_right_and_the_order_is_two(x64):
    report = check_hessian(*network())
    assert report.ok
    assert report.every_coordinate
    assert report.directions == 17
    assert abs(report.slope - 2) < 0.02
    assert report.error <= report.resolution < 1e-6
    assert max(report.product_error, report.asymmetry, report.trace_error) < 1e-14 < report.rounding
    assert report.curve.central.shape == report.curve.steps.shape
    for words in ("Hessian       agrees: ", "every column", "falls as h^2.0", "asymmetry", "params[", " × params["):
        assert words in str(report)


@pytest.mark.slow
def test_in_single_precision_it_says_what_was_seen():
    report = check_hessian(*network(dtype=jnp.float32))
    assert report.verdict in (AGREES, UNDECIDED)
    assert report.dtype == "float32"
    assert report.resolution > 1e-5
    assert report.product_error < report.rounding
    steep = check_hessian(lambda x: jnp.sum(jnp.cos(1e4 * x)) + 1e4 * x[0], jnp.asarray([0.3, 0.4], jnp.float32))
    assert steep.verdict == UNDECIDED
    assert "jax.enable_x64(True)" in steep.why


@pytest.mark.parametrize("form", ["array", "function"])
def test_a_hessian_given_as_a_matrix_or_a_function(x64, form):
    report = check_hessian(rosenbrock, jnp.asarray(AT), hessian=RIGHT if form == "array" else jax.hessian(rosenbrock))
    assert report.ok, report


def test_a_quadratic_s_differences_are_exact(x64):
    report = check_hessian(lambda x: 5 * x[0] ** 2 - x[1] ** 2 + x[0], jnp.asarray(AT))
    assert report.ok
    assert np.isnan(report.slope)
    assert "exact at every step" in str(report)


PLANTED = {
    "an entry": (RIGHT + np.array([[0, 0], [0, 1]]), "params[1] × params[1]", "differences of gradients disagree"),
    "one side": (RIGHT + np.array([[0, 1], [0, 0]]), "params[0] × params[1]", "differences of gradients disagree"),
    "a factor": (2 * RIGHT, "", "the whole Hessian is 2 times what they give"),
    "a sign": (-RIGHT, "", "the whole Hessian is -1 times what they give"),
    "gauss-newton": (RIGHT - [[400 * (1.2**2 - 0.7), 0], [0, 0]], "params[0] × params[0]", "differences"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found(x64, planted):
    wrong, where, why = PLANTED[planted]
    report = check_hessian(rosenbrock, jnp.asarray(AT), hessian=wrong)
    assert report.verdict == DISAGREES
    assert not report.ok
    assert where in report.where
    assert why in report.why
    assert abs(report.slope) < 0.1  # the error does not fall with the step
    assert report.error > report.resolution


@pytest.mark.slow
@pytest.mark.rounding
def test_errors_too_small_for_differences_are_found_by_the_other_three(x64):
    """Slopes of 1e4 drown differences of gradients below 9e-7 and leave the Hessian, and products with it, as they are.

    The planted error is 1e-11 of the largest entry. That of the products was 4.8e-12 to 9.2e-12 for seven keys, and up
    to 2.2e-13 is rounding. Without the slopes differences are sure to 2e-12 on some processors, and to 7e-11 on others.
    """
    network_of, params = network()

    def f(p):
        return network_of(p) + 1e4 * sum(jnp.sum(leaf) for leaf in jax.tree.leaves(p))

    right = np.asarray(jax.jit(lambda p: derivatives.hessian(f, p))(params))
    size = np.abs(right).max()

    def planted(*entries):
        wrong = right.copy()
        for i, j, by in entries:
            wrong[i, j] += by * size
        return check_hessian(f, params, hessian=wrong)

    report = planted((2, 9, 1e-11), (9, 2, 1e-11))
    assert report.verdict == DISAGREES
    assert "products with random vectors" in report.why
    assert "params[0].w[0, 2]" in report.where.split(" × ")  # the row; its worst entry is what differences make of it
    assert planted((3, 3, 1e-14)).ok  # rounding


def test_a_symmetric_part_alone_is_not_enough(x64):
    skew = np.eye(2) + np.array([[0, 3e-13], [-3e-13, 0]])
    report = check_hessian(lambda x: jnp.sum(x**2) / 2, jnp.ones(2), hessian=skew)
    assert report.verdict == DISAGREES
    assert report.asymmetry == pytest.approx(6e-13)


@pytest.mark.slow
def test_more_parameters_than_are_taken_one_by_one(x64):
    f, params = network((10, 10, 2))
    right = jax.jit(lambda p: derivatives.hessian(f, p))
    wrong = np.array(right(params))
    wrong[13, 57] += 1e-3
    wrong[57, 13] += 1e-3
    report = check_hessian(f, params, hessian=wrong)
    assert report.verdict == DISAGREES
    assert report.directions == 8
    assert not report.every_coordinate
    assert sorted(report.where.split(" × ")) == ["params[0].w[1, 3]", "params[0].w[5, 7]"]
    assert report.stated - report.numerical == pytest.approx(1e-3, rel=1e-6)


def test_leaves_without_entries_are_no_trouble(x64):
    params = {"a": jnp.zeros((0, 3)), "b": jnp.asarray(AT), "c": None}
    assert check_hessian(lambda p: rosenbrock(p["b"]), params, hessian=RIGHT).ok


def test_a_kink_of_the_gradient_is_told(x64):
    report = check_hessian(lambda x: jnp.sum(x * jnp.abs(x)), jnp.asarray([0.0, 1.0]))
    assert report.verdict == KINK
    assert "params[0] × params[0]" in report.where


def test_what_is_not_finite_is_not_compared(x64):
    report = check_hessian(lambda x: jnp.sum(x**1.5), jnp.zeros(2))
    assert report.verdict == NOT_FINITE
    assert "params[0], so there is nothing to compare" in report.why
    assert str(report).startswith("Hessian       not finite: the Hessian is not finite")
    assert not report.ok


def test_bad_input_is_told_in_words(x64):
    with pytest.raises(ValueError, match=r"hessian must have shape \(2, 2\), a row for each parameter, got \(2,\)"):
        check_hessian(rosenbrock, jnp.asarray(AT), hessian=np.ones(2))
    with pytest.raises(ValueError, match="must be real floating-point numbers, got int"):
        check_hessian(rosenbrock, jnp.arange(2))
    with pytest.raises(ValueError, match="f must return a scalar"):
        check_hessian(lambda x: x, jnp.ones(2), hessian=np.ones((2, 2)))
