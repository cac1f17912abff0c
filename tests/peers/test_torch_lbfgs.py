"""L-BFGS step for step as torch's, wherever both line searches accept the same trial; and in as few evaluations."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxnn.optimisers.second_order.lbfgs import lbfgs
from tests.optimisers.second_order.methods import PROBLEMS, descended, path

N, MEMORY = 8, 3
A = np.diag(np.linspace(0.1, 0.6, N)) + 0.02


def torchs(f, start, **keywords):
    """(points after each iteration, evaluations, largest entry of the last gradient)."""
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([x], line_search_fn="strong_wolfe", tolerance_change=0, **keywords)
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimiser.zero_grad()
        value = f(x)
        value.backward()
        return value

    optimiser.step(closure)
    return x.detach().numpy(), evaluations, float(x.grad.abs().max())


def test_the_same_points(x64):
    """Curvatures near 1: both take every step of length 1, and the first one as well.

    Its length is ‖g‖ min(1, 1/‖g‖₁) in torch and ‖θ‖/100 here: the minimum lies where these are equal.
    """
    away = np.full(N, 0.02)
    slope = A @ away + 0.5 * np.sinh(away)
    assert np.abs(slope).sum() < 1
    minimum = 100 * np.linalg.norm(slope) / np.sqrt(N) - away
    start = minimum + away

    def ours(x):
        x = x - minimum
        return 0.5 * x @ jnp.asarray(A) @ x + 0.5 * jnp.sum(jnp.cosh(x))

    def theirs(x):
        x = x - torch.tensor(minimum)
        return 0.5 * x @ torch.tensor(A) @ x + 0.5 * torch.sum(torch.cosh(x))

    points, states = jax.jit(lambda: path(lbfgs(memory=MEMORY), ours, jnp.asarray(start), steps=5))()
    assert abs(states.learning_rate[0] - 1) < 1e-12  # ‖θ‖/100 over ‖g‖, each of them rounded
    assert (states.learning_rate[1:] == 1).all()
    for step in range(1, 6):
        point, _, _ = torchs(theirs, start, max_iter=step, max_eval=100, history_size=MEMORY, tolerance_grad=0)
        # of numbers near 2, whose own rounding is 4e-16
        np.testing.assert_allclose(points[step - 1] - minimum, point - minimum, rtol=1e-10, atol=1e-13)
    assert jnp.abs(points[4] - minimum).max() > 1e-12  # before all is rounding


def test_as_few_evaluations_on_the_classics(x64):
    """In sum; the loop's own evaluation at each update is left out: torch reuses the last trial.

    Powell's singular function is not among them: torch keeps no pair with sᵀy ≤ 1e-10 and stops at a gradient of 2e-5.
    """
    ours = theirs = 0
    for name in ("rosenbrock", "beale", "wood"):
        f, start = PROBLEMS[name]
        _, _, slope, updates, evaluations = descended(lbfgs(), name)
        assert slope <= 1e-8, name
        ours += int(evaluations - updates)
        _, count, slope = torchs(f, start, max_iter=300, max_eval=2000, history_size=10, tolerance_grad=1e-8)
        assert slope <= 1e-8, name
        theirs += count
    assert ours <= 1.1 * theirs, (ours, theirs)
