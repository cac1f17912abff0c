"""The neuron: the artificial one, and the biological one that it is named after.

    artificial neuron    o = σ(w · x + b)
    Nernst potential     E = -(R T / z F) ln(cᵢ / cₒ)       the voltage at which an ion no longer flows

    Hodgkin and Huxley   C V̇ = I - ḡ_Na m³h (V - E_Na) - ḡ_K n⁴ (V - E_K) - ḡ_L (V - E_L)
                         ẋ = αₓ(V) (1 - x) - βₓ(V) x        x = m, h, n: the fraction of gates that are open

The rates of opening, α, and closing, β, in 1/ms, V in mV:

    α_m = (V + 40)/10 / (1 - e^(-(V + 40)/10))          β_m = 4 e^(-(V + 65)/18)
    α_h = 0.07 e^(-(V + 65)/20)                         β_h = 1 / (1 + e^(-(V + 35)/10))
    α_n = (V + 55)/100 / (1 - e^(-(V + 55)/10))         β_n = e^(-(V + 65)/80) / 8

The paper measures voltages downwards from rest. Here they are as usual today: inside minus outside, with rest at -65
mV.

References:
    Nernst 1889; McCulloch & Pitts, A logical calculus of the ideas immanent in nervous activity, 1943.
    Hodgkin & Huxley, A quantitative description of membrane current and its application to conduction and excitation
    in nerve, Journal of Physiology 117, 1952: rates and constants, in its table 3.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaxnn import checks
from jaxnn.types import Activation

GAS_CONSTANT = 8.31446261815324  # R, J / (mol K), exact since 2019
FARADAY_CONSTANT = 96485.33212331001  # F, C / mol, likewise
BODY_TEMPERATURE = 310.15  # K, 37 °C

REST = -65.0  # mV
LONGEST = 1.0  # of a time step times the fastest rate: the method stays stable to 2.8, but is not accurate there
SERIES = 0.1  # below it x / (1 - e⁻ˣ) by its series: its derivative loses digits


def artificial_neuron(x: ArrayLike, w: ArrayLike, b: ArrayLike = 0.0, *, activation: Activation = jax.nn.relu) -> Array:
    """σ(w · x + b): a weighted sum of inputs plus a bias, passed through an activation.

    Args:
        x: inputs, (..., n_in).
        w: weights, (n_in,).
        b: the bias, a scalar; 0 is a neuron without one.
        activation: σ; `jax.nn.identity` leaves the sum as it is.

    Returns:
        The neuron's output for each row, (...).

    Raises:
        ValueError: there are not as many inputs as weights.
    """
    x, w = jnp.asarray(x), jnp.asarray(w)
    if w.ndim != 1 or x.ndim < 1 or x.shape[-1] != w.shape[0]:
        raise ValueError(f"A neuron takes as many inputs as it has weights: x {x.shape} does not fit w {w.shape}.")
    return activation(x @ w + b)


def nernst_potential(
    inside: ArrayLike, outside: ArrayLike, *, valence: ArrayLike = 1, temperature: ArrayLike = BODY_TEMPERATURE
) -> Array:
    """The equilibrium potential of an ion, in volts, inside minus outside.

    Args:
        inside: concentration within the cell, > 0, in mol/m³ (the same number as mmol/l); only the ratio matters.
        outside: concentration outside it, > 0, in the same unit.
        valence: z, the ion's charge: 1 for potassium and sodium, 2 for calcium, -1 for chloride.
        temperature: in kelvin, > 0; that of the body by default.

    Returns:
        E = -(R T / z F) ln(inside / outside), V; arguments of several entries are broadcast.

    Raises:
        ValueError: a concentration or temperature that is not positive and finite, or a valence of 0.
    """
    for name, given in (("inside", inside), ("outside", outside), ("temperature", temperature)):
        _each(name, given, "> 0 and finite", lambda value: (value > 0) & np.isfinite(value))
    _each("valence", valence, "a charge other than 0", lambda value: (value != 0) & np.isfinite(value))
    inside, outside, valence, temperature = (jnp.asarray(v, float) for v in (inside, outside, valence, temperature))
    return -GAS_CONSTANT * temperature / (valence * FARADAY_CONSTANT) * (jnp.log(inside) - jnp.log(outside))


class Membrane(NamedTuple):
    """What a membrane is made of, per cm²: by default the giant axon of the squid at 6.3 °C, as in the paper."""

    capacitance: Any = 1.0  # C, µF
    sodium: Any = 120.0  # ḡ_Na, mS, all gates open
    potassium: Any = 36.0  # ḡ_K, mS
    leak: Any = 0.3  # ḡ_L, mS
    sodium_potential: Any = 50.0  # E_Na, mV
    potassium_potential: Any = -77.0  # E_K, mV
    leak_potential: Any = -54.387  # E_L, mV, which puts the rest at -65


SQUID = Membrane()


class Trace(NamedTuple):
    """The membrane at the end of each time step."""

    time: Float[Array, " steps"]  # ms
    voltage: Float[Array, " steps"]  # mV, inside minus outside
    m: Float[Array, " steps"]  # sodium's gates that open
    h: Float[Array, " steps"]  # sodium's gates that shut
    n: Float[Array, " steps"]  # potassium's gates


def hodgkin_huxley(
    current: ArrayLike,
    *,
    duration: Any = 50.0,
    time_step: Any = 0.01,
    membrane: Membrane = SQUID,
    voltage: ArrayLike = REST,
) -> Trace:
    """The squid's axon under a current, by the classical Runge-Kutta method in one scan, for jit, vmap and grad.

    Args:
        current: I in µA/cm², inwards: one number, or one for each time step, (steps,), which stays constant during it.
        duration: how long, a number of ms.
        time_step: likewise. At 0.01 a spike's peak is within 1e-4 mV of the exact one.
        membrane: conductances, potentials and capacitance.
        voltage: at the start, mV; the gates start at their steady state for it.

    Returns:
        A `Trace` of round(duration / time_step) steps. If a time step was too long for the membrane's
        dynamics, all later values are NaN; outside JAX transformations, this raises an error instead.

    Raises:
        ValueError: a time step too long, or longer than the duration; a current of another length than there are steps;
            a membrane without capacitance or with negative conductances; a voltage of several numbers.
    """
    for name, given in (("duration", duration), ("time_step", time_step)):
        if isinstance(given, jax.core.Tracer):
            raise ValueError(f"{name} must be a Python number, because the number of steps cannot depend on an array.")
    checks.positive(duration=duration, time_step=time_step)
    _each("capacitance", membrane.capacitance, "> 0 and finite", lambda value: (value > 0) & np.isfinite(value))
    for name in ("sodium", "potassium", "leak"):
        _each(name, getattr(membrane, name), "≥ 0 and finite", lambda value: (value >= 0) & np.isfinite(value))
    if jnp.shape(voltage) != ():
        raise ValueError(f"voltage must be one number, got shape {jnp.shape(voltage)}: jax.vmap over several.")
    steps = round(float(duration) / float(time_step))
    current = jnp.asarray(current, float)
    if steps < 1:
        raise ValueError(f"time_step must be at most the duration, got {time_step} of {duration} ms.")
    if current.shape not in ((), (steps,)):
        raise ValueError(
            f"current must be one number or one for each of the {steps:,} steps ({duration} / {time_step} ms), "
            f"got shape {current.shape}."
        )
    start = _standing(jnp.asarray(voltage, float))

    def advance(at: tuple[Array, Bool[Array, ""]], i: Array) -> Any:
        y, good = at
        good &= time_step * _fastest(y, membrane) <= LONGEST
        y = jnp.where(good, runge_kutta(lambda y: _slopes(y, i, membrane), y, time_step), jnp.nan)
        return (y, good), y

    _, ys = jax.lax.scan(advance, (start, jnp.array(True)), jnp.broadcast_to(current, (steps,)))
    if not isinstance(ys, jax.core.Tracer) and bool(jnp.isnan(ys[-1, 0])):
        since = float(time_step * jnp.argmax(jnp.isnan(ys[:, 0])))
        raise ValueError(
            f"time_step = {time_step} ms is too long for the membrane's dynamics after {since:.4g} ms, or an input is "
            "not finite: try 0.01 ms."
        )
    return Trace(time_step * jnp.arange(1, steps + 1), *ys.T)


def firing_rate(trace: Trace, *, after: float = 0.0, threshold: float = 0.0) -> Array:
    """Spikes per second: how often the voltage rises through the threshold.

    Args:
        trace: from `hodgkin_huxley`.
        after: ms from the start that are left out, while the membrane settles; before the end.
        threshold: mV.

    Returns:
        1/s, a scalar, or one for each trace of a vmapped one; NaN for a trace that ends in NaN.

    Raises:
        ValueError: `after` is not within the trace.
    """
    checks.non_negative(after=after)
    end = trace.time[..., -1]
    if not isinstance(end, jax.core.Tracer) and after >= end.min():
        raise ValueError(f"after must be before the end of the trace, {float(end.min()):g} ms, got {after}.")
    v = trace.voltage
    rises = (v[..., :-1] < threshold) & (v[..., 1:] >= threshold) & (trace.time[..., 1:] > after)
    rate = 1000 * jnp.sum(rises, axis=-1) / (end - after)
    return jnp.where(jnp.isnan(v[..., -1]), jnp.nan, rate)


def rates(voltage: ArrayLike) -> tuple[Float[Array, "3 ..."], Float[Array, "3 ..."]]:
    """α and β of the gates m, h, n, in 1/ms, at a voltage in mV; also where the formula divides 0 by 0."""
    v = jnp.asarray(voltage, float)
    opening = jnp.stack([_ramp((v + 40) / 10), 0.07 * jnp.exp(-(v + 65) / 20), 0.1 * _ramp((v + 55) / 10)])
    closing = jnp.stack(
        [4 * jnp.exp(-(v + 65) / 18), jax.nn.sigmoid((v + 35) / 10), jnp.exp(-(v + 65) / 80) / 8],
    )
    return opening, closing


def runge_kutta(f: Any, y: Array, step: float) -> Array:
    """The classical method of fourth order for ẏ = f(y)."""
    k1 = f(y)
    k2 = f(y + step / 2 * k1)
    k3 = f(y + step / 2 * k2)
    k4 = f(y + step * k3)
    return y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _slopes(y: Array, current: Array, membrane: Membrane) -> Array:
    """The right sides of the four equations, y = (V, m, h, n)."""
    v, gates = y[0], y[1:]
    sodium, potassium, leak = _conductances(gates, membrane)
    outwards = (
        sodium * (v - membrane.sodium_potential)
        + potassium * (v - membrane.potassium_potential)
        + leak * (v - membrane.leak_potential)
    )
    opening, closing = rates(v)
    return jnp.concatenate(
        [((current - outwards) / membrane.capacitance)[None], opening * (1 - gates) - closing * gates]
    )


def _conductances(gates: Array, membrane: Membrane) -> tuple[Array, Array, Any]:
    m, h, n = gates
    return membrane.sodium * m**3 * h, membrane.potassium * n**4, membrane.leak


def _fastest(y: Array, membrane: Membrane) -> Array:
    """The largest rate at which anything decays, 1/ms."""
    opening, closing = rates(y[0])
    membrane_rate = sum(_conductances(y[1:], membrane)) / membrane.capacitance
    return jnp.maximum(jnp.max(opening + closing), membrane_rate)


def _standing(voltage: Array) -> Array:
    """(V, m, h, n) with gates in their steady state: x = α / (α + β)."""
    opening, closing = rates(voltage)
    return jnp.concatenate([voltage[None], opening / (opening + closing)])


def _ramp(x: Array) -> Array:
    """The quotient x / (1 - e⁻ˣ), 1 at 0, with all its digits and those of its derivative."""
    near = jnp.abs(x) < SERIES
    away = jnp.where(near, 1.0, x)
    series = 1 + x / 2 + x**2 / 12 - x**4 / 720 + x**6 / 30240
    return jnp.where(near, series, away / -jnp.expm1(-away))


def _each(name: str, given: Any, rule: str, holds: Any) -> None:
    """Raises ValueError unless every entry holds; tracers pass."""
    if isinstance(given, jax.core.Tracer):
        return
    value = np.asarray(given, float)
    if not holds(value).all():
        wrong = value[~holds(value)].ravel()[0] if value.ndim else value
        raise ValueError(f"{name} must be {rule}, got {wrong!s}.")
