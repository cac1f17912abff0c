"""L-BFGS: quasi-Newton steps from the latest m pairs of displacements and gradient differences.

For each pair (s, y), oldest first, the approximate inverse Hessian becomes

    H ← (I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ,   ρ = 1 / sᵀy,   from H = γ I,  γ = sᵀy / yᵀy of the newest pair

and is never formed: the two-loop recursion gives d = -H g in 4 m n multiplications. Then

    θ ← θ + α d        α by a strong Wolfe line search, tried first at 1 (without a pair, at 0.01 ‖θ‖/‖g‖)

If a search finds no lower point, the pairs are discarded, so the next step is one of steepest descent.

References:
    Nocedal & Wright, Numerical Optimization, 2nd edition, 2006, Algorithms 7.4 and 7.5.
    Liu & Nocedal, On the limited memory BFGS method for large scale optimization, 1989.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn import checks, factories, tree
from jaxnn.optimisers.report import Report
from jaxnn.optimisers.second_order import quasi_newton
from jaxnn.optimisers.second_order.optimiser import Fields, optimiser_of
from jaxnn.optimisers.second_order.problem import Problem
from jaxnn.types import Optimiser


class LBFGSState(NamedTuple):
    """What L-BFGS carries from step to step."""

    step: Int[Array, ""]  # steps taken so far
    learning_rate: Float[Array, ""]  # α of the latest step
    params: Float[Array, " n"]  # θ at the latest update, in ravel order
    grads: Float[Array, " n"]  # g there
    s: Float[Array, "m n"]  # a ring buffer of displacements; unused rows are 0
    y: Float[Array, "m n"]  # a ring buffer of gradient differences
    pairs: Int[Array, ""]  # the number of pairs since the memory was last empty; the newest is in row (pairs - 1) mod m
    report: Report


@factories.optimiser
def lbfgs(*, memory: int = 10, max_evaluations: int = 25) -> Optimiser:
    """L-BFGS with a strong Wolfe line search.

    A full-batch method: pairs compare consecutive gradients, and those of two mini-batches differ more by noise than by
    curvature. The loop evaluates value and gradient once more at the accepted point, about every second evaluation.
    `report.evaluations` counts those of the search, each of value and gradient together.

    Args:
        memory: m ≥ 1, the number of pairs kept.
        max_evaluations: the maximum number of evaluations in one line search, ≥ 1.

    Raises:
        ValueError: an argument is out of range; at the update, parameters or `value_fn` are missing.
    """
    checks.whole(1, memory=memory, max_evaluations=max_evaluations)

    def start(n: int, one: Array) -> Fields:
        theta, g = (jnp.zeros(n, one.dtype) for _ in range(2))
        s, y = (jnp.zeros((memory, n), one.dtype) for _ in range(2))
        return {"params": theta, "grads": g, "s": s, "y": y, "pairs": tree.start()}

    def step(problem: Problem, state: LBFGSState) -> tuple[Array, LBFGSState]:
        new, row = quasi_newton.pair(problem, state), state.pairs % memory
        s = state.s.at[row].set(jnp.where(new.usable, new.s, state.s[row]))
        y = state.y.at[row].set(jnp.where(new.usable, new.y, state.y[row]))
        pairs = jnp.where(new.usable, tree.increment(state.pairs), state.pairs)

        d = -two_loops(problem.gradient, s, y, pairs)
        step, alpha, report = quasi_newton.search(problem, d, fresh=pairs == 0, max_evaluations=max_evaluations)
        s, y, pairs = tree.select(report.accepted, (s, y, pairs), jax.tree.map(jnp.zeros_like, (s, y, pairs)))
        after = state._replace(learning_rate=alpha, params=problem.theta, grads=problem.gradient, report=report)
        return step, after._replace(s=s, y=y, pairs=pairs)

    return optimiser_of("lbfgs", LBFGSState, step, start, promised=None, own_gradient=False)


def two_loops(
    g: Float[Array, " n"], s: Float[Array, "m n"], y: Float[Array, "m n"], pairs: Int[Array, ""]
) -> Float[Array, " n"]:
    """H g by the two-loop recursion (Algorithm 7.4).

    Args:
        g: the vector to multiply.
        s: the ring of displacements. A row of zeros has ρ = 0 and changes nothing.
        y: the ring of gradient differences.
        pairs: how many were stored: the newest is in row (pairs - 1) mod m.
    """
    newest_first = (pairs - 1 - jnp.arange(len(s))) % len(s)
    sy, newest = jnp.sum(s * y, axis=1), newest_first[0]
    rho = tree.ratio(jnp.ones_like(sy), sy)

    def backward(q: Array, i: Array) -> tuple[Array, Array]:
        a = rho[i] * (s[i] @ q)
        return q - a * y[i], a

    def forward(r: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        i, a = row
        return r + (a - rho[i] * (y[i] @ r)) * s[i], None

    q, a = jax.lax.scan(backward, g, newest_first)
    gamma = jnp.where(pairs > 0, tree.ratio(sy[newest], y[newest] @ y[newest]), 1)
    return jax.lax.scan(forward, gamma * q, (newest_first, a), reverse=True)[0]
