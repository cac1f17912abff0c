"""PyTorch's contenders in the benchmarks, each variant of them: they do the work that the others do."""

import numpy as np
import pytest

from benchmarks import hessian, training, update


def variants(question):
    (contender,) = (c for c in question.contenders if c.name == "torch")
    return [pytest.param(make, id=variant) for variant, make in contender.make.items()]


@pytest.mark.parametrize("make", variants(training.QUESTION))
def test_training_starts_and_learns_like_the_others(make):
    (problem,) = training.problems(True)
    ours, theirs = (training.final_loss(problem, run(problem)()) for run in (training.jaxnn_run, make))
    # Batches differ, steps do not: 1 % is several times what the order of rows makes of 16 steps.
    np.testing.assert_allclose(theirs, ours, rtol=0.01)


@pytest.mark.parametrize("make", variants(update.QUESTION))
def test_an_update_with_a_constant_gradient_moves_by_the_learning_rate(make):
    for problem in update.problems(True):
        change = update.mean_change(problem, make(problem)())
        # The parameters are of order 1, so that float32 rounds their change to a few parts in 10⁵.
        np.testing.assert_allclose(change, update.LEARNING_RATE, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # torch's own, in forward mode
@pytest.mark.parametrize("way", ["torch.func.hessian", "jacrev of grad", "jvp of grad"])
@pytest.mark.parametrize("classes", [True, False])
def test_torch_computes_the_same_hessian(way, classes):
    (problem,) = hessian.problems(True)
    if not classes:
        problem = problem._replace(classes=False, y=np.eye(10)[problem.y])
    ours = hessian.jax_program(hessian.structured)(problem)()
    theirs = hessian.torch_hessian(1, way, None if way == "torch.func.hessian" else 64)(problem)()
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-13)
