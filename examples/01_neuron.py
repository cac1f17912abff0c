"""An artificial neuron: a weighted sum plus a bias, passed through an activation (pages 3-7).

python examples/01_neuron.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, THEME, WANTED, label, panels, write

from jaxnn.neuron import artificial_neuron
from jaxnn.plots import style

# o = σ(w · x + b): here with three inputs, w · x = 1 · 0.2 + 0.5 · 0.1 + 0.3 · 0.3 = 0.34.
x, w = jnp.array([1.0, 0.5, 0.3]), jnp.array([0.2, 0.1, 0.3])
print("bias   sum w·x + b   sigmoid     ReLU")
for b in (-1.0, 0.0, 1.0):
    total = artificial_neuron(x, w, b, activation=jax.nn.identity)
    squashed = artificial_neuron(x, w, b, activation=jax.nn.sigmoid)
    rectified = artificial_neuron(x, w, b, activation=jax.nn.relu)
    print(f"{b:4.0f}{total:14.2f}{squashed:12.4f}{rectified:9.2f}")

# With one input it can be drawn. Without a bias, every neuron has the same output, σ(0), at x = 0, whatever its weight:
# a weight makes the curve steeper, and only a bias moves it.
line = jnp.linspace(-8, 8, 801)[:, None]
weights, biases = jnp.array([0.5, 1.0, 3.0]), jnp.array([-4.0, 0.0, 4.0])


def neurons(w: jax.Array, b: jax.Array) -> np.ndarray:
    """The output of one neuron for each pair of weight and bias, along the line, (neurons, points)."""
    return np.asarray(jax.vmap(lambda w, b: artificial_neuron(line, w[None], b, activation=jax.nn.sigmoid))(w, b))


steeper = neurons(weights, jnp.zeros(3))
moved = neurons(jnp.ones(3), biases)
points = np.asarray(line[:, 0])
crossing = points[np.abs(moved - 0.5).argmin(axis=1)].round(2) + 0.0  # where each output passes one half
print("\nbias             ", *(f"{b:6.1f}" for b in biases))
print("one half at x =  ", *(f"{c:6.1f}" for c in crossing), "  = -b / w")

np.testing.assert_allclose(artificial_neuron(x, w, activation=jax.nn.identity), 0.34, rtol=1e-6)
assert artificial_neuron(x, w, -1.0) == 0  # ReLU: silent where the sum is negative
np.testing.assert_allclose(steeper[:, 400], 0.5, atol=1e-6)  # x = 0 is pinned without a bias
np.testing.assert_allclose(crossing, -biases, atol=0.03)
np.testing.assert_allclose(moved[0, 200:], moved[1, :-200], atol=1e-6)  # b = -4 is the same curve, 4 to the right

if WANTED:
    figure, (left, right) = panels("A weight makes the curve steeper", "The bias shifts the curve", sharey=True)
    looks = ((ORANGE, "--"), (BLUE, "-"), (GREEN, "-."))
    for steep, shifted, w1, b1, (colour, dashes) in zip(steeper, moved, weights, biases, looks, strict=True):
        look = {"color": colour, "linestyle": dashes, "linewidth": style.LINE}
        left.plot(points, steep, label=f"w = {w1:.1f}", **look)
        right.plot(points, shifted, **look)
        right.text(0.3 - b1, 0.45, f"b = {b1:.0f}", color=colour, fontsize=style.TEXT, fontweight="bold")
    left.plot(0, 0.5, "o", color=THEME.ink, markersize=10, zorder=3)
    left.text(-0.5, 0.55, "b = 0: all meet here", color=THEME.ink, ha="right", fontsize=style.TEXT)
    left.legend(frameon=False, labelcolor=THEME.ink, fontsize=style.TEXT, loc="lower right", handlelength=3)
    right.plot(-biases, [0.5] * 3, "o", color=THEME.ink, markersize=10, zorder=3)
    right.text(-7.9, 0.94, "w = 1", color=THEME.ink, fontsize=style.TEXT)
    label(left, "input x", "output σ(w x + b)")
    label(right, "input x")
    write(figure)
