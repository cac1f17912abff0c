"""Momentum in a ravine: it needs about √κ steps where gradient descent needs κ (pages 44, 46-47).

python examples/09_momentum.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, label, legend, panels, write

from jaxnn import optimisers, training
from jaxnn.plots import style

# A quadratic with curvature 1 along the ravine and κ across it: J(θ) = ½ (θ₁² + κ θ₂²), the condition number is κ.
#   gradient descent, at best    η = 2 / (1 + κ)             each step leaves (κ - 1)/(κ + 1) of the distance
#   momentum, at best            η = 4 / (1 + √κ)²           in the end each step leaves √α = (√κ - 1)/(√κ + 1) of it
#   v ← α v - η g, θ ← θ + v     α = ((√κ - 1)/(√κ + 1))²    (Polyak)
STEPS = 8000
START = jnp.array([1.0, 1.0])


def ravine(theta: jax.Array, curvature: jax.Array) -> jax.Array:
    """J; the 'batch' is κ."""
    return 0.5 * (theta[0] ** 2 + curvature * theta[1] ** 2)


def path(rule: optimisers.Optimiser, kappa: jax.Array) -> jax.Array:
    """The parameters θ before every step, (steps, 2)."""
    take = training.step(ravine, rule)
    start = training.init(rule, START)
    return jax.lax.scan(lambda state, _: (take(state, kappa)[0], state.params), start, length=STEPS)[1]


@jax.jit
@jax.vmap
def both(kappa: jax.Array) -> list[jax.Array]:
    """The paths of gradient descent and of momentum, each with what is best for κ."""
    root = jnp.sqrt(kappa)
    momentum = optimisers.momentum(4 / (1 + root) ** 2, momentum=((root - 1) / (root + 1)) ** 2)
    return [path(rule, kappa) for rule in (optimisers.sgd(2 / (1 + kappa)), momentum)]


kappas = np.array([10, 30, 100, 300, 1000], np.float32)
descent, memory = map(np.asarray, both(jnp.asarray(kappas)))
# Steps until θ stays within a thousandth of the distance at the start, for each κ.
far = [np.linalg.norm(paths, axis=-1) > 1e-3 * np.sqrt(2) for paths in (descent, memory)]
names = ("gradient descent", "momentum")
counts = {name: STEPS - each[:, ::-1].argmax(axis=1) for name, each in zip(names, far, strict=True)}
print("condition number κ ", *(f"{k:6.0f}" for k in kappas), "  grows as")
powers = {}
for name, count in counts.items():
    powers[name] = np.polyfit(np.log(kappas), np.log(count), 1)[0]
    print(f"{name:19}", *(f"{c:6}" for c in count), f"  κ^{powers[name]:.2f}")

# α = 0 is gradient descent, bit for bit: the same updates, whatever the gradients. This runs operation by operation:
# in a compiled loop the two are fused with the addition to θ in different ways, and may part by a rounding.
plain, without = optimisers.sgd(0.1), optimisers.momentum(0.1, momentum=0.0)
state, other = plain.init(START), without.init(START)
for gradient in jax.random.normal(jax.random.key(0), (20, 2)):
    (update, state), (same, other) = plain.update(gradient, state), without.update(gradient, other)
    assert (update == same).all()
assert abs(powers["gradient descent"] - 1) < 0.05
assert abs(powers["momentum"] - 0.5) < 0.1
assert counts["gradient descent"][-1] > 10 * counts["momentum"][-1]

if WANTED:
    figure, (left, right) = panels("20 steps in a ravine, κ = 30", "Momentum needs √κ steps, not κ")
    across, along = np.meshgrid(np.linspace(-1.2, 1.2, 200), np.linspace(-0.3, 1.2, 200))
    left.contour(along, across, along**2 + 30 * across**2, levels=[0.5, 3, 8, 16, 28], colors=THEME.grid, linewidths=2)
    for alpha, name, colour, marks in ((0.0, names[0], ORANGE, "--o"), (0.6, names[1], BLUE, "-s")):
        look = {"color": colour, "linewidth": 2, "markersize": 7}
        left.plot(*np.asarray(path(optimisers.momentum(0.06, momentum=alpha), 30.0))[:21].T, marks, **look)
        right.loglog(kappas, counts[name], marks, label=f"{name}: steps ~ κ^{powers[name]:.2f}", **look)
    left.plot(0, 0, "*", color=THEME.ink, markersize=20, zorder=3)
    left.text(-0.25, 1.05, "same learning rate, momentum 0 or 0.6", color=THEME.ink, fontsize=style.TEXT)
    label(left, "θ₁, along the ravine", "θ₂, across it")
    label(right, "condition number κ", "steps to 1/1000 of the distance")
    legend(right, loc="upper left")
    write(figure)
