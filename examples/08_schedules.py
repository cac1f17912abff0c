"""The learning rate must fall, but neither too fast nor too slowly: exponential decay on minibatches (pages 29, 41-42).

python examples/08_schedules.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, WANTED, label, panels, write

from jaxnn import Objective, losses, mlp, optimisers, schedules, training
from jaxnn.plots import style

# The rate at step t is 0.1 · ρ^(t / 100): what is left of it after every 100 steps is ρ.
START, STEPS, SEEDS = 0.1, 2000, 32
DECAYS = {"too fast": 0.2, "right": 0.75, "too slow": 0.98}

# A linear model on noisy data whose inputs have different scales. Minibatches of 4 give the gradient with much noise.
n, d = 200, 10
rng = np.random.default_rng(0)
x = rng.normal(size=(n, d)) * np.linspace(1.0, 0.25, d)
y = x @ rng.normal(size=(d, 1)) + rng.normal(size=(n, 1))
least = np.linalg.lstsq(x, y)[1][0] / n  # no weights do better: from the normal equations
data = jnp.asarray(x, float), jnp.asarray(y, float)
objective = Objective(mlp.apply, losses.squared_error)


def losses_along(decay: jax.Array, rows: jax.Array) -> jax.Array:
    """The loss on all data after every step of one run, (steps,)."""
    optimiser = optimisers.sgd(schedules.exponential_decay(START, rate=decay, steps=100))
    take = training.step(objective, optimiser)

    def body(state: training.TrainState, chosen: jax.Array) -> tuple[training.TrainState, jax.Array]:
        state, _ = take(state, (data[0][chosen], data[1][chosen]))
        return state, objective(state.params, data)

    return jax.lax.scan(body, training.init(optimiser, (mlp.Layer(jnp.zeros((d, 1)), None),)), rows)[1]


# Every decay with every seed, in one program.
minibatches = jnp.asarray(rng.integers(0, n, (SEEDS, STEPS, 4)))
over_seeds = jax.vmap(losses_along, in_axes=(None, 0))
every = jax.jit(jax.vmap(over_seeds, in_axes=(0, None)))
found = every(jnp.array([*DECAYS.values()]), minibatches)
excess = np.asarray(found).mean(axis=1) - least  # averaged over the seeds, (decays, steps)

shown = [0, 99, 199, 499, 999, 1999]
print("excess loss after", *(f"{t + 1:7}" for t in shown), "  rate at the end")
for (name, decay), curve in zip(DECAYS.items(), excess, strict=True):
    print(f"{name:8} ρ = {decay:4} ", *(f"{curve[t]:7.4f}" for t in shown), f"{START * decay ** (STEPS / 100):17.1e}")

fast, right, slow = excess
assert fast[-1] > 8 * right[-1]  # has stopped early, far from the best weights:
assert fast[STEPS // 2] < 1.02 * fast[-1]  # in the second half nothing moved any more
assert slow[-1] > 8 * right[-1]  # still goes about in the noise:
assert slow[STEPS // 2 :].mean() > 0.4 * slow[STEPS // 10]  # it has come no nearer for long
assert right[-1] < 0.01 * least

if WANTED:
    figure, (axes,) = panels("Learning rate decay: too fast stops early, too slow stays noisy")
    looks = ((ORANGE, "--", fast), (BLUE, "-", right), (GREEN, "-.", slow))
    for (name, decay), (colour, dashes, curve) in zip(DECAYS.items(), looks, strict=True):
        axes.loglog(np.arange(1, STEPS + 1), curve, color=colour, linestyle=dashes, linewidth=style.LINE)
        text = f"{name}, ρ = {decay}"
        axes.text(2100, curve[-100:].mean(), text, color=colour, fontsize=style.TEXT, fontweight="bold", va="center")
    axes.set_xlim(5, 8000)
    label(axes, "step (learning rate starts at 0.1 and is multiplied by ρ every 100 steps)", "loss above its minimum")
    write(figure)
