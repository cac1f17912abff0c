"""Activation functions and their slopes, and the sparse activations of ReLU (pages 9-13, 66-67).

python examples/02_activations.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, label, legend, panels, write

from jaxnn import activations, mlp
from jaxnn.plots import style

jax.config.update("jax_enable_x64", True)  # page 9 gives fifteen digits
NAMES = ("sigmoid", "tanh", "relu", "leaky_relu", "absolute_value", "silu")


@jax.jit
def table(z: jax.Array) -> dict[str, tuple[jax.Array, jax.Array, jax.Array]]:
    """Of each activation its values, its slopes by formula, and its slopes by automatic differentiation."""
    named = [(name, activations.get(name), activations.derivative(name)) for name in NAMES]
    return {name: (f(z), slope(z), jax.vmap(jax.grad(f))(z)) for name, f, slope in named}


print("activation       at -2.0    0.0    1.5   slope at -2.0    0.0    1.5")
for name, (values, slopes, by_jax) in sorted(table(jnp.array([-2.0, 0.0, 1.5])).items()):
    print(f"{name:15}", *(f"{v:7.3f}" for v in values), "       ", *(f"{s:7.3f}" for s in slopes))
    np.testing.assert_allclose(slopes, by_jax, rtol=1e-14, atol=1e-15)

# Page 9: the value is 0.8175744761936437; the slide's 0.817544761936437 lacks the third 7. The slope is σ (1 - σ).
at, slope = activations.sigmoid(1.5), activations.derivative("sigmoid")(1.5)
print(f"\nsigmoid(1.5) = {at:.16f}   slope {slope:.16f}")
assert abs(at - 0.8175744761936437) < 2e-16 < 2e-5 < abs(at - 0.817544761936437)
np.testing.assert_allclose(slope, at * (1 - at), rtol=1e-14)
assert activations.sigmoid(-1000.0) == 0  # no overflow, though e^1000 has one

# Page 67: at 0 ReLU has a slope of 0 from the left and 1 from the right; programs have to take one: here the left.
h = 1e-6
left, right = activations.relu(0.0) - activations.relu(-h), activations.relu(h) - activations.relu(0.0)
print(
    f"ReLU at 0: from the left {left / h:.0f}, from the right {right / h:.0f}, taken {jax.grad(jax.nn.relu)(0.0):.0f}"
)
assert (left / h, right / h) == (0, 1)
assert jax.grad(jax.nn.relu)(0.0) == activations.derivative("relu")(0.0) == 0


# Page 11: of the hidden units of a fresh ReLU network about half are silent for any given input; of tanh's, none.
@jax.jit
def shares() -> dict[str, list[jax.Array]]:
    """Of each activation the share of hidden units that give exactly 0, per layer, over 500 inputs."""
    x = jax.random.normal(jax.random.key(0), (500, 20))
    params = mlp.init(jax.random.key(1), (20, 100, 100, 1))
    kept = {name: mlp.forward(params, x, activation=activations.get(name))[1] for name in ("relu", "tanh")}
    return {name: [(hidden == 0).mean() for hidden in each.hidden] for name, each in kept.items()}


silent = shares()
for name, each in silent.items():
    print(f"silent units of {name:5}", *(f"{share:6.1%}" for share in each), " in hidden layers 1 and 2")
np.testing.assert_allclose(jnp.array(silent["relu"]), 0.5, atol=0.06)
assert silent["tanh"] == [0, 0]

if WANTED:
    z = np.linspace(-3, 3, 600)  # an even number: 0, where a slope may jump, is not among them
    titles = ("Sigmoid: slope ≤ ¼", "Tanh: slope ≤ 1", "ReLU: 0 for z < 0")
    titles += ("Leaky ReLU: never flat", "|z|: slope ±1", "SiLU: a smooth ReLU")
    figure, axes = panels(*titles, rows=2, sharex=True, sharey=True, subplot_kw={"ylim": (-1.3, 3.1)})
    for each, name in zip(axes, NAMES, strict=True):
        slope = np.asarray(activations.derivative(name)(z))
        jumps = np.abs(np.diff(slope, append=slope[-1])) > 0.5  # left open
        each.plot(z, activations.get(name)(z), color=BLUE, linewidth=style.LINE, label="activation")
        each.plot(z, np.where(jumps, np.nan, slope), "--", color=ORANGE, linewidth=style.LINE, label="slope")
        legend(axes[0], loc="upper left")
    axes[2].text(
        -2.8, 0.35, f"{silent['relu'][0]:.0%} of a fresh\nlayer is silent", color=THEME.ink, fontsize=style.TEXT
    )
    for each in axes[3:]:
        label(each, "sum z")
    write(figure)
