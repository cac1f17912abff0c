"""Risk falls and rises with body temperature: a linear model cannot follow it, one hidden layer can (page 8).

python examples/03_why_linear_fails.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, label, panels, write

from jaxnn import Objective, data, losses, mlp, optimisers, schedules, training
from jaxnn.plots import style

# Invented patients, of whom the models see the temperature alone. Their true risk is known: it is lowest at 37 °C.
patients = data.load("stroke_risk", n=20_000)
celsius = patients.x[:, 3]
x, y = jnp.asarray(celsius[:, None]) - 37.0, jnp.asarray(patients.y[:, None], float)
known, fresh = (x[:10_000], y[:10_000]), (x[10_000:], y[10_000:])


def predict(params: mlp.Params, x: jax.Array) -> jax.Array:
    """Log odds of a stroke; the risk is their logistic function."""
    return mlp.apply(params, x, activation=jnp.tanh)


objective = Objective(predict, losses.sigmoid_cross_entropy)
optimiser = optimisers.adam(schedules.cosine(0.05, steps=1000))
fine = np.linspace(35, 39, 81)


@jax.jit
def trained() -> dict[str, tuple[jax.Array, jax.Array]]:
    """Of each model its risk along the temperatures, and its loss on patients that it has not seen."""
    rows = jax.random.randint(jax.random.key(1), (1000, 200), 0, 10_000)  # 1,000 steps with 200 patients each
    found = {}
    for name, sizes in (("linear model", (1, 1)), ("eight hidden units", (1, 8, 1))):
        state, _ = training.run(objective, optimiser, mlp.init(jax.random.key(0), sizes), known, rows)
        risk = jax.nn.sigmoid(predict(state.params, jnp.asarray(fine[:, None] - 37)))
        found[name] = risk[:, 0], objective(state.params, fresh)
    return found


found = {name: (np.asarray(risk), float(loss)) for name, (risk, loss) in trained().items()}
# The truth at a temperature, averaged over all else that patients differ in.
truth = np.array([patients.risk[np.abs(celsius - t) < 0.06].mean() for t in fine])
print("temperature °C    ", *(f"{t:6.1f}" for t in fine[::10]), "  loss on fresh patients")
print("true risk         ", *(f"{r:6.1%}" for r in truth[::10]))
for name, (risk, loss) in found.items():
    print(f"{name:18}", *(f"{r:6.1%}" for r in risk[::10]), f"{loss:8.3f}")

rate = float(fresh[1].mean())
blind = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
print(f"the same risk for everybody, {rate:.1%}, has a loss of {blind:.3f}")

linear, network = found["linear model"], found["eight hidden units"]
slopes = np.diff(linear[0])
assert (slopes > 0).all() or (slopes < 0).all()  # monotone: it can only rise or only fall
assert linear[1] > 0.95 * blind  # and so has learnt nothing
assert network[1] < 0.85 * blind
assert 36.3 < fine[network[0].argmin()] < 37.7  # the network has found the healthy temperature
assert np.abs(network[0] - truth)[5:-5].mean() < 0.02 < 0.05 < np.abs(linear[0] - truth)[5:-5].mean()

if WANTED:
    figure, (axes,) = panels("Risk falls, then rises: a linear model cannot follow, a network can")
    axes.plot(fine, truth, "o", color=THEME.muted, markersize=6)
    axes.plot(fine, linear[0], "--", color=ORANGE, linewidth=style.LINE)
    axes.plot(fine, network[0], "-", color=BLUE, linewidth=style.LINE)
    words = {"fontsize": style.TEXT, "fontweight": "bold"}
    axes.text(37, 0.105, "linear model: can only rise or only fall", color=ORANGE, ha="center", **words)
    axes.text(38.35, 0.26, "network with 8 hidden units", color=BLUE, ha="right", **words)
    axes.text(35.25, 0.4, "true risk (dots)", color=THEME.muted, **words)
    axes.yaxis.set_major_formatter(lambda risk, _: f"{risk:.0%}")
    label(axes, "body temperature, °C", "risk of a stroke")
    write(figure)
