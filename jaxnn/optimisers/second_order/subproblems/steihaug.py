"""Steihaug's truncated conjugate gradients: the model's minimum within a trust region, with products B v only.

    minimise m(s) = gᵀs + ½ sᵀB s  subject to ‖s‖_M ≤ Δ,  ‖s‖²_M = sᵀM s, M a positive diagonal

From s = 0, r = g, d = -M⁻¹r, each iteration goes along d, conjugate to all before it, to the minimum of m,

    α = rᵀM⁻¹r / dᵀB d,  s ← s + α d,  r ← r + α B d,  d ← -M⁻¹r + β d,  β = r₊ᵀM⁻¹r₊ / rᵀM⁻¹r

and stops in one of three cases: at the boundary along d if dᵀB d ≤ 0 (negative curvature: m is unbounded below); at the
boundary if s + α d lies beyond it; or when the residual ‖r‖_M⁻¹ is small. ‖s‖_M grows in every iteration, so the path
never returns from beyond the boundary, and the first step already has the reduction of the Cauchy point.

References:
    Steihaug, The conjugate gradient method and trust regions in large scale optimization, 1983.
    Conn, Gould & Toint, Trust Region Methods, 2000, Algorithm 7.5.1. Nocedal & Wright 2006, Algorithm 7.2.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn import tree

RESIDUAL, NEGATIVE_CURVATURE, BOUNDARY, ITERATIONS = range(4)  # exit codes


class Steihaug(NamedTuple):
    """A step, and why the iteration stopped."""

    step: Float[Array, " n"]
    predicted_reduction: Float[Array, ""]  # m(0) - m(s) ≥ 0
    iterations: Int[Array, ""]  # products B v
    exit_code: Int[Array, ""]  # RESIDUAL, NEGATIVE_CURVATURE, BOUNDARY, or ITERATIONS if the maximum was reached

    @property
    def at_boundary(self) -> Bool[Array, ""]:
        """Whether the step ends at the boundary, for either of two reasons."""
        return (self.exit_code == BOUNDARY) | (self.exit_code == NEGATIVE_CURVATURE)


class _Path(NamedTuple):
    s: Array
    r: Array
    d: Array
    rz: Array  # ‖r‖² in the norm of M⁻¹
    iterations: Array
    exit_code: Array


def steihaug(
    product: Callable[[Array], Array],
    gradient: Float[Array, " n"],
    radius: Float[Array, ""],
    *,
    preconditioner: Float[Array, " n"] | None = None,
    tolerance: Any = 0.0,
    max_iterations: int | Int[Array, ""] | None = None,
) -> Steihaug:
    """An approximate minimum of the quadratic model within the trust region; pure, under `jit` and `vmap`.

    Args:
        product: v -> B v, B symmetric, indefinite or not.
        gradient: g.
        radius: Δ > 0, in the norm of M.
        preconditioner: the diagonal of M, > 0; None: the identity.
        tolerance: the tolerance on ‖r‖ in the norm of M⁻¹.
        max_iterations: the maximum number of iterations; None for n.
    """
    m = jnp.ones_like(gradient) if preconditioner is None else preconditioner
    limit = gradient.size if max_iterations is None else max_iterations

    def body(path: _Path) -> _Path:
        s, r, d, rz, iterations, _ = path
        bd = product(d)
        curvature = d @ bd
        alpha = rz / curvature
        ahead = s + alpha * d
        concave = ~(curvature > 0)  # so nan stops the iteration, too
        beyond = concave | (tree.norm(jnp.sqrt(m) * ahead) >= radius)
        alpha = jnp.where(beyond, _to_boundary(s, d, m, radius), alpha)
        s, r = s + alpha * d, r + alpha * bd
        z = r / m
        rz_new = r @ z
        d = -z + tree.ratio(rz_new, rz) * d
        small = jnp.sqrt(rz_new) <= tolerance
        exit_code = jnp.where(
            concave, NEGATIVE_CURVATURE, jnp.where(beyond, BOUNDARY, jnp.where(small, RESIDUAL, ITERATIONS))
        )
        return _Path(s, r, d, rz_new, iterations + 1, exit_code.astype(jnp.int32))

    def unfinished(path: _Path) -> Array:
        return (path.exit_code == ITERATIONS) & (path.iterations < limit)

    z = gradient / m
    rz = gradient @ z
    code = jnp.where(jnp.sqrt(rz) <= tolerance, RESIDUAL, ITERATIONS).astype(jnp.int32)
    start = _Path(jnp.zeros_like(gradient), gradient, -z, rz, jnp.zeros((), jnp.int32), code)
    path = jax.lax.while_loop(unfinished, body, start)
    # r = g + B s throughout, so m(s) = ½ sᵀ(g + r) needs no further product.
    return Steihaug(path.s, -0.5 * (path.s @ (gradient + path.r)), path.iterations, path.exit_code)


def _to_boundary(s: Array, d: Array, m: Array, radius: Array) -> Array:
    """The τ ≥ 0 with ‖s + τ d‖_M = Δ, by the form of the root without cancellation."""
    a, b, c = d @ (m * d), s @ (m * d), radius**2 - s @ (m * s)
    c = jnp.maximum(c, 0)
    return tree.ratio(c, b + jnp.sqrt(b**2 + a * c))
