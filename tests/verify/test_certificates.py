"""Certificates of points whose nature is known, and the numbers in them against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jax.flatten_util import ravel_pytree

from jaxnn import losses, mlp
from jaxnn.objective import Objective, l2
from jaxnn.verify import certificates
from jaxnn.verify import certify as certify_compiled
from jaxnn.verify.certificates import DEGENERATE, MINIMUM, NOT_STATIONARY, SADDLE, UNDECIDED
from jaxnn.verify.compiling import quick_to_compile
from jaxnn.verify.second_order import more_garbow_hillstrom

pytestmark = pytest.mark.rounding(quickly=True)

PROBLEMS = {problem.name.partition(" ")[2]: problem for problem in more_garbow_hillstrom.problems()}


def certify(*arguments, **words):
    """With programs that are quick to compile, which is all that takes time here."""
    return certify_compiled(*arguments, compiler_options=quick_to_compile(), **words)


def bowl(p, curvatures):
    """A quadratic with the given second derivatives along the axes, minimal at (1, 1, …) where they are positive."""
    return 0.5 * jnp.sum(curvatures * (p - 1) ** 2)


CASES = {
    "a bowl": (lambda p, _: 3 * p[0] ** 2 + p[1] ** 2, (0.0, 0.0), MINIMUM),
    "Rosenbrock": (lambda p, _: 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2, (1.0, 1.0), MINIMUM),
    "off its minimum": (lambda p, _: 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2, (1.0, 1.0001), NOT_STATIONARY),
    "a slope": (lambda p, _: p[0] + p[1] ** 2, (0.0, 0.0), NOT_STATIONARY),
    "Dauphin's classical saddle": (lambda p, _: 5 * p[0] ** 2 - p[1] ** 2, (0.0, 0.0), SADDLE),
    "a maximum": (lambda p, _: -(p[0] ** 2) - p[1] ** 2, (0.0, 0.0), SADDLE),
    "the monkey saddle": (lambda p, _: p[0] ** 3 - 3 * p[0] * p[1] ** 2, (0.0, 0.0), SADDLE),
    "falling as a fourth power": (lambda p, _: p[0] ** 2 - p[1] ** 4, (0.0, 0.0), SADDLE),
    "rising as a fourth power": (lambda p, _: p[0] ** 2 + p[1] ** 4, (0.0, 0.0), DEGENERATE),
    "a curved ridge": (lambda p, _: (p[1] - p[0] ** 2) ** 2 - 0.5 * p[0] ** 4, (0.0, 0.0), SADDLE),
    "a curved valley": (lambda p, _: 9 * (p[1] - p[0] ** 2) ** 2 + 0.5 * p[0] ** 4, (0.0, 0.0), DEGENERATE),
    "a gutter": (lambda p, _: (p[0] + p[1] - 2) ** 2, (0.5, 1.5), DEGENERATE),
    "flat": (lambda p, _: 0 * p[0] + 7, (0.0, 0.0), DEGENERATE),
    "another valley far off": (lambda p, _: p[0] ** 2 + p[1] ** 4 - p[1] ** 6, (0.0, 0.0), DEGENERATE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdict(name, x64):
    objective, point, verdict = CASES[name]
    point = jnp.asarray(point)
    found = certify(objective, point, None)
    assert found.verdict == verdict, str(found)
    assert (found.descent_direction is not None) == (verdict == SADDLE)
    if verdict == SADDLE:
        direction = found.descent_direction
        assert float(jnp.linalg.norm(direction)) == pytest.approx(1, abs=1e-14)
        here, lower = objective(point, None), [objective(point + t * direction, None) for t in (1e-3, 1e-2, 1e-1)]
        curved = name == "a curved ridge"  # which no line descends: its direction is that of the ridge
        assert curved or all(value < here for value in lower)
        assert not curved or abs(float(direction[0])) == pytest.approx(1)


def test_rosenbrock_in_numbers(x64):
    """Σ r² has the Hessian [[802, -400], [-400, 200]] at (1, 1); the mean of the two squares half of it."""
    problem = PROBLEMS["Rosenbrock"]
    found = certify(problem.objective, jnp.ones(2), problem.batch)
    low, high = np.linalg.eigvalsh([[401.0, -200.0], [-200.0, 100.0]])
    assert found.verdict == MINIMUM
    assert abs(found.min_eigenvalue - low) <= found.eigenvalue_bound < 1e-11
    assert abs(found.max_eigenvalue - high) <= found.eigenvalue_bound
    assert found.condition == pytest.approx(high / low, rel=1e-11)
    assert (found.gradient_norm, found.newton_decrement, found.value, found.rank) == (0, 0, 0, 2)
    assert (found.null_directions, found.dtype, found.method, found.size) == (None, "float64", "dense", 2)


def test_powells_singular_function(x64):
    problem = PROBLEMS["Powell singular"]
    found = certify(problem.objective, jnp.zeros(4), problem.batch)
    assert found.verdict == DEGENERATE
    assert "2 null directions, along which J rises" in found.reason
    assert (found.rank, found.condition) == (2, np.inf)
    basis = np.asarray(found.null_directions)
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-14)
    hessian = jax.jit(jax.hessian(lambda p: problem.objective(p, problem.batch)))(jnp.zeros(4))
    np.testing.assert_allclose(basis @ np.asarray(hessian), 0, atol=1e-13)


def test_the_decrement_is_what_a_newton_step_gains(x64):
    curvatures = jnp.asarray([0.5, 2.0, 70.0])
    point = jnp.asarray([3.0, -4.0, 1.5])
    found = certify(bowl, point, curvatures)
    assert found.verdict == NOT_STATIONARY
    assert found.newton_decrement == pytest.approx(float(bowl(point, curvatures)), rel=1e-14)
    assert found.distance == pytest.approx(float(jnp.linalg.norm(point - 1)), rel=1e-14)
    assert certify(bowl, point, curvatures, gradient_tolerance=1e3).verdict == MINIMUM


def regression(rng, n=40):
    return jnp.asarray(rng.normal(size=(n, 3))), jnp.asarray(rng.normal(size=(n, 2)))


def newton(objective, params, batch):
    """Scipy's trust region by exact Hessians: the witness that ends at the minimum."""
    theta, unravel = ravel_pytree(params)
    value = jax.jit(jax.value_and_grad(lambda t: objective(unravel(t), batch)))
    hessian = jax.jit(jax.hessian(lambda t: objective(unravel(t), batch)))
    found = scipy.optimize.minimize(
        lambda t: tuple(np.asarray(each, np.float64) for each in value(t)),
        np.asarray(theta, np.float64),
        jac=True,
        hess=lambda t: np.asarray(hessian(t), np.float64),
        method="trust-exact",
        options={"gtol": 1e-10, "maxiter": 1000},
    )
    return unravel(jnp.asarray(found.x, theta.dtype))


def test_a_trained_network_is_at_a_minimum(x64):
    x, y = regression(np.random.default_rng(0))
    objective = Objective(lambda p, x: mlp.apply(p, x, activation=jnp.tanh), losses.squared_error, l2(1e-4))
    start = mlp.init(jax.random.key(0), (3, 2, 2))
    assert certify(objective, start, (x, y)).verdict == NOT_STATIONARY
    params = newton(objective, start, (x, y))
    found = certify(objective, params, (x, y))
    assert found.verdict == MINIMUM, str(found)
    assert found.distance < 1e-6
    assert jax.tree.structure(params) == jax.tree.structure(start)


@pytest.mark.slow
def test_the_shift_of_a_softmax_head_is_null_until_it_is_penalised(x64):
    """Adding one number to all outputs changes nothing: n_in + 1 directions, at every point."""
    rng = np.random.default_rng(1)
    batch = jnp.asarray(rng.normal(size=(40, 3))), jnp.asarray(rng.integers(4, size=40))
    start = mlp.init(jax.random.key(0), (3, 4))
    free = Objective(mlp.apply, losses.softmax_cross_entropy)
    params = newton(free, start, batch)
    found = certify(free, params, batch)
    assert found.verdict == DEGENERATE, str(found)
    assert found.rank == 16 - 4
    assert "J is flat" in found.reason
    (shift,) = found.null_directions
    np.testing.assert_allclose(shift.w - shift.w.mean(axis=-1, keepdims=True), 0, atol=1e-13)
    held = Objective(mlp.apply, losses.softmax_cross_entropy, l2(0.01))
    found = certify(held, newton(held, start, batch), batch)
    assert found.verdict == MINIMUM, str(found)
    assert abs(found.min_eigenvalue - 0.01) <= found.eigenvalue_bound


def two_layers(params, x):
    first, second = params
    return x @ first @ second


def test_a_linear_network_at_zero_is_a_strict_saddle(x64):
    """J = mean ‖y - W₂ᵀW₁ᵀx‖²: the eigenvalues are ±(2/B) σ(XᵀY), each once for every hidden unit, and 0."""
    x, y = regression(np.random.default_rng(2))
    params = (jnp.zeros((3, 4)), jnp.zeros((4, 2)))
    found = certify(Objective(two_layers, losses.squared_error), params, (x, y))
    sigma = 2 / 40 * np.linalg.svd(np.asarray(x.T @ y), compute_uv=False)
    assert found.verdict == SADDLE
    assert abs(found.min_eigenvalue + sigma[0]) <= found.eigenvalue_bound
    assert abs(found.max_eigenvalue - sigma[0]) <= found.eigenvalue_bound
    assert found.rank == 2 * 2 * 4
    objective = Objective(two_layers, losses.squared_error)
    moved = jax.tree.map(lambda p, d: p + 0.1 * d, params, found.descent_direction)
    assert objective(moved, (x, y)) < objective(params, (x, y))


def scaled(p, batch):
    """A quadratic of any leaf shapes with the given second derivatives, and a fourth power."""
    curvatures, quartic = batch
    flat = jnp.concatenate([p["a"].ravel(), p["b"].ravel()])
    return 0.5 * jnp.sum(curvatures * (flat - 1) ** 2) + quartic * jnp.sum((flat - 1) ** 4)


@pytest.mark.slow
def test_lanczos_says_what_the_whole_hessian_says(x64):
    point = {"a": jnp.ones((2, 3)), "b": jnp.ones(6)}
    rng = np.random.default_rng(3)
    for lowest, verdict in ((0.1, MINIMUM), (-0.1, SADDLE), (0.0, DEGENERATE)):
        curvatures = jnp.asarray([lowest, *rng.uniform(1, 100, size=11)])
        both = [certify(scaled, point, (curvatures, jnp.asarray(1.0)), dense_limit=limit) for limit in (12, 11)]
        assert [each.method for each in both] == ["dense", "lanczos"]
        for found in both:
            assert found.verdict == verdict, str(found)
            assert abs(found.min_eigenvalue - lowest) <= found.eigenvalue_bound < 1e-8
            assert abs(found.max_eigenvalue - float(curvatures.max())) <= found.eigenvalue_bound
            if verdict == SADDLE:
                assert abs(float(found.descent_direction["a"][0, 0])) == pytest.approx(1, abs=1e-8)
    off = {"a": point["a"] + 0.5, "b": point["b"]}
    curvatures = jnp.asarray(rng.uniform(1, 100, size=12))
    dense, ends = (certify(scaled, off, (curvatures, jnp.asarray(0.0)), dense_limit=limit) for limit in (12, 11))
    assert ends.verdict == dense.verdict == NOT_STATIONARY
    assert ends.newton_decrement == pytest.approx(float(scaled(off, (curvatures, 0.0))), rel=1e-10)
    assert ends.distance == pytest.approx(dense.distance, rel=1e-8)


class TestSinglePrecision:
    def test_what_is_far_from_zero_is_decided(self):
        found = certify(bowl, jnp.ones(3), jnp.asarray([0.5, 2.0, 70.0]))
        assert (found.verdict, found.dtype) == (MINIMUM, "float32")
        assert certify(bowl, jnp.ones(3), jnp.asarray([-0.5, 2.0, 70.0])).verdict == SADDLE

    @pytest.mark.parametrize("lowest", [1e-6, 0.0, -1e-6])
    def test_what_rounding_may_have_made_is_not(self, lowest):
        """Of parameters that are mixed, so that no unit of theirs tells; the same numbers are decided in float64."""
        basis = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
        matrix = basis @ np.diag([lowest, 2.0, 70.0]) @ basis.T
        f = lambda p, h: 1 + 0.5 * (p - 1) @ h @ (p - 1)
        found = certify(f, jnp.ones(3), jnp.asarray(matrix, jnp.float32))
        assert found.verdict == UNDECIDED, str(found)
        assert "jax.enable_x64(True)" in found.reason
        assert found.eigenvalue_bound > 1e-6
        with jax.enable_x64(True):
            wide = certify(f, jnp.ones(3), jnp.asarray(matrix))
        assert wide.verdict == {1e-6: MINIMUM, 0.0: DEGENERATE, -1e-6: SADDLE}[lowest]

    def test_half_precision_is_named(self):
        found = certify(lambda p, _: jnp.sum(p.astype(jnp.float32) ** 2), jnp.zeros(2, jnp.bfloat16), None)
        assert (found.verdict, found.dtype) == (MINIMUM, "bfloat16")
        assert found.eigenvalue_bound > 1e-2


@pytest.mark.parametrize("place", [(jnp.inf, 0.0), (jnp.nan, 0.0)])
def test_what_is_not_finite_is_not_decided(place):
    found = certify(lambda p, _: jnp.sum(p**2), jnp.asarray(place), None)
    assert found.verdict == UNDECIDED
    assert "not finite" in found.reason
    assert np.isnan(found.min_eigenvalue)


def test_a_hessian_that_is_not_finite_is_not_decided(x64):
    found = certify(lambda p, _: jnp.sum(jnp.abs(p) ** 1.5), jnp.zeros(2), None)
    assert (found.verdict, "Hessian is not finite" in found.reason) == (UNDECIDED, True), str(found)


def test_the_key_goes_to_an_objective_that_names_it(x64):
    def noisy(p, batch, key):
        return jnp.sum((p - jax.random.normal(key, (2,))) ** 2)

    key = jax.random.key(5)
    assert certify(noisy, jax.random.normal(key, (2,)), None, key=key).verdict == MINIMUM


def test_it_prints_in_a_few_lines(x64):
    lines = str(certify(bowl, jnp.ones(2), jnp.asarray([1.0, 4.0]))).splitlines()
    assert len(lines) == 6
    assert lines[0] == "minimum: every eigenvalue is above 1"
    assert "1 to 4" in lines[4]
    assert max(map(len, lines)) < 120


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((lambda p, _: p, jnp.ones(2), None), r"must be a scalar, got shape \(2,\)"),
        ((bowl, jnp.ones(2, int), 1.0), "floating-point"),
        ((bowl, (), 1.0), "at least one entry"),
    ],
)
def test_bad_input(arguments, told):
    with pytest.raises(ValueError, match=told):
        certify(*arguments)


def test_bad_limits():
    with pytest.raises(ValueError, match="dense_limit must be a whole number ≥ 0"):
        certify(bowl, jnp.ones(2), 1.0, dense_limit=-1)
    with pytest.raises(ValueError, match="gradient_tolerance must be ≥ 0"):
        certify(bowl, jnp.ones(2), 1.0, gradient_tolerance=-1.0)


def test_every_verdict_is_one_of_five_and_occurs():
    assert set(certificates.VERDICTS) == {MINIMUM, DEGENERATE, SADDLE, NOT_STATIONARY, UNDECIDED}
    assert {verdict for _, _, verdict in CASES.values()} | {UNDECIDED} == set(certificates.VERDICTS)


def test_a_short_step_beside_a_large_parameter_is_no_convergence(x64):
    """(a - 10⁸)² + (b - 2)² at b = 1: the Newton step is short beside a, and gains all there is."""
    found = certify(lambda p, _: (p[0] - 1e8) ** 2 + (p[1] - 2) ** 2, jnp.array([1e8, 1.0]), None)
    assert found.verdict == "not stationary"


def test_a_kink_is_not_decided(x64):
    x = jnp.linspace(0, 3, 12)
    objective = Objective(lambda p, x: p[0] + p[1] * x, losses.absolute_error)
    found = certify(objective, jnp.array([0.0, 2.0]), (x, 2 * x))  # on every row's kink at once
    assert found.verdict in ("not decidable in this precision", "not stationary")


def test_lists_are_data_too(x64):
    objective = Objective(lambda p, x: p[0] + p[1] * x, losses.squared_error)
    found = certify(objective, jnp.array([1.0, 2.0]), ([0.0, 1.0, 2.0], [1.0, 3.0, 5.0]))
    assert found.verdict == "minimum"


def test_a_network_of_zeros_is_at_a_saddle(x64):
    """Its curvatures are all mixed but one, and some are rounding: no unit may make these look large."""
    rng = np.random.default_rng(0)
    x = np.linspace(-2, 2, 60)[:, None]
    y = np.sin(2 * x) + 0.1 * rng.normal(size=(60, 1))
    objective = Objective(lambda p, x: mlp.apply(p, x, activation=jnp.tanh), losses.squared_error)
    zeros = jax.tree.map(lambda v: jnp.zeros(v.shape), mlp.init(jax.random.key(0), (1, 4, 1)))
    shifted = (zeros[0], zeros[1]._replace(b=jnp.full(1, y.mean())))
    assert certify(objective, shifted, (x, y)).verdict == SADDLE


def test_a_small_objective_is_as_good_as_any_until_it_underflows(x64):
    tiny = lambda p, b: 1e-200 * jnp.sum((p - jnp.array([1.0, 2.0])) ** 2)
    assert certify(tiny, jnp.zeros(2), None).verdict == NOT_STATIONARY
    assert certify(tiny, jnp.array([1.0, 2.0]), None).verdict == MINIMUM
    found = certify(lambda p, b: jnp.exp(-p[0]), jnp.full(1, 707.0), None)
    assert found.verdict == UNDECIDED
    assert "underflow" in found.reason
