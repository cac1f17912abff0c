"""The neuron against textbooks, and the squid's axon against a solver of higher order and the paper's facts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import activations, neuron


def test_an_artificial_neuron_is_a_weighted_sum_through_an_activation(dtype):
    x, w = jnp.array([[1.0, 0.5, 0.3], [0.0, 0.0, 0.0]], dtype), jnp.array([0.2, 0.1, 0.3], dtype)
    np.testing.assert_allclose(neuron.artificial_neuron(x[0], w), 0.34, rtol=1e-6)
    biased = neuron.artificial_neuron(x, w, -0.5, activation=activations.sigmoid)
    np.testing.assert_allclose(biased, [1 / (1 + np.exp(0.16)), 1 / (1 + np.exp(0.5))], rtol=1e-6)
    assert biased.dtype == dtype
    assert neuron.artificial_neuron(x[0], w, -0.5) == 0  # ReLU of -0.16


def test_the_bias_moves_where_a_neuron_switches(x64):
    at = jnp.linspace(-5, 5, 1001)[:, None]
    outputs = neuron.artificial_neuron(at, jnp.array([2.0]), -3.0, activation=activations.sigmoid)
    np.testing.assert_allclose(np.interp(0.5, outputs, at[:, 0]), 1.5, atol=1e-9)  # w x + b = 0


def test_a_neuron_takes_as_many_inputs_as_it_has_weights():
    with pytest.raises(ValueError, match=r"x \(2,\) does not fit w \(3,\)"):
        neuron.artificial_neuron(jnp.ones(2), jnp.ones(3))
    with pytest.raises(ValueError, match="as many inputs"):
        neuron.artificial_neuron(jnp.ones(2), jnp.ones((2, 1)))


# Concentrations in mmol/l and potentials in mV of a mammal's neurone at 37 °C, as Purves et al., Neuroscience, and
# Kandel et al., Principles of Neural Science, tabulate them, to the millivolt.
@pytest.mark.parametrize(
    ("inside", "outside", "valence", "millivolts"),
    [(140, 5, 1, -89), (15, 145, 1, 61), (7, 110, -1, -74), (1e-4, 1.5, 2, 128.5)],
    ids=["potassium", "sodium", "chloride", "calcium"],
)
def test_nernst_potentials_of_textbooks(inside, outside, valence, millivolts, dtype):
    found = neuron.nernst_potential(inside, outside, valence=valence)
    assert found.dtype == dtype
    np.testing.assert_allclose(1000 * found, millivolts, atol=0.5)


def test_nernst_laws(x64):
    volts = neuron.nernst_potential(np.array([10.0, 100.0, 1.0]), 10.0)
    assert volts[0] == 0
    np.testing.assert_allclose(volts[1], -0.0615, atol=5e-5)  # 61.5 mV for a factor of ten at 37 °C
    np.testing.assert_allclose(volts[1], -volts[2], rtol=1e-14)
    np.testing.assert_allclose(neuron.nernst_potential(5.0, 50.0, valence=2), -volts[1] / 2, rtol=1e-14)
    squid = 1000 * neuron.nernst_potential(400.0, 20.0, temperature=279.45)  # 6.3 °C
    np.testing.assert_allclose(squid, -72.1, atol=0.1)
    assert jnp.isfinite(jax.jit(neuron.nernst_potential)(1.0, 2.0))
    extremes = neuron.nernst_potential(1e-300, 1e300)
    np.testing.assert_allclose(extremes, 0.026726 * 600 * np.log(10), rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"inside": 0.0, "outside": 1.0}, "inside must be > 0 and finite, got 0.0"),
        ({"inside": 1.0, "outside": -4.0}, "outside must be > 0 and finite, got -4.0"),
        ({"inside": 1.0, "outside": np.array([1.0, np.nan])}, "outside must be > 0 and finite, got nan"),
        ({"inside": 1.0, "outside": 1.0, "valence": 0}, "valence must be a charge other than 0"),
        ({"inside": 1.0, "outside": 1.0, "temperature": -1.0}, "temperature must be > 0"),
    ],
)
def test_nernst_refuses(arguments, told):
    with pytest.raises(ValueError, match=told):
        neuron.nernst_potential(**arguments)


def paper(t, y, current):
    """The equations once more, as they are printed, over NumPy."""
    v, m, h, n = y
    a_m, b_m = 0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)), 4 * np.exp(-(v + 65) / 18)
    a_h, b_h = 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))
    a_n, b_n = 0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)
    ions = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
    return [current - ions, a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n]


# Where the currents of gates that stand still cancel: the root of the paper's equation, by Brent's method.
RESTING = -64.99637933119206
START = [-65.0, 0.05293248525724959, 0.5961207535084603, 0.3176769140606972]  # x = α / (α + β) at -65 mV


@pytest.fixture(scope="module")
def spikes():
    """Time and state of the paper's equations under 10 µA/cm², to 12 digits by a method of eighth order."""
    solver = pytest.importorskip("scipy.integrate")
    times = np.arange(1, 1001) * 0.02
    words = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12, "t_eval": times}
    return solver.solve_ivp(paper, (0, 20.1), START, args=(10.0,), **words).y


def error(spikes, step):
    trace = neuron.hodgkin_huxley(10.0, duration=20.0, time_step=step)
    every = round(0.02 / step)
    ours = np.stack([trace.voltage, trace.m, trace.h, trace.n])[:, every - 1 :: every]
    return np.abs(ours - spikes).max(axis=1)


@pytest.mark.slow
def test_spikes_are_those_of_a_method_of_higher_order(spikes, x64):
    worst = error(spikes, 0.005)
    assert worst[0] < 1e-5  # mV
    assert worst[1:].max() < 1e-6
    assert 14 < error(spikes, 0.01)[0] / worst[0] < 19  # fourth order: 2⁴


def test_spikes_in_single_precision(spikes):
    assert error(spikes, 0.01)[0] < 0.05  # mV: 1000 steps of rounding at ±50 mV, grown by the threshold's instability


def test_at_rest_nothing_moves(x64):
    still = neuron.hodgkin_huxley(0.0, duration=100.0, time_step=0.02)
    np.testing.assert_allclose(still.voltage, -65, atol=0.01)
    np.testing.assert_allclose(still.voltage[-1], RESTING, atol=1e-7)


def test_a_spike_overshoots_zero_and_undershoots_rest(x64):
    pulse = jnp.zeros(2000).at[100:200].set(20.0)  # 1 ms
    trace = neuron.hodgkin_huxley(pulse, duration=20.0)
    assert neuron.firing_rate(trace) == 50  # one spike in 20 ms
    assert 35 < trace.voltage.max() < 50  # sodium's potential
    assert -77 < trace.voltage.min() < -70  # potassium's is -77
    width = 0.01 * jnp.sum(trace.voltage > -20)
    assert 1 < width < 2  # ms, in the cold


def test_all_or_nothing(x64):
    """Below the threshold a pulse leaves a hump that grows with it; above it, the same spike whatever the pulse."""
    peaks = jax.jit(
        jax.vmap(
            lambda size: neuron.hodgkin_huxley(jnp.zeros(1500).at[:50].set(size), duration=15.0).voltage.max(),
        )
    )(jnp.array([5.0, 10.0, 20.0, 40.0]))
    assert peaks[1] < -50
    assert peaks[0] < peaks[1]
    assert peaks[3] - peaks[2] < 8
    assert peaks[2] > 30


def test_the_rate_jumps_and_then_grows_with_the_current(x64):
    """Repetitive firing starts at about 6.3 µA/cm² and at once with some 50 spikes a second (Rinzel 1978)."""
    currents = jnp.array([2.0, 6.0, 6.5, 10.0, 20.0, 40.0])
    rate = jax.jit(
        jax.vmap(lambda i: neuron.firing_rate(neuron.hodgkin_huxley(i, duration=500.0, time_step=0.02), after=100.0))
    )(currents)
    np.testing.assert_array_equal(rate[:2], 0)
    assert rate[2] > 50
    assert (np.diff(rate[2:]) > 0).all()
    assert rate[-1] < 130


@pytest.mark.slow
def test_it_can_be_derived(x64):
    def last(current):
        return neuron.hodgkin_huxley(current, duration=3.0, time_step=0.02).voltage[-1]

    slope = jax.jit(jax.grad(last))(10.0)
    np.testing.assert_allclose(slope, (last(10.001) - last(9.999)) / 0.002, rtol=1e-6)


@pytest.mark.parametrize("voltage", [-40.0, -55.0])
def test_rates_where_the_formula_divides_nothing_by_nothing(voltage, dtype):
    at, near = neuron.rates(voltage), neuron.rates(voltage + 1e-3)
    for there, beside in zip(at, near, strict=True):
        np.testing.assert_allclose(there, beside, rtol=2e-4)
    slope = jax.jit(jax.jacfwd(lambda v: neuron.rates(v)[0]))(voltage)
    # x / (1 - e⁻ˣ) has the slope ½ at 0
    expected = {-40.0: (0, 1 / 20), -55.0: (2, 1 / 200)}[voltage]
    np.testing.assert_allclose(slope[expected[0]], expected[1], rtol=1e-6)


def test_rates_keep_their_digits_where_the_series_ends(x64):
    for x in (0.0999999, 0.1000001):
        v = 10 * x - 40
        np.testing.assert_allclose(neuron.rates(v)[0][0], x / -np.expm1(-x), rtol=1e-13)
        exact = (-np.expm1(-x) - x * np.exp(-x)) / np.expm1(-x) ** 2 / 10
        np.testing.assert_allclose(jax.grad(lambda v: neuron.rates(v)[0][0])(v), exact, rtol=1e-11)


def test_another_membrane(x64):
    """Without sodium there is no spike; a membrane of leak alone charges by the exponential."""
    blocked = neuron.hodgkin_huxley(10.0, membrane=neuron.Membrane(sodium=0.0))  # as by tetrodotoxin
    assert blocked.voltage.max() < -40
    leak = neuron.Membrane(sodium=0.0, potassium=0.0)
    trace = neuron.hodgkin_huxley(3.0, membrane=leak, voltage=-54.387)
    np.testing.assert_allclose(trace.voltage, -54.387 + 10 * -np.expm1(-0.3 * trace.time), rtol=1e-10)


def test_a_step_too_long_is_refused_and_within_jit_is_nan():
    with pytest.raises(ValueError, match=r"time_step = 0\.1 ms is too long .* try 0\.01 ms"):
        neuron.hodgkin_huxley(10.0, time_step=0.1)
    trace = jax.jit(lambda i: neuron.hodgkin_huxley(i, time_step=0.1))(10.0)
    assert jnp.isnan(trace.voltage[-1])
    assert jnp.isfinite(trace.voltage[0])
    assert jnp.isnan(neuron.firing_rate(trace))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"time_step": 0.0}, "time_step must be > 0"),
        ({"duration": 1.0, "time_step": 3.0}, "time_step must be at most the duration"),
        ({"membrane": neuron.Membrane(capacitance=0.0)}, "capacitance must be > 0"),
        ({"membrane": neuron.Membrane(leak=-1.0)}, "leak must be ≥ 0"),
        ({"membrane": neuron.Membrane(capacitance=jnp.array(0.0))}, "capacitance must be > 0"),
        ({"voltage": np.array([-65.0, -60.0])}, "voltage must be one number"),
        ({"voltage": np.nan}, "not finite"),
    ],
)
def test_a_membrane_refuses(words, told):
    with pytest.raises(ValueError, match=told):
        neuron.hodgkin_huxley(10.0, **words)


def test_currents_are_one_for_each_step():
    with pytest.raises(ValueError, match=r"one for each of the 5,000 steps \(50.0 / 0.01 ms\), got shape \(3,\)"):
        neuron.hodgkin_huxley(jnp.ones(3))
    with pytest.raises(ValueError, match="not finite"):
        neuron.hodgkin_huxley(np.inf, duration=1.0)


def test_steps_are_counted_before_anything_is_traced():
    with pytest.raises(ValueError, match="time_step must be a Python number"):
        jax.jit(lambda step: neuron.hodgkin_huxley(10.0, time_step=step))(0.01)


@pytest.mark.slow
def test_the_rate_of_several_traces_at_once():
    traces = jax.jit(jax.vmap(lambda i: neuron.hodgkin_huxley(i, duration=40.0, time_step=0.025)))(
        jnp.array([0.0, 10.0])
    )
    one = neuron.hodgkin_huxley(10.0, duration=40.0, time_step=0.025)
    np.testing.assert_allclose(neuron.firing_rate(traces), [0.0, neuron.firing_rate(one)], rtol=1e-6)
    assert neuron.firing_rate(one) > 0


@pytest.mark.parametrize("after", [10.0, 60.0, -5.0])
def test_what_is_left_out_is_within_the_trace(after):
    trace = neuron.Trace(*(jnp.linspace(1, 10, 10),) * 5)
    with pytest.raises(ValueError, match="after must be"):
        neuron.firing_rate(trace, after=after)
