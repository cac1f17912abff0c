"""The Hessian of a small trained network: a few large eigenvalues and a bulk near 0, seen in three ways; page 71.

python examples/21_hessian_spectrum.py [PICTURE.png] [dark]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from picture import THEME, WANTED, write

from jaxnn import Objective, curvature, data, derivatives, initialisers, losses, mlp, optimisers, plots, training
from jaxnn.plots import style

# A network of 4 → 10 → 10 → 3, trained with all 150 irises at every step.
iris = data.load("iris")
x = jnp.asarray((iris.x - iris.x.mean(axis=0)) / iris.x.std(axis=0), jnp.float32)
batch = (x, jnp.asarray(iris.y))
objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.softmax_cross_entropy)
params = mlp.init(jax.random.key(0), (4, 10, 10, 3), w_init=initialisers.glorot_uniform)
rows = jnp.tile(jnp.arange(len(x)), (500, 1))
state, infos = jax.jit(partial(training.run, objective, optimisers.adam(0.01)))(params, batch, rows)
trained = state.params
print(f"loss {infos.loss[0]:.2f} -> {infos.loss[-1]:.3f}")

# 1. Every entry ∂²J/∂θᵢ∂θⱼ, and every eigenvalue.
matrix = derivatives.mlp_hessian(objective, trained, batch, activation=jnp.tanh)
eigenvalues, vectors = np.linalg.eigh(np.asarray(matrix, np.float64))
n, largest = len(eigenvalues), eigenvalues[-1]

# 2. Lanczos' process: the same spectrum from products H v alone, without the matrix, as for large networks.
density = curvature.spectral_density(objective, trained, batch, key=jax.random.key(1), probes=10, steps=40)
print(f"largest eigenvalue: exactly {largest:.4f}, by Lanczos' process {density.nodes.max():.4f}")
print(f"{n} eigenvalues    exact   by Lanczos' process")
for part in (0.1, 0.01, 0.001):
    exact, estimate = np.mean(eigenvalues > part * largest), float(density.share(low=part * largest))
    print(f"  above {100 * part:4.1f} % of it {100 * exact:5.1f} %   {100 * estimate:5.1f} %")
    np.testing.assert_allclose(estimate, exact, atol=0.03)
np.testing.assert_allclose(density.nodes.max(), largest, rtol=1e-3)

# A few directions hold nearly all the curvature; along most J hardly bends, and along some it bends downwards.
share = eigenvalues[-3:].sum() / np.trace(matrix)
flat = np.mean(np.abs(eigenvalues) < 0.001 * largest)
print(f"the 3 largest make {100 * share:.0f} % of the trace; {100 * flat:.0f} % are below a thousandth of the largest")
assert share > 0.8  # 0.86 to 0.95 over 20 seeds
assert flat > 0.75  # 0.84 to 0.91

# 3. The loss itself, over the plane of the sharpest direction and one of the bulk: a valley.
_, unravel = ravel_pytree(trained)
u, v = (unravel(jnp.asarray(vectors[:, -k], jnp.float32)) for k in (1, n // 2))
ground = curvature.plane(lambda p: objective(p, batch), trained, u, v, extent=3.0, n=41)
rise = ground.values - ground.values[20, 20]
print(f"one step of 1.05 raises J by {rise[20, 27]:.2f} along the sharpest, {rise[27, 20]:.3f} along the other")
assert rise[20, 27] > 5 * rise[27, 20]

if WANTED:
    theme = "dark" if THEME is style.DARK else "light"
    title = f"{n} weights, but the loss curves in only 3 directions"
    write(plots.curvature_report(density, ground, eigenvalues=eigenvalues, title=title, theme=theme))
