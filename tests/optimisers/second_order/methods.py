"""Test functions and a loop for methods that evaluate the objective themselves."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxnn import tree


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def beale(x):
    return sum((c - x[0] * (1 - x[1] ** k)) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625)))


def powell_singular(x):
    """Its Hessian is singular at the minimum: convergence is linear at best."""
    return (x[0] + 10 * x[1]) ** 2 + 5 * (x[2] - x[3]) ** 2 + (x[1] - 2 * x[2]) ** 4 + 10 * (x[0] - x[3]) ** 4


def wood(x):
    """With a saddle near (-1, 1, -1, 1), where many methods linger."""
    waists = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2 + 90 * (x[3] - x[2] ** 2) ** 2 + (1 - x[2]) ** 2
    return waists + 10.1 * ((x[1] - 1) ** 2 + (x[3] - 1) ** 2) + 19.8 * (x[1] - 1) * (x[3] - 1)


def offset(x):
    """Rosenbrock's, whose differences near the minimum drown: slopes go on where values end."""
    return 1000 + rosenbrock(x)


def cliff(x, beyond):
    """Rosenbrock's with a barrier at x₀ = 1.01, close to its minimum, and nothing finite behind."""
    inside = x[0] < 1.01
    return jnp.where(inside, rosenbrock(x) - 1e-3 * jnp.log(jnp.where(inside, 1.01 - x[0], 1.0)), beyond)


PROBLEMS = {  # function of (4,), standard start; those of two numbers leave the others alone
    "rosenbrock": (rosenbrock, (-1.2, 1.0, 0.0, 0.0)),
    "beale": (beale, (1.0, 1.0, 0.0, 0.0)),
    "powell singular": (powell_singular, (3.0, -1.0, 0.0, 1.0)),
    "wood": (wood, (-3.0, -1.0, -3.0, -1.0)),
    "offset": (offset, (-1.2, 1.0, 0.0, 0.0)),
    "cliff to nan": (partial(cliff, beyond=jnp.nan), (-1.2, 1.0, 0.0, 0.0)),
    "cliff to inf": (partial(cliff, beyond=jnp.inf), (-1.2, 1.0, 0.0, 0.0)),
}
CLASSICS = ("rosenbrock", "beale", "powell singular", "wood")


def any_problem(index, x):
    """All of them in one program: compiling costs more than all else."""
    return jax.lax.switch(index, [f for f, _ in PROBLEMS.values()], x)


def largest(g):
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(g)]))


def descend(optimiser, f, x, *, steps=200, tolerance=1e-8):
    """(parameters, state, largest entry of the gradient, updates, evaluations) when that entry is within tolerance.

    Evaluations are those that the updates report and the loop's own of value and gradient.
    """

    def unfinished(carry):
        return (largest(carry[3]) > tolerance) & (carry[4] < steps)

    def body(carry):
        x, state, value, g, count, evaluations = carry
        updates, state = optimiser.update(g, state, x, value=value, grad=g, value_fn=f)
        x = tree.add(x, updates)
        return x, state, *jax.value_and_grad(f)(x), count + 1, evaluations + 1 + state.report.evaluations

    one = jnp.ones((), jnp.int32)
    start = (x, optimiser.init(x), *jax.value_and_grad(f)(x), 0 * one, one)
    x, state, _, g, count, evaluations = jax.lax.while_loop(unfinished, body, start)
    return x, state, largest(g), count, evaluations


def path(optimiser, f, x, *, steps):
    """The parameters after each update, and the states."""

    def body(carry, _):
        x, state = carry
        value, g = jax.value_and_grad(f)(x)
        updates, state = optimiser.update(g, state, x, value=value, grad=g, value_fn=f)
        x = tree.add(x, updates)
        return (x, state), (x, state)

    return jax.lax.scan(body, (x, optimiser.init(x)), None, length=steps)[1]


@partial(jax.jit, static_argnums=0)
def _descend(optimiser, index, x, tolerance):
    return descend(optimiser, partial(any_problem, index), x, tolerance=tolerance)


def descended(optimiser, name, x=None, tolerance=1e-8):
    """`descend` on the problem of that name, from its standard start unless another is given."""
    start = jnp.asarray(PROBLEMS[name][1]) if x is None else x
    return _descend(optimiser, list(PROBLEMS).index(name), start, tolerance)
