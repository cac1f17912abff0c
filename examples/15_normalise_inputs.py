"""Why inputs are normalised: it makes the valley of the loss round, so one learning rate suits all weights.

Course: page 62 (normalisation helps), with 46, 47 (ill-conditioned surfaces) and 71 (the Hessian).
python examples/15_normalise_inputs.py [PICTURE.png] [dark]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, INK, ORANGE, WANTED, label, legend, panels, write

from jaxnn import Objective, data, derivatives, initialisers, losses, mlp, optimisers, preprocessing, training

jax.config.update("jax_enable_x64", True)  # there are condition numbers here beyond float32's digits

diabetes = data.load("diabetes")
fitted = preprocessing.fit_arrays(diabetes.x, diabetes.y)
centred, scaled = diabetes.x - diabetes.x.mean(axis=0), diabetes.x / diabetes.x.std(axis=0)
tables = {"raw": diabetes.x, "scaled": scaled, "centred": centred, "both": fitted.inputs(diabetes.x)}
x = jnp.asarray(np.stack(list(tables.values())), float)  # (4, 442, 10)
y = jnp.asarray(fitted.targets(diabetes.y), float).reshape(-1, 1)
linear = Objective(mlp.apply, losses.squared_error)
network = Objective(partial(mlp.apply, activation=jnp.tanh), losses.squared_error)


def curve(objective: Objective, params: mlp.Params, x: jax.Array, rate: jax.Array) -> jax.Array:
    """J at each of 400 steps of gradient descent."""
    take = training.step(objective, optimisers.sgd(rate))
    start = training.init(optimisers.sgd(rate), params)
    return jax.lax.scan(lambda state, _: take(state, (x, y)), start, length=400)[1].loss


# A linear model's J is a quadratic, the same Hessian H everywhere. Gradient descent multiplies the error along each
# eigenvector by 1 - ηλ: stable for η < 2 / λ_max, best at η = 2 / (λ_min + λ_max), about λ_max / λ_min steps to go.
zero = mlp.init(jax.random.key(0), (10, 1), w_init=initialisers.zeros)
hessian = jax.jit(jax.vmap(lambda x: derivatives.hessian(lambda params: linear(params, (x, y)), zero)))
eigenvalues = np.linalg.eigvalsh(hessian(x))
condition = eigenvalues[:, -1] / eigenvalues[:, 0]
best = 2 / (eigenvalues[:, 0] + eigenvalues[:, -1])
least = np.linalg.lstsq(np.column_stack([scaled, np.ones(len(y))]), np.asarray(y), rcond=None)[1] / len(y)
line = np.asarray(jax.jit(jax.vmap(partial(curve, linear, zero)))(x, best)) - least

# A network's H changes on the way: the best of 13 rates.
start = mlp.init(jax.random.key(0), (10, 8, 1), w_init=initialisers.get("glorot_normal"))
rates = np.geomspace(1e-4, 1, 13)
every = jax.vmap(jax.vmap(partial(curve, network, start), (None, 0)), (0, None))
curves = np.nan_to_num(jax.jit(every)(x, rates), nan=np.inf)
chosen = curves[..., -1].argmin(axis=1)
net = curves[np.arange(4), chosen]

print("inputs    condition   best rate   linear: J - least J   network: rate   J")
for k, (name, rate) in enumerate(zip(tables, rates[chosen], strict=True)):
    print(f"{name:8} {condition[k]:10.3g} {best[k]:11.2g} {line[k, -1]:17.4f} {rate:17.2g} {net[k, -1]:8.3f}")
assert condition[0] > 1e7
assert condition[3] < 1e3 < 1e4 < condition[1:3].min()  # neither centring nor scaling is enough alone
assert line[3, -1] < line[:3, -1].min() / 4
assert net[0].min() > 0.95  # J = 1 is what the mean alone gets: saturated units tell no patient from another
assert net[3, -1] < net[:3, -1].min() - 0.02

if WANTED:
    titles = ("Eigenvalues:\nlargest / smallest", "Linear model:\nonly both is fast", "Network 10-8-1:\nraw fails")
    figure, axes = panels(*titles)
    styles = ((ORANGE, ":"), (GREEN, "-."), (BLUE, "--"), (INK, "-"))
    for k, (name, (colour, dashes)) in enumerate(zip(tables, styles, strict=True)):
        axes[0].plot(eigenvalues[k], np.full(11, -k), "o", color=colour, markersize=11, alpha=0.8)
        axes[0].text(2e-3, 0.2 - k, f"{name}: ratio {condition[k]:,.0f}", color=colour, fontsize=16)
        axes[1].plot(line[k], dashes, color=colour, linewidth=3.5, label=name)
        axes[2].plot(net[k], dashes, color=colour, linewidth=3.5, label=name)
    axes[0].set(xscale="log", yticks=[], ylim=(-3.5, 0.7))
    axes[1].set(yscale="log", ylim=(0.005, 1))
    axes[2].set(ylim=(0.3, 1.3))
    label(axes[0], "eigenvalue")
    label(axes[1], "step, each at its best rate", "loss above its minimum")
    label(axes[2], "step, each at its best rate", "loss")
    legend(axes[2], loc="upper right")
    write(figure)
