import numpy as np
import pytest

from jaxnn.experiments import PROBLEMS, network, recipe
from jaxnn.optimisers import METHODS, TABLE


@pytest.mark.parametrize("schedule", network.SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
def test_schedules_start_at_the_rate_and_end_below_it(schedule, steps):
    rate = network.SCHEDULES[schedule](0.5, steps)
    if schedule == "constant":
        assert rate == 0.5
        return
    values = [float(rate(step)) for step in range(steps + 1)]
    assert max(values) <= 0.5
    if schedule != "warmup_cosine":
        assert values[0] == 0.5
    if steps == 1000:
        assert values[-1] <= 0.06
        assert max(values) == 0.5


@pytest.mark.parametrize("optimiser", TABLE)
def test_every_optimiser_can_be_made(optimiser):
    chosen = recipe.complete({"optimiser": optimiser}, rows=500, problem=PROBLEMS["classes"])
    made = network.make_optimiser(chosen, rows=500)
    assert callable(made.update)
    assert chosen.batch_size <= 500


def test_every_method_can_be_made():
    for name in METHODS:
        chosen = recipe.complete({"optimiser": name}, rows=500, problem=PROBLEMS["numbers"])
        assert callable(network.make_optimiser(chosen, rows=500, activation=(np.tanh,)).update)
        assert (chosen.batch_size, chosen.activation) == (500, ("tanh",))
