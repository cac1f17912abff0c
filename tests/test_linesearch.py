"""Line searches against the conditions they promise, closed forms, and scipy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn import linesearch

# Waves on a bowl: smooth and bounded below, with many minima along a line.
PARTS = st.tuples(
    st.floats(1e-3, 1e3),  # curvature of the bowl
    st.floats(-3, 3),  # its centre
    st.floats(0, 5),  # height of the waves
    st.floats(0.1, 20),  # their frequency
    st.floats(0, 6),  # their phase
)


def waves(x, parts):
    curvature, centre, height, frequency, phase = parts
    return curvature * jnp.sum((x - centre) ** 2) + height * jnp.sum(jnp.sin(frequency * x + phase))


@jax.jit
def searched(parts, x, first):
    """One strong Wolfe search down the gradient, with all that the conditions speak of."""
    value, grad = jax.value_and_grad(waves)(x, parts)
    found = linesearch.strong_wolfe(
        lambda x: waves(x, parts), x, -grad, value=value, slope=-(grad @ grad), first=first, max_evaluations=60
    )
    there, grad_there = jax.value_and_grad(waves)(x - found.step_length * grad, parts)
    return found, value, -(grad @ grad), there, -(grad_there @ grad), grad_there


@given(parts=PARTS, x=st.floats(-4, 4), first=st.floats(-6, 3))
@settings(max_examples=150, deadline=None)
def test_strong_wolfe_conditions_hold_where_it_says_so(parts, x, first):
    with jax.enable_x64(True):
        point = jnp.asarray([x, x + 0.7])
        found, value, slope, there, slope_there, grad_there = searched(
            tuple(jnp.asarray(p) for p in parts), point, jnp.asarray(10.0**first)
        )
        if slope > -1e-10:  # a stationary start: all is rounding
            return
        assert found.found
        assert found.step_length > 0
        noise = 10 * np.finfo(float).eps * abs(value)
        assert there <= value + max(1e-4 * found.step_length * slope, noise)
        assert abs(slope_there) <= 0.9 * abs(slope) * (1 + 1e-9)
        np.testing.assert_allclose(found.value, there, rtol=1e-12, atol=noise)
        np.testing.assert_allclose(found.grad, grad_there, rtol=1e-9, atol=1e-9)


# Moré & Thuente's test functions (1994, section 5, equations 5.1, 5.2 and 5.4) with their constants c₁, c₂.
def more_thuente_1(a, beta=2.0):
    return -a / (a**2 + beta)


def more_thuente_2(a, beta=0.004):
    return (a + beta) ** 5 - 2 * (a + beta) ** 4


def yanai(a, b1, b2):
    g1, g2 = (np.sqrt(1 + b**2) - b for b in (b1, b2))
    return g1 * jnp.sqrt((1 - a) ** 2 + b2**2) + g2 * jnp.sqrt(a**2 + b1**2)


HARD = {
    "1": (more_thuente_1, 1e-3, 0.1, 14),
    "2": (more_thuente_2, 0.1, 0.1, 39),
    "4": (lambda a: yanai(a, 1e-3, 1e-3), 1e-3, 1e-3, 12),
    "5": (lambda a: yanai(a, 1e-2, 1e-3), 1e-3, 1e-3, 24),
    "6": (lambda a: yanai(a, 1e-3, 1e-2), 1e-3, 1e-3, 43),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HARD)
def test_more_and_thuentes_functions(x64, name):
    """From first trials over six decades: as many evaluations as in their tables, or a third more."""
    phi, c1, c2, theirs = HARD[name]
    value, slope = jax.value_and_grad(phi)(jnp.asarray(0.0))

    def one(first):
        return linesearch.strong_wolfe(
            phi, jnp.zeros(()), jnp.ones(()), value=value, slope=slope, first=first, c1=c1, c2=c2, max_evaluations=30
        )

    found = jax.jit(jax.vmap(one))(10.0 ** jnp.asarray([-3.0, -1.0, 1.0, 3.0]))
    assert found.found.all()
    assert found.evaluations.sum() <= 1.4 * theirs, found.evaluations
    there, slopes = jax.vmap(jax.value_and_grad(phi))(found.step_length)
    assert (there <= value + c1 * found.step_length * slope).all()
    assert (jnp.abs(slopes) <= -c2 * slope).all()


def quadratic(x):
    return 0.5 * jnp.sum(jnp.asarray([1.0, 30.0], x.dtype) * x**2)


def test_the_minimum_of_a_quadratic_in_two_trials(x64):
    """The cubic through two points of a parabola is the parabola; up to five times the first trial it is taken."""
    x, d, diagonal = jnp.asarray([3.0, -2.0]), jnp.asarray([-1.0, 1.0]), jnp.asarray([1.0, 30.0])
    value, grad = jax.value_and_grad(quadratic)(x)
    exact = -(grad @ d) / (d @ (diagonal * d))

    @jax.vmap
    def one(first):
        tight = {"c1": 1e-11, "c2": 1e-10}
        return linesearch.strong_wolfe(quadratic, x, d, value=value, slope=grad @ d, first=first, **tight)

    found = one(exact * jnp.asarray([0.3, 0.45, 1.7, 9.0]))
    assert found.found.all()
    assert found.evaluations.tolist() == [2, 2, 2, 2]
    np.testing.assert_allclose(found.step_length, exact, rtol=1e-12)


def test_a_cubic_too(x64):
    def cubic(a):
        return a**3 / 3 - 4 * a

    found = linesearch.strong_wolfe(cubic, 0.0, jnp.asarray(1.0), value=0.0, slope=-4.0, first=3.0, c1=1e-11, c2=1e-10)
    assert found.evaluations == 2
    np.testing.assert_allclose(found.step_length, 2.0, rtol=1e-14)


def test_as_few_evaluations_as_scipy(x64):
    """Down the gradient of Rosenbrock's function from 200 points, against scipy's strong Wolfe search."""

    def rosenbrock(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    points = np.random.default_rng(0).normal(size=(200, 2)) * 2
    value_and_grad = jax.value_and_grad(rosenbrock)

    @jax.jit
    @jax.vmap
    def ours(x):
        value, grad = value_and_grad(x)
        d = -grad * jnp.minimum(1, 1 / jnp.sqrt(grad @ grad))
        found = linesearch.strong_wolfe(rosenbrock, x, d, value=value, slope=grad @ d)
        return found.evaluations, found.found

    evaluations, found = ours(points)
    assert found.all()

    def gradient(x):
        return np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)])

    theirs = 0
    for x in points:
        g, counted = gradient(x), Counted(rosenbrock)
        d = -g * min(1, 1 / np.linalg.norm(g))
        assert scipy.optimize.line_search(counted, gradient, x, d, gfk=g, old_fval=rosenbrock(x))[0] is not None
        theirs += counted.calls
    assert evaluations.sum() <= theirs, (int(evaluations.sum()), theirs)


class Counted:
    def __init__(self, f):
        self.f, self.calls = f, 0

    def __call__(self, x):
        self.calls += 1
        return self.f(x)


SEARCHES = {"strong_wolfe": linesearch.strong_wolfe, "backtracking": linesearch.backtracking}


@pytest.mark.by_default("float64-*")
@pytest.mark.parametrize("search", SEARCHES)
def test_a_direction_that_is_no_descent_is_not_followed(dtype, search):
    x = jnp.ones(2, dtype)
    cases = [(0.0, 1.0), (1.0, 1.0), (jnp.nan, 1.0), (-jnp.inf, 1.0), (-1.0, jnp.nan), (-1.0, jnp.inf)]

    @jax.vmap
    def one(case):
        return SEARCHES[search](quadratic, x, -x, value=case[1], slope=case[0])

    found = one(jnp.asarray(cases, dtype))
    assert found.step_length.tolist() == [0.0] * len(cases)
    assert found.evaluations.tolist() == [0] * len(cases)
    assert not found.found.any()
    assert found.step_length.dtype == dtype


@pytest.mark.parametrize("search", SEARCHES)
def test_a_rising_function_is_left_where_it_is(dtype, search):
    """With a slope that lies, nothing lower is ever seen."""
    x = jnp.zeros((), dtype)
    found = SEARCHES[search](lambda x: x**2 + x, x, jnp.ones_like(x), value=0.0, slope=-1.0)
    assert (found.step_length, found.value, bool(found.found)) == (0, 0, False)
    assert found.evaluations == {"strong_wolfe": 25, "backtracking": 40}[search]


@pytest.mark.by_default("float64-*")
@pytest.mark.parametrize("search", SEARCHES)
def test_trials_that_are_not_finite_are_too_long(dtype, search):
    """A barrier at 0.7, and first trials up to 10¹²; -∞ is no minimum either."""

    def barrier(a, beyond):
        return jnp.where(a < 0.7, -jnp.log1p(a) - 0.1 * jnp.log(jnp.where(a < 0.7, 0.7 - a, 1)), beyond)

    start = jnp.zeros((), dtype)
    value, slope = jax.value_and_grad(barrier)(start, 0.0)

    @jax.vmap
    def one(case):
        f = lambda a: barrier(a, case[1])
        return SEARCHES[search](f, start, jnp.ones_like(start), value=value, slope=slope, first=case[0])

    firsts, beyond = (1.0, 1e4, 1e12), (jnp.nan, jnp.inf, -jnp.inf)
    found = one(jnp.asarray([(f, b) for f in firsts for b in beyond], dtype))
    assert found.found.all()
    assert ((found.step_length > 0) & (found.step_length < 0.7)).all()
    assert (found.value < value).all()


def test_without_a_lower_bound_the_lowest_trial_is_taken(x64):
    found = linesearch.strong_wolfe(lambda a: -a, 0.0, jnp.asarray(1.0), value=0.0, slope=-1.0, max_evaluations=8)
    assert not found.found
    assert found.evaluations == 8
    assert found.step_length == -found.value > 1e3
    assert found.grad == -1


def test_slopes_decide_where_a_value_rises_by_its_rounding(dtype):
    """One unit in the last place above the start, at the minimum itself: no rise that could be told from rounding."""
    unit, near = float(jnp.finfo(dtype).eps), 1e-3 * float(jnp.finfo(dtype).eps) ** 0.5

    def f(x):
        return 1 + jnp.where(x < near / 2, unit, 0.0) + x**2 / 2

    found = linesearch.strong_wolfe(f, jnp.asarray(near), jnp.asarray(-near), value=f(near), slope=-(near**2))
    assert (float(found.step_length), int(found.evaluations)) == (1.0, 1)
    assert found.found
    # Two hundred units are a rise.
    steep = linesearch.strong_wolfe(
        lambda x: f(x) + jnp.where(x < near / 2, 200 * unit, 0.0),
        jnp.asarray(near),
        jnp.asarray(-near),
        value=f(near),
        slope=-(near**2),
    )
    assert float(steep.step_length) != 1.0


def test_the_approximate_condition_where_the_value_is_rounding(dtype):
    """1000 + a²: within 3e-4 (3e-2 in float32) of the minimum all values are one number, and the slopes tell."""
    scale = float(jnp.sqrt(jnp.finfo(dtype).eps))

    def f(a):
        return 1000 + jnp.square(a)

    x = jnp.asarray(-3 * scale, dtype)
    value, slope = jax.value_and_grad(f)(x)
    assert value == 1000
    found = linesearch.strong_wolfe(f, x, -slope, value=value, slope=-(slope**2), first=0.9, c2=0.1)
    assert found.found
    np.testing.assert_allclose(found.step_length, 0.5, atol=0.05)
    flat = linesearch.backtracking(f, x, -slope, value=value, slope=-(slope**2))
    assert flat.found  # a step of Newton's there polishes the gradient; no decrease could be seen
    assert flat.step_length == 1


def test_backtracking_shrinks_by_the_parabola(x64):
    """A parabola's refused length is followed by its minimum, if that is within a tenth and a half of it."""

    def f(a):
        return (a - 1) ** 2

    assert linesearch.backtracking(f, 0.0, jnp.asarray(1.0), value=1.0, slope=-2.0, first=4.0).step_length == 1
    shorter = linesearch.backtracking(f, 0.0, jnp.asarray(1.0), value=1.0, slope=-2.0, first=1000.0)
    np.testing.assert_allclose(shorter.step_length, 1.0, rtol=1e-12)
    assert shorter.evaluations == 4  # 1000, 100, 10, 1
    assert shorter.grad is None
    taken = linesearch.backtracking(f, 0.0, jnp.asarray(1.0), value=1.0, slope=-2.0, first=1.9)
    assert (taken.step_length, taken.evaluations) == (1.9, 1)  # no lower bound on the slope's change


@pytest.mark.parametrize("search", SEARCHES)
def test_jit_and_vmap_give_the_same(x64, search):
    starts = jnp.asarray(np.random.default_rng(1).normal(size=(20, 2)))
    parts = tuple(jnp.asarray(p) for p in (1.0, 0.5, 2.0, 3.0, 1.0))

    def one(x):
        value, grad = jax.value_and_grad(waves)(x, parts)
        return SEARCHES[search](lambda x: waves(x, parts), x, -grad, value=value, slope=-(grad @ grad), first=3.0)

    together = jax.jit(jax.vmap(one))(starts)
    compiled = jax.jit(one)
    for i, alone in [(0, one(starts[0])), *((i, compiled(starts[i])) for i in range(20))]:
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(a, b[i], rtol=1e-9, atol=1e-12)
    assert len(set(together.evaluations.tolist())) > 1  # lanes end at different times


@pytest.mark.parametrize("narrow", [jnp.float16, jnp.bfloat16])
def test_narrow_parameters_are_tried_where_they_would_land(narrow):
    """The trial is rounded to the parameters' dtype, the arithmetic is in float32."""
    params = {"w": jnp.asarray([1.0, 2.0], narrow), "b": jnp.asarray(3.0, jnp.float32)}

    def f(p):
        return jnp.sum(p["w"].astype(jnp.float32) ** 2) + p["b"] ** 2

    value, grad = jax.value_and_grad(f)(params)
    direction = jax.tree.map(lambda g: -g.astype(jnp.float32), grad)
    found = linesearch.strong_wolfe(f, params, direction, value=value, slope=linesearch.dot(grad, direction))
    assert found.found
    assert found.step_length.dtype == jnp.float32
    assert jax.tree.map(lambda g: g.dtype, found.grad) == jax.tree.map(lambda p: p.dtype, params)
    assert f(linesearch.moved(params, direction, found.step_length)) == found.value


@pytest.mark.parametrize(
    ("search", "keywords", "message"),
    [
        ("strong_wolfe", {"c1": 0.6}, "0 < c1 ≤ c2 < 1 and c1 < ½, got c1=0.6"),
        ("strong_wolfe", {"c1": 0.3, "c2": 0.2}, "c2=0.2"),
        ("strong_wolfe", {"c2": 1.0}, "c2=1.0"),
        ("strong_wolfe", {"max_evaluations": 0}, "max_evaluations must be a whole number ≥ 1, got 0"),
        ("strong_wolfe", {"first": 0.0}, "first must be > 0"),
        ("backtracking", {"c1": 1.0}, r"c1 must be in \(0, 1\), got 1.0"),
        ("backtracking", {"first": -1.0}, "first must be > 0"),
    ],
)
def test_constants_out_of_range(search, keywords, message):
    with pytest.raises(ValueError, match=message):
        SEARCHES[search](quadratic, jnp.ones(2), -jnp.ones(2), value=1.0, slope=-1.0, **keywords)
