"""The evidence for a penalty λ_w |θ|² of a squared error: how many parameters the data determine, and the best λ_w.

    γ = n - 2 λ_w tr G⁻¹                                     effective number of parameters, from 0 to n
    α = γ / 2|θ|²,  β = (N - γ) / 2E,  λ_w = α / (βB)        the precisions of the prior and of the noise

E = Σ r² over the N residuals of B rows, and G is Gauss-Newton's matrix of E/B + λ_w |θ|². α and β are the precisions,
up to ½, of a Gaussian prior of the parameters and of Gaussian noise on the targets. The trace is |L⁻¹|² of the
Cholesky factor, by one triangular system.

Reference:
    MacKay, A practical Bayesian framework for backpropagation networks, 1992.
"""

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from jaxnn.objective import split
from jaxnn.optimisers.second_order.problem import Problem


def effective_parameters(matrix: Float[Array, "n n"], decay: Float[Array, ""]) -> Float[Array, ""]:
    """γ of G and λ_w; not finite if rounding makes G indefinite."""
    n = len(matrix)
    root = solve_triangular(jnp.linalg.cholesky(matrix), jnp.eye(n, dtype=matrix.dtype), lower=True)
    return jnp.clip(n - 2 * decay * jnp.sum(root**2), 0.0, n)


def best_decay(problem: Problem, step: Float[Array, " n"], gamma: Float[Array, ""]) -> Float[Array, ""]:
    """α/(βB) after the step, from the residuals and parameters there."""
    squares, mean_square = jnp.sum((problem.theta + step) ** 2), problem.value_at(step)
    weight = split(problem.batch)[2]
    counted = 1.0 if weight is None else jnp.mean(jnp.asarray(weight) > 0)  # rows of weight 0 do not count as data
    count = problem.output_count * counted
    return gamma * mean_square / (squares * jnp.maximum(count - gamma, 1.0))
