"""Why weights start at random: hidden units that start equal stay equal, and act as one.

Course: page 62 (of four measures the one that does not help: all weights zero).
python examples/14_zero_initialisation.py [PICTURE.png] [dark]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, INK, ORANGE, PINK, SKY, WANTED, label, panels, write

from jaxnn import Objective, data, initialisers, losses, mlp, optimisers, training

UNITS, STEPS = 6, 600
moons = data.load("two_moons")
x = jnp.asarray((moons.x - moons.x.mean(axis=0)) / moons.x.std(axis=0), jnp.float32)
y = jnp.asarray(moons.y[:, None], jnp.float32)
objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.sigmoid_cross_entropy)
take = training.step(objective, optimisers.adam(0.05))


@jax.jit
def train(params: mlp.Params) -> tuple[training.TrainState, tuple[mlp.Params, jax.Array]]:
    """The end, and parameters and loss at every step."""

    def body(state: training.TrainState, _: None) -> tuple[training.TrainState, tuple[mlp.Params, jax.Array]]:
        after, info = take(state, (x, y))
        return after, (state.params, info.loss)

    return jax.lax.scan(body, training.init(optimisers.adam(0.05), params), length=STEPS)


# Two units with equal weights, before and behind, have equal outputs and equal gradients: ∂J/∂w₁ = x σ'(z) w₂ ∂J/∂o.
# From zero there is no gradient at all: h = 0 stops that of w₂, and w₂ = 0 stops that of w₁.
starts = {
    "Zero": initialisers.zeros,
    "Constant": initialisers.constant(0.5),
    "Random": initialisers.get("glorot_normal"),
}
ends, weights, right = {}, {}, {}
for name, w_init in starts.items():
    state, (path, loss) = train(mlp.init(jax.random.key(0), (2, UNITS, 1), w_init=w_init))
    ends[name], weights[name] = state.params, np.asarray(path[0].w)  # (steps, inputs, units)
    right[name] = float(jnp.mean((objective.outputs(state.params, x) > 0) == y))
    print(f"\n{name}: loss {loss[0]:.3f} → {loss[-1]:.3f}, {right[name]:.1%} right")
    print(training.diagnose(objective, state.params, (x, y), activation=jnp.tanh))

spread = {name: np.ptp(w, axis=2).max() for name, w in weights.items()}  # by how much units ever differ
assert spread["Zero"] == np.abs(weights["Zero"]).max() == 0
assert spread["Constant"] < 1e-4 < 0.3 < np.abs(np.diff(weights["Constant"][[0, -1]], axis=0)).max()  # learns, as one
assert spread["Random"] > 1
assert right["Zero"] < 0.6 < 0.8 < right["Constant"] < 0.95 < 0.99 < right["Random"]

if WANTED:
    words = ("All zero: no learning", "All equal: like 1 unit", "Random: 6 units")
    figure, axes = panels(*words, *(f"{share:.0%} correct" for share in right.values()), rows=2)
    corners = np.meshgrid(np.linspace(-2.2, 2.2, 200), np.linspace(-2.5, 2.5, 200))
    points = np.stack(corners, axis=-1).reshape(-1, 2)
    for above, below, name in zip(axes[:3], axes[3:], ends, strict=True):
        for unit, colour in enumerate((BLUE, ORANGE, GREEN, PINK, SKY, INK)):
            above.plot(
                weights[name][:, 0, unit],
                color=colour,
                linewidth=3,
                linestyle=(3 * unit, (9, 9)) if name == "Constant" else "-",
            )
        label(above, "step")
        above.set(ylim=(-7, 7))
        score = np.asarray(objective.outputs(ends[name], points)).reshape(200, 200)
        below.contourf(*corners, score, levels=[-1e9, 0, 1e9], colors=[ORANGE, BLUE], alpha=0.25)
        for value, colour, marker in ((0, ORANGE, "o"), (1, BLUE, "^")):
            below.plot(*x[y[:, 0] == value].T, marker, color=colour, markersize=5)
        below.set(xticks=[], yticks=[])
    label(axes[0], "step", "weights of input x₁")
    write(figure)
