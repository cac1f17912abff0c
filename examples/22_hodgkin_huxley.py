"""The neuron that the artificial one is named after: Hodgkin and Huxley's membrane, spikes and threshold (page 2).

python examples/22_hodgkin_huxley.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, THEME, WANTED, label, legend, panels, write

from jaxnn import neuron
from jaxnn.plots import style

# The Nernst potential, E = -(R T / z F) ln(inside / outside): where an ion no longer flows. Concentrations in the giant
# axon of the squid, in mmol/l, at 6.3 °C.
ions = {"potassium": (400, 20), "sodium": (50, 440)}
inside, outside = (jnp.array(each, float) for each in zip(*ions.values(), strict=True))
potentials = 1000 * np.asarray(neuron.nernst_potential(inside, outside, temperature=279.45))
print("ion         inside  outside   Nernst potential")
for (name, (within, without)), potential in zip(ions.items(), potentials, strict=True):
    print(f"{name:10} {within:7} {without:8} {potential:12.1f} mV")


# A pulse of 1 ms, at 5 ms, is answered by one spike or by none.
time_step, duration = 0.02, 30.0
steps = round(duration / time_step)
pulse = jnp.where((jnp.arange(steps) * time_step >= 5) & (jnp.arange(steps) * time_step < 6), 1.0, 0.0)
answer = jax.jit(jax.vmap(lambda height: neuron.hodgkin_huxley(height * pulse, duration=duration, time_step=time_step)))
weak, strong = (jax.tree.map(lambda each, i=i: np.asarray(each[i]), answer(jnp.array([5.0, 10.0]))) for i in (0, 1))
print(f"\npulse of  5 µA/cm²: the voltage peaks at {weak.voltage.max():6.1f} mV")
print(f"pulse of 10 µA/cm²: the voltage peaks at {strong.voltage.max():6.1f} mV, a spike")

# Under a lasting current the membrane fires again and again, above a threshold, and at once some 50 times a second.
currents = jnp.array([0, 2, 4, 5, 6, 6.1, 6.2, 6.3, 6.4, 6.5, 7, 8, 10, 15, 20, 25, 30])


@jax.jit
@jax.vmap
def rate(current: jax.Array) -> jax.Array:
    """Spikes per second, once the membrane has settled."""
    return neuron.firing_rate(neuron.hodgkin_huxley(current, duration=500.0, time_step=0.025), after=200.0)


rates = np.asarray(rate(currents))
threshold = float(currents[np.argmax(rates > 0)])
print("\ncurrent, µA/cm²", *(f"{i:5.1f}" for i in currents[4:]))
print("spikes a second", *(f"{r:5.0f}" for r in rates[4:]))
print(f"fires again and again from {threshold:.1f} µA/cm² on")

np.testing.assert_allclose(potentials, [-72.1, 52.4], atol=0.1)
assert weak.voltage.max() < -55  # all or nothing: half the pulse gives no spike at all,
assert strong.voltage.max() > 30  # the whole one nearly reaches sodium's potential
assert potentials[0] - 10 < strong.voltage.min() < -70  # and afterwards potassium's
assert 6.1 <= threshold <= 6.5
assert rates[currents > threshold].min() > 45  # it starts with a leap, not from 0
assert (np.diff(rates[rates > 0]) >= 0).all()

if WANTED:
    figure, (spike, gates, curve) = panels("Spike: all or nothing", "Open gates", "Firing rate")
    looks = ((ORANGE, "--"), (BLUE, "-"), (GREEN, "-."))
    for trace, (colour, dashes), name in ((weak, looks[0], "pulse of 5 µA/cm²"), (strong, looks[1], "10 µA/cm²")):
        spike.plot(trace.time, trace.voltage, dashes, color=colour, linewidth=style.LINE, label=name)
    for gate, name, (colour, dashes) in zip(
        "mhn", ("m, sodium opens", "h, sodium shuts", "n, potassium"), looks, strict=True
    ):
        gates.plot(strong.time, getattr(strong, gate), dashes, color=colour, linewidth=style.LINE, label=name)
    curve.plot(currents, rates, "-o", color=BLUE, linewidth=style.LINE, markersize=8)
    curve.text(threshold + 1, 20, f"threshold\n{threshold:.1f} µA/cm²", color=THEME.ink, fontsize=style.TEXT)
    label(spike, "time, ms", "voltage, mV")
    label(gates, "time, ms", "fraction of gates open")
    label(curve, "current, µA/cm²", "spikes per second")
    spike.set_ylim(-82, 75)
    gates.set(ylim=(0, 1.35), yticks=[0, 0.5, 1])
    legend(spike, loc="upper right")
    legend(gates, loc="upper right")
    write(figure)
