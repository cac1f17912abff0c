"""The lectures' worked example, digit by digit: forward, loss, and back by the chain rule (pages 20-25, 28, 34-40).

python examples/05_forward_and_backward.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, panels, write

from jaxnn import backprop, losses, mlp
from jaxnn.plots import style

jax.config.update("jax_enable_x64", True)
y = jnp.array([[0.75]])


@jax.jit
def loss(params: mlp.Params, x: jax.Array) -> jax.Array:
    """The loss L = (y - o)² of the one example."""
    return losses.squared_error(mlp.apply(params, x), y)[0]


# The pages follow one hidden unit, without bias: three inputs x, their weights w, and one weight w₂₁ behind it.
x, w = jnp.array([[1.0, 0.5, 0.3]]), jnp.array([[0.2, 0.1, 0.3]])
params = (mlp.Layer(w.T, None), mlp.Layer(jnp.array([[0.5]]), None))

# Forward, keeping the intermediates; the loss; and backward, from the loss to every number that it depends on.
o, kept = mlp.forward(params, x, activation=jax.nn.relu)
grads, adjoints = backprop.reverse(params, kept, -2 * (y - o), activation=jax.nn.relu)
forward = {"z": kept.pre_activations[0], "h": kept.hidden[0], "o": o, "L": loss(params, x)}
back = {"o": adjoints.outputs, "w₂₁": grads[1].w, "h": adjoints.hidden[0], "z": adjoints.pre_activations[0]}
forward, back = ({name: float(value.squeeze()) for name, value in each.items()} for each in (forward, back))
rules = ("w · x", "ReLU(z)", "w₂₁ h", "(y - o)²", "-2 (y - o)", "h ∂L/∂o", "w₂₁ ∂L/∂o", "ReLU'(z) ∂L/∂h")
numbers = forward | {f"∂L/∂{name}": value for name, value in back.items()}
for (name, value), rule in zip(numbers.items(), rules, strict=True):
    print(f"{name:8} = {rule:15} = {value:8.4f}")
np.testing.assert_allclose([*forward.values()], [0.34, 0.34, 0.17, 0.3364], rtol=1e-14)
np.testing.assert_allclose([*back.values()], [-1.16, -0.3944, -0.58, -0.58], rtol=1e-14)

# Page 38 goes on with ∂L/∂w₁₁ = 0.2 · (-0.3944) = -0.07888. But -0.3944 belongs to the weight behind the unit, and the
# chain goes through the unit: ∂L/∂w₁₁ = x₁ ∂L/∂z. Which triple is the input is left open; neither gives that figure.
print("\n∂L/∂w₁₁         by hand  jax.grad  differences   page 38")
h = 1e-4
for given, weights, right in ((x, w, -0.58), (w, x, -0.116)):
    network = (mlp.Layer(weights.T, None), params[1])
    o, kept = mlp.forward(network, given)
    by_hand = backprop.backward(network, kept, -2 * (y - o))[0].w[0, 0]
    by_jax = jax.grad(loss)(network, given)[0].w[0, 0]
    up, down = ((mlp.Layer(weights.T.at[0].add(step), None), params[1]) for step in (h, -h))
    found = [float(by_hand), float(by_jax), float(loss(up, given) - loss(down, given)) / (2 * h)]
    print(f"where x₁ = {given[0, 0]}", *(f"{value:10.4f}" for value in found), "   -0.07888")
    np.testing.assert_allclose(found, right, rtol=1e-9)
    assert abs(found[0] + 0.07888) > 0.03

if WANTED:
    figure, (axes,) = panels("")
    style.bare(axes, THEME, title="Values forward (blue), then derivatives of the loss backward (orange)")
    axes.set(xlim=(-0.7, 12.7), ylim=(-0.2, 6.6))
    places = {"x₁": (0, 5.4), "x₂": (0, 3), "x₃": (0, 0.6), "z": (4.8, 3), "h": (7.2, 3), "o": (9.6, 3), "L": (12, 3)}
    edges = [(f"x{i}", "z", f"w₁{i} = {w[0, k]:g}", f"{grads[0].w[k, 0]:.4g}") for k, i in enumerate("₁₂₃")]
    edges += [("z", "h", "ReLU", ""), ("h", "o", "w₂₁ = 0.5", f"{back['w₂₁']:.4f}"), ("o", "L", "y = 0.75", "")]
    words = {"ha": "center", "va": "center", "fontsize": style.TEXT, "fontweight": "bold"}
    for start, end, above, below in edges:
        near, far = np.array(places[start]), np.array(places[end])
        arrow = {"arrowstyle": "-|>", "color": THEME.muted, "lw": 2, "shrinkA": 34, "shrinkB": 34}
        axes.annotate("", far, near, arrowprops=arrow)
        off = 0.0 if start[0] == "x" else 0.35  # long edges carry their numbers, short ones have them above and below
        for text, share, colour, up in ((above, 0.34, BLUE, off), (below, 0.64, ORANGE, -off)):
            x0, y0 = near + (far - near) * (share if off == 0 else 0.5)
            axes.text(x0, y0 + up, text, color=colour, backgroundcolor=THEME.background, **words)
    values = dict(zip(places, x[0].tolist(), strict=False)) | forward
    for name, (x0, y0) in places.items():
        axes.plot(x0, y0, "o", color=THEME.grid, markersize=64)
        axes.text(x0, y0, name, color=THEME.ink, **words | {"fontsize": style.TITLE})
        axes.text(x0, y0 + 0.8, f"{values[name]:.4g}", color=BLUE, **words)
        if name in back:
            axes.text(x0, y0 - 1, f"∂L/∂{name} =\n{back[name]:.2f}", color=ORANGE, **words)
    write(figure)
