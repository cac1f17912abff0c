"""Units: no change of them moves a method, or makes it or a certificate say what is not so.

Powers of 2 change no rounding, only exponents: where a method is free of units it takes the very same steps. Units of y
span 24 decades, those of two parameters 48 between them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import Objective, losses, optimisers, training
from jaxnn.verify import certify

pytestmark = pytest.mark.rounding(quickly=True)

RNG = np.random.default_rng(5)
T = np.linspace(0, 3, 40)
Y = 2 * np.exp(-1.3 * T) + 0.5 + 0.01 * RNG.normal(size=40)
START = np.array([1.0, 1.0, 0.25])
PLAIN = np.ones(3)
EPOCH = 1.6e9 + np.sort(RNG.uniform(0, 100, 80))  # seconds since 1970
SEEN = 2 + 0.5 * (EPOCH - 1.6e9) + 0.1 * RNG.normal(size=80)

FREE = {  # of the parameters' units
    "levenberg_marquardt, diagonal": optimisers.levenberg_marquardt(scale="diagonal"),
    "gauss_newton": optimisers.gauss_newton(),
    "newton, trust_region": optimisers.newton(),
    "newton, cubic": optimisers.newton(method="cubic"),
    "newton, line_search": optimisers.newton(method="line_search"),
    "saddle_free_newton": optimisers.saddle_free_newton(),
    "newton_cg, diagonal": optimisers.newton_cg(preconditioner="diagonal"),
}
BOUND = {  # to them: their steps are measured in the parameters as they stand
    "levenberg_marquardt": optimisers.levenberg_marquardt(),
    "newton, pure": optimisers.newton(method="pure"),
    "newton_cg": optimisers.newton_cg(),
    "newton_cg, gauss_newton": optimisers.newton_cg(curvature="gauss_newton"),
    "lbfgs": optimisers.lbfgs(),
    "bfgs": optimisers.bfgs(),
}
ALL = FREE | BOUND


def predict(y_unit, units, p, t):
    p = p / units
    return y_unit * (p[0] * jnp.exp(-p[1] * t) + p[2])


def decay(y_unit=1.0, units=PLAIN):
    """A decay in other units: J is as many times y_unit², the parameters as many times as large.

    The units are data, so a method has one program for all of them.
    """
    in_units = jax.tree_util.Partial(predict, jnp.asarray(y_unit), jnp.asarray(units))
    return Objective(in_units, losses.squared_error), (jnp.asarray(T), jnp.asarray(y_unit * Y))


def solved(optimiser, units=PLAIN, y_unit=1.0):
    objective, batch = decay(y_unit, units)
    return training.minimise(objective, jnp.asarray(START * units), batch, optimiser, max_steps=300)


@pytest.fixture(scope="module")
def plain():
    """The solution in plain units, by method, once."""
    kept = {}

    def of(name):
        if name not in kept:
            kept[name] = solved(ALL[name])
        return kept[name]

    return of


@pytest.mark.by_default("lbfgs--40")
@pytest.mark.parametrize("power", [-40, -20, 20, 40])
@pytest.mark.parametrize("name", ALL)
def test_the_unit_of_y_changes_nothing(x64, plain, name, power):
    unit = 2.0**power
    found = solved(ALL[name], y_unit=unit)
    assert found.stop.partition(";")[0] == plain(name).stop.partition(";")[0]
    assert found.steps == plain(name).steps
    np.testing.assert_array_equal(found.params, plain(name).params)
    assert float(found.value) == unit**2 * float(plain(name).value)


@pytest.mark.by_default("newton, trust_region--40", "gauss_newton--40")
@pytest.mark.parametrize("power", [-40, -20, 20, 40])
@pytest.mark.parametrize("name", FREE)
def test_the_parameters_units_change_nothing(x64, plain, name, power):
    units = 2.0 ** np.array([power, 0, -power])
    found = solved(ALL[name], units)
    assert found.stop.partition(";")[0] == plain(name).stop.partition(";")[0]
    assert found.steps == plain(name).steps
    np.testing.assert_array_equal(found.params / units, plain(name).params)


@pytest.mark.by_default("levenberg_marquardt--40", "lbfgs--40")
@pytest.mark.parametrize("power", [-40, -20, 20, 40])
@pytest.mark.parametrize("name", BOUND)
def test_in_the_parameters_units_a_method_may_fail_but_does_not_say_otherwise(x64, plain, name, power):
    found = solved(ALL[name], 2.0 ** np.array([power, 0, -power]))
    if found.stop.startswith("converged"):
        assert float(found.value) == pytest.approx(float(plain("newton, trust_region").value), rel=1e-9), found.stop


@pytest.mark.by_default("lbfgs")
@pytest.mark.parametrize("name", ALL)
def test_a_line_in_seconds_since_1970(x64, name):
    """The slope and the height at 1970 differ by a direction that is 1e-15 as curved as the other."""
    objective = Objective(lambda p, t: p[0] + p[1] * t, losses.squared_error)
    found = training.minimise(objective, jnp.zeros(2), (EPOCH, SEEN), ALL[name], max_steps=2000)
    least = np.linalg.lstsq(np.stack([np.ones(80), EPOCH - EPOCH.mean()], axis=1), SEEN, rcond=None)[1][0] / 80
    if found.stop.startswith("converged"):
        # J itself is known to 3e-6 here: three roundings of the slope move each residual of 0.1 by 5e-7
        assert float(found.value) == pytest.approx(float(least), rel=1e-5), found.stop
    # The first two take too short steps to arrive; pure Newton divides by a curvature that is all rounding. On some
    # processors cubic Newton is at the least J but for 2e-13 of it, and calls it stuck, since its model promises more.
    reaches = {"levenberg_marquardt", *FREE} - {"gauss_newton", "saddle_free_newton", "newton, cubic"}
    assert (name not in reaches) or found.stop.startswith("converged"), found.stop


@pytest.mark.by_default("-40")
@pytest.mark.parametrize("power", [-40, -20, 0, 20, 40])
def test_a_certificate_says_the_same_in_any_units(x64, plain, power):
    best = np.asarray(plain("newton, trust_region").params)
    for y_unit, units in ((2.0**power, np.ones(3)), (1.0, 2.0 ** np.array([power, 0, -power]))):
        objective, batch = decay(y_unit, units)
        verdict = lambda p: certify(objective, jnp.asarray(p * units), batch).verdict  # noqa: B023
        assert verdict(best) == "minimum"
        assert verdict(best * [1, 1, 1.0001]) == "not stationary"
        assert verdict(best * [1 + 1e-6, 1, 1]) == "not stationary"
        assert verdict([0.0, -1.0, Y.mean()]) == "not stationary"


@pytest.mark.parametrize("power", [-30, 30])
def test_saddles_and_null_directions_are_the_same_in_any_units(x64, power):
    units = 2.0 ** np.array([power, -power])
    flat = lambda p, _: (p[0] / units[0] - p[1] / units[1]) ** 2
    saddle = lambda p, _: (p[0] / units[0]) ** 2 + 3 * p[0] * p[1] / units.prod() + (p[1] / units[1]) ** 2
    assert certify(flat, jnp.asarray(units), None).verdict == "degenerate minimum"
    found = certify(saddle, jnp.zeros(2), None)
    assert found.verdict == "saddle"
    down = np.asarray(found.descent_direction) / units
    assert down[0] * down[1] < 0
    assert np.linalg.norm(found.descent_direction) == pytest.approx(1)
