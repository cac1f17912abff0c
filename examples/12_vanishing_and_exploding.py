"""Vanishing and exploding gradients, layer by layer, for three activations and four sizes of the first weights.

Course: pages 27 and 68 (initialisation, gains) and 43 (vanishing and exploding gradients).
python examples/12_vanishing_and_exploding.py [PICTURE.png] [dark]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, INK, ORANGE, WANTED, label, legend, panels, write

from jaxnn import Objective, activations, initialisers, losses, mlp, optimisers, training

jax.config.update("jax_enable_x64", True)  # what explodes here leaves float32's range

WIDTH, HIDDEN = 32, 16
# Glorot keeps a linear network's signals their size: Var W = 2 / (fan_in + fan_out). With layers of one width, He's
# weights, Var W = 2 / fan_in, are √2 times Glorot's.
GAINS = {"½ Glorot": 0.5, "Glorot": 1.0, "He": 2**0.5, "5 Glorot": 5.0}
batch = tuple(jnp.asarray(np.random.default_rng(0).normal(size=(2, 64, WIDTH))))  # inputs, targets

gradient, symptoms = {}, {}
for activation in ("sigmoid", "tanh", "relu"):
    sigma = activations.get(activation)
    objective = Objective(partial(mlp.apply, activation=sigma), losses.squared_error)
    for name, gain in GAINS.items():
        w_init = initialisers.scaled(initialisers.get("glorot_normal"), gain)
        params = mlp.init(jax.random.key(1), (WIDTH,) * (HIDDEN + 2), w_init=w_init)
        told = training.diagnose(objective, params, batch, activation=sigma, optimiser=optimisers.sgd(1e-3))
        gradient[activation, name] = g = told.statistics.gradient  # √(mean G²), from the first layer to the last
        symptoms[activation, name] = words = {finding.symptom.split(",")[0]: None for finding in told.findings}
        print(f"{activation:8} {name:9} first layer {g[0]:7.0e}, last {g[-1]:7.0e}   {'; '.join(words) or 'healthy'}")

# A sigmoid's slope is ¼ at most: whatever the weights, layers multiply the gradient away.
assert all("vanishing gradients" in symptoms["sigmoid", name] for name in GAINS)
# Tanh's is 1 at 0: with small weights the signals die out, with large ones the gradients grow backwards.
assert not symptoms["tanh", "Glorot"]
assert not symptoms["tanh", "He"]
assert "steps too short" in symptoms["tanh", "½ Glorot"]
assert "exploding gradients" in symptoms["tanh", "5 Glorot"]
# ReLU halves the variance, and He's 2 / fan_in makes up for it. A factor on all weights is a factor on all signals, so
# that all layers fare alike: first by last does not show what is wrong, the sizes do.
relu = {name: gradient["relu", name] for name in GAINS}
assert all(1 / 3 < g[0] / g[-1] < 3 for g in relu.values())
assert relu["½ Glorot"].max() < 1e-6 < 1e-2 < relu["He"].min() < relu["He"].max() < 1e2 < 1e10 < relu["5 Glorot"].min()

if WANTED:
    titles = (
        "Sigmoid: gradients\nalways vanish",
        "Tanh: stable with\nGlorot or He",
        "ReLU: the same in\nevery layer",
    )
    figure, axes = panels(*titles, sharey=True)
    lines = dict(zip(GAINS, ((BLUE, "-."), (GREEN, "--"), (INK, "-"), (ORANGE, ":")), strict=True))
    for (activation, name), g in gradient.items():
        colour, dashes = lines[name]
        panel = axes[list(dict(gradient)).index((activation, name)) // len(GAINS)]
        panel.plot(np.arange(1, HIDDEN + 2), g, dashes, color=colour, linewidth=3.5, label=name)
        panel.set(yscale="log", xticks=(1, 5, 9, 13, 17))
        label(panel, "layer")
    label(axes[0], "layer", "size of gradient")
    legend(axes[0], loc="upper left")
    write(figure)
