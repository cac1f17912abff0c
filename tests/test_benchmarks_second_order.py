"""The benchmarks of second-order methods: all start at the same place, and end where they say; the picture."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import least_squares, picture, race, setting


@pytest.fixture(scope="module")
def friedman():
    (problem,) = race.problems(True)
    return problem


def test_friedmans_function_at_a_point():
    x, y = race.friedman()
    u = (x + 1) / 2
    raw = 10 * np.sin(np.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4]
    np.testing.assert_allclose(y[:, 0], (raw - raw.mean()) / raw.std(), rtol=1e-12)
    assert np.abs(x).max() <= 1


@pytest.mark.slow
def test_the_goal_is_adams_loss_at_its_best_rate(friedman):
    target, rate = race.goal(friedman.data_set, friedman.adam_steps)
    with jax.enable_x64(True):
        final = {
            each: float(
                race.adam_values(
                    friedman.objective(), friedman.start(), friedman.batch(), each, -jnp.inf, steps=friedman.adam_steps
                )[-1]
            )
            for each in (rate, race.RATES[0])
        }
    np.testing.assert_allclose(target, final[rate], rtol=2 * race.ROUNDING)
    assert final[race.RATES[0]] >= final[rate]


@pytest.mark.slow
@pytest.mark.parametrize("make", [race.adam, race.scipy_lbfgs])
def test_everyone_starts_at_the_same_loss_and_ends_at_the_goal(make, friedman):
    values = setting.double(make)(friedman)()
    with jax.enable_x64(True):
        start = friedman.objective()(friedman.start(), friedman.batch())
    np.testing.assert_allclose(values[0], start, rtol=1e-12)
    assert race.over_goal(friedman, values) <= 1
    assert values[-2] > race.goal(friedman.data_set, friedman.adam_steps)[0]  # the first that reached it


def test_a_penalty_is_part_of_the_loss_on_diabetes():
    problem = race.Race("diabetes", 100, 1, 1)
    with jax.enable_x64(True):
        objective, start, batch = problem.objective(), problem.start(), problem.batch()
        squares = sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(start))
        difference = objective(start, batch) - objective.mean_loss(start, batch)
    np.testing.assert_allclose(difference, 0.5 * race.PENALTY * squares, rtol=1e-12)


@pytest.mark.slow
def test_a_fit_can_reach_the_goal_because_its_targets_are_a_networks():
    (problem,) = least_squares.problems(True)
    with jax.enable_x64(True):
        (x, y), starts = problem.data(), problem.starts()
        assert y.shape == (problem.rows, 1)
        first = jax.tree.map(lambda leaf: leaf[0], starts)
        assert least_squares.OBJECTIVE(first, (x, y)) > 1e3 * least_squares.GOAL
    for method in ("lm", "trf"):
        values = least_squares.scipy(method)(problem)()
        assert least_squares.arrived(problem, values) == problem.units


@pytest.mark.slow
def test_a_budget_ends_a_fit_before_the_goal():
    problem = next(iter(least_squares.problems(True)))._replace(units=1, max_steps=1)
    values = least_squares.scipy("trf")(problem)()
    assert values.shape == (1,)
    assert least_squares.arrived(problem, values) == 0
    assert least_squares.arrived(problem, np.array([1e-10, 1.1e-10, np.nan])) == 1


def test_threads_of_blas_are_what_was_asked_for():
    from threadpoolctl import threadpool_info

    def make(problem):
        return lambda: [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    for count, limited in enumerate(setting.threads(make).values(), start=1):
        found = limited("any problem")()
        assert len(found) >= 1
        assert set(found) == {count}


def contender(name, seconds, shares, above, witness):
    return {
        "name": name,
        "seconds": seconds,
        "curve": {"shares": shares, "above_goal": above},
        "witness": witness,
    }


@pytest.fixture
def report():
    contenders = [
        contender("quick", [1.0, 2.0, 3.0], [0.5, 1.0], [10.0, -0.5], 0.5),
        contender("slow", [8.0, 8.0, 8.0], [0.25, 1.0], [10.0, 3.0], 4.0),
    ]
    return {"questions": [{"name": "race", "problems": [{"name": "p, small", "contenders": contenders}]}]}


def test_the_picture_shows_median_seconds_and_who_did_not_arrive(report):
    (axes,) = picture.drawn(report).axes
    curves = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(curves["quick"].get_xdata(), [1.0, 2.0])
    np.testing.assert_allclose(curves["quick"].get_ydata(), [10.0, picture.FLOOR])
    np.testing.assert_allclose(curves["slow"].get_xdata(), [2.0, 8.0])
    assert [line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1] == ["o", "X"]
    assert axes.get_title(loc="left") == "p"


def test_picture_command(report, tmp_path, capsys):
    given, written = tmp_path / "report.json", tmp_path / "race.png"
    given.write_text(json.dumps(report), encoding="utf-8")
    assert picture.main([str(given), str(written)]) == 0
    assert written.stat().st_size > 1000
    given.write_text(json.dumps({"questions": []}), encoding="utf-8")
    for arguments in ([str(given), str(written)], [str(tmp_path / "absent.json"), str(written)], []):
        assert picture.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
