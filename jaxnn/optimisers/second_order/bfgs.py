"""BFGS: quasi-Newton steps with a dense approximation H of the inverse Hessian.

    y = g - g₋,  s = θ - θ₋,  ρ = 1 / sᵀy
    H ← (I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ       before the first such update, H = γ I with γ = sᵀy / yᵀy
    θ ← θ - α H g                                  α by a strong Wolfe line search, tried first at 1

Of all symmetric matrices with H y = s, this is the closest to the previous one, in a norm weighted by the curvature. If
a search finds no lower point, H is reset, so the next step is one of steepest descent.

References:
    Nocedal & Wright, Numerical Optimization, 2nd edition, 2006, Algorithm 6.1, equations 6.17 and 6.20.
    Broyden 1970; Fletcher 1970; Goldfarb 1970; Shanno 1970.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.derivatives import budget
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import quasi_newton
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Optimiser


class BFGSState(NamedTuple):
    """What BFGS carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # α of the latest step
    params: Float[Array, " n"]  # θ at the latest update, in ravel order
    grads: Float[Array, " n"]  # g there
    inverse: Float[Array, "n n"]  # H
    pairs: Int[Array, ""]  # taken in since H was last the identity
    report: Report


@factories.optimiser
def bfgs(*, max_evaluations: int = 25, memory_bytes: int | None = None) -> Optimiser:
    """BFGS with a strong Wolfe line search, for up to some thousand parameters; for more, use `lbfgs`.

    A full-batch method, like `lbfgs`, with as many evaluations; each step costs 4 n² more multiplications.

    Args:
        max_evaluations: the maximum number of values and gradients in one line search, ≥ 1.
        memory_bytes: the largest size of H; half of this machine's memory if None.

    Raises:
        ValueError: an argument is out of range; at the update, parameters or `value_fn` are missing.
        MemoryBudgetError: at the start, H exceeds that size.
    """
    checks.whole(1, max_evaluations=max_evaluations)

    def start(n: int, one: Array) -> Fields:
        budget.check_square("BFGS's inverse Hessian", n, one.dtype, memory_bytes, "lbfgs, which keeps a few vectors")
        theta, g = (jnp.zeros(n, one.dtype) for _ in range(2))
        return {"params": theta, "grads": g, "inverse": jnp.eye(n, dtype=one.dtype), "pairs": tree.start()}

    def step(problem: Problem, state: BFGSState) -> tuple[Array, BFGSState]:
        new = quasi_newton.pair(problem, state)
        gamma = jnp.where(state.pairs == 0, tree.ratio(new.s @ new.y, new.y @ new.y), 1)
        inverse = jnp.where(new.usable, product_form(gamma * state.inverse, new.s, new.y), state.inverse)
        pairs = jnp.where(new.usable, tree.increment(state.pairs), state.pairs)

        d = -inverse @ problem.gradient
        step, alpha, report = quasi_newton.search(problem, d, fresh=pairs == 0, max_evaluations=max_evaluations)
        forgotten = (jnp.eye(d.size, dtype=d.dtype), jnp.zeros_like(pairs))
        inverse, pairs = tree.select(report.accepted, (inverse, pairs), forgotten)
        after = state._replace(learning_rate=alpha, params=problem.theta, grads=problem.gradient, report=report)
        return step, after._replace(inverse=inverse, pairs=pairs)

    return optimiser_of("bfgs", BFGSState, step, start, promised=None, own_gradient=False)


def product_form(inverse: Float[Array, "n n"], s: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, "n n"]:
    """(I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ multiplied out: O(n²), and symmetric to the last bit."""
    rho, hy = 1 / (s @ y), inverse @ y
    cross = jnp.outer(s, hy)
    return inverse - rho * (cross + cross.T) + rho * (1 + rho * (y @ hy)) * jnp.outer(s, s)
