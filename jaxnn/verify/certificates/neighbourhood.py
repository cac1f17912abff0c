"""J as a compiled function of one vector, at a point and within a rounding of it: the basis of certificates.

Every parameter is known to a relative ε only, ε being the rounding of its format. So J, ∇J and ∇²J are evaluated again
where each parameter is off by so much, up or down by chance: what changes then cannot be decided. This takes in what
roundings inside the evaluation do, since they fall differently, and what the exact function would do between
neighbouring parameters, which no arithmetic can tell apart.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import derivatives
from jaxnn.derivatives import flat, rounding
from jaxnn.objective import Objective, evaluate
from jaxnn.training import inputs
from jaxnn.types import Params

NEIGHBOURS = 4  # evaluations with parameters off by a rounding


class Rounding(NamedTuple):
    """J and its gradient, float64 NumPy, and by how much they change when parameters are off by a rounding."""

    value: float
    gradient: np.ndarray  # (n,)
    value_change: float  # the largest of |J' - J|
    gradient_change: np.ndarray  # the largest of |∇J' - ∇J| for each parameter, (n,)


class Neighbourhood:
    """J(θ) of a vector θ (n,), with its derivatives; what comes out is float64 NumPy, whatever it was computed in.

    Attributes:
        theta: the parameters as a vector, (n,), in their widest dtype.
        unravel: from such a vector to a tree like the parameters.
        dtype: the coarsest of their dtypes, in words.
        eps: its relative rounding.
        smallest: a number that is known to that.
    """

    def __init__(
        self,
        objective: Callable[..., Any],
        params: Params,
        batch: Any,
        key: Any = None,
        compiler_options: dict[str, Any] | None = None,
    ) -> None:
        params = flat.floating(params)
        if isinstance(objective, Objective):
            batch = inputs.real_inputs(objective, params, inputs.on_device(batch, "data"))
        self.theta = flat.ravel(params)
        self.unravel = flat.unravel(params)
        coarsest = max((leaf.dtype for leaf in jax.tree.leaves(params)), key=lambda dtype: float(jnp.finfo(dtype).eps))
        self.eps, self.dtype = float(jnp.finfo(coarsest).eps), str(coarsest)
        self.smallest = float(jnp.finfo(coarsest).tiny) / self.eps
        # arrays are arguments of the compiled functions, so they do not become constants; the rest stays
        leaves, structure = jax.tree.flatten(batch)
        arrays = [leaf if isinstance(leaf, jax.Array | np.ndarray) else None for leaf in leaves]

        def of(theta: Any, given: Any) -> Any:
            back = [leaf if array is None else array for leaf, array in zip(leaves, given, strict=True)]
            return evaluate(objective, self.unravel(theta), jax.tree.unflatten(structure, back), key)

        def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
            program = jax.jit(function, compiler_options=compiler_options)
            return lambda *given: jax.tree.map(lambda x: np.asarray(x, np.float64), program(*given, arrays))

        def hessian(theta: Any, given: Any) -> Any:
            return derivatives.hessian(lambda theta: of(theta, given), theta)

        def product(theta: Any, v: Any, given: Any) -> Any:
            return derivatives.hvp(lambda theta: of(theta, given), theta, v)

        self.at_each = compiled(lambda points, given: jax.lax.map(jax.value_and_grad(lambda t: of(t, given)), points))
        self.values = compiled(lambda points, given: jax.lax.map(lambda theta: of(theta, given), points))
        self.hessian = compiled(hessian)
        self.product = compiled(product)
        self.compiled, self.traced_product = compiled, product

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return int(self.theta.size)

    def point(self, theta: Any) -> Any:
        """A vector, or vectors as rows, in the dtype of the parameters."""
        return jnp.asarray(theta, self.theta.dtype)

    def neighbours(self, k: int) -> np.ndarray:
        """θ with each parameter off by a rounding, up or down by chance, (k, n); the same for every call."""
        signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(k, self.size))
        theta = np.asarray(self.theta, np.float64)
        with np.errstate(invalid="ignore"):  # a parameter that is infinite has no neighbours
            return theta + rounding.offset(theta, signs, eps=self.eps)

    def rounding(self) -> Rounding:
        """J and its gradient, and what roundings of the parameters do to them."""
        here = np.asarray(self.theta, np.float64)
        values, gradients = self.at_each(self.point(np.vstack([here[None], self.neighbours(NEIGHBOURS)])))
        with np.errstate(invalid="ignore", over="ignore"):  # the certificate reports what is not finite
            value_change = float(np.abs(values - values[0]).max())
            gradient_change = np.abs(gradients - gradients[0]).max(axis=0)
        return Rounding(float(values[0]), gradients[0], value_change, gradient_change)
