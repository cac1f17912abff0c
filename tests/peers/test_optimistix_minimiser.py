"""Our optimisers in optimistix's OptaxMinimiser."""

import jax.numpy as jnp
import numpy as np
import optax
import optimistix

from jaxnn import optimisers


def test_optax_minimiser_takes_ours(x64):
    def quadratic(y, args):
        del args
        return jnp.sum(jnp.asarray([1.0, 10.0]) * (y["p"] - jnp.asarray([3.0, -2.0])) ** 2)

    ours = optax.GradientTransformationExtraArgs(*optimisers.nesterov(0.02, momentum=0.8))
    solver = optimistix.OptaxMinimiser(ours, rtol=1e-10, atol=1e-10)
    solution = optimistix.minimise(quadratic, solver, {"p": jnp.zeros(2)}, max_steps=2000)
    np.testing.assert_allclose(solution.value["p"], [3.0, -2.0], atol=1e-6)
