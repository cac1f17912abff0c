"""The problems are the published ones, the rows hold, and a planted fault turns its own rows into failures."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxnn import data, derivatives, optimisers
from jaxnn.optimisers import METHODS
from jaxnn.verify import certificates
from jaxnn.verify.problems import quick_to_compile
from jaxnn.verify.second_order import closed_forms, matrices, more, nist, regressions, steps
from jaxnn.verify.table import EQUAL, FAILED, HOLDS, UNEQUAL

pytestmark = pytest.mark.rounding(quickly=True)

PROBLEMS = {problem.name: problem for problem in more.problems()}
jitted = partial(jax.jit, compiler_options=quick_to_compile())


@pytest.mark.parametrize("name", nist.MODELS)
def test_nists_models_give_the_certified_sum_of_squares(name, x64):
    objective, batch, read = nist.problem(name)
    total = float(objective(jnp.asarray(read.certified), batch)) * len(read.y)
    # Certified to 11 digits; Lanczos1's sum, 1.4e-25, is less than what parameters in so few digits can give.
    assert total == pytest.approx(read.residual_sum_of_squares, rel=1e-10, abs=1e-20)
    alone = objective.predict(jnp.asarray(read.certified), batch[0][:1])
    np.testing.assert_allclose(alone, objective.predict(jnp.asarray(read.certified), batch[0])[:1], rtol=1e-14)


def test_lanczos1s_data_are_the_function_that_its_file_names(x64):
    """With the 14 digits of its data, and the sum of squares that is certified."""
    objective, batch, read = nist.problem("Lanczos1")
    total = float(objective(jnp.array([0.0951, 1, 0.8607, 3, 1.5576, 5]), batch)) * len(read.y)
    rounded = len(read.y) * (0.5e-12) ** 2  # at most: data below 10 in 13 decimals, of which the last is rounded
    assert read.residual_sum_of_squares <= total <= rounded


def test_every_file_has_its_model():
    assert list(nist.MODELS) == list(data.NIST)


def test_right_digits_are_counted():
    certified = np.array([2.0, -4e-7])
    found = np.stack(
        [certified, certified * [1.001, 1], certified * [1, 1 + 1e-9], [np.nan, 1], [np.inf, 1], -certified]
    )
    np.testing.assert_allclose(nist.lre(found, certified), [11, 3, 9, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("name", PROBLEMS)
def test_scipy_finds_the_published_minimum(name, x64):
    """MINPACK's Levenberg-Marquardt, so that neither formulae, data, start nor minimum are ours alone."""
    problem = PROBLEMS[name]
    x, y = problem.batch
    residuals = jitted(lambda p: problem.predict(p, x) - y)
    slopes = jitted(jax.jacfwd(lambda p: problem.predict(p, x)))
    tight = dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15)
    found = scipy.optimize.least_squares(residuals, problem.start, slopes, method="lm", max_nfev=20_000, **tight)
    nearest = min(problem.minima, key=lambda minimum: abs(2 * found.cost - minimum))
    assert 2 * found.cost == pytest.approx(nearest, rel=5e-6, abs=1e-20)
    row = jax.tree.map(lambda leaf: leaf[-1:], x)
    np.testing.assert_allclose(problem.predict(found.x, row)[0], residuals(found.x)[-1] + y[-1], rtol=1e-12, atol=1e-12)


def test_eighteen_problems_in_the_papers_order():
    numbers = [int(name.partition(" ")[0]) for name in PROBLEMS]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 18


FEW = (2, 11)  # of the networks: 1-4-3-6, and 1-3-2 without biases; all take a minute to compile


class TestMatrices:
    @pytest.mark.slow
    def test_general_holds(self, x64):
        rows = matrices.general(matrices.GENERAL)
        assert {row.rule for row in rows} == set(matrices.GENERAL)
        assert {row.verdict for row in rows} == {EQUAL}, rows

    @pytest.mark.slow
    def test_a_fault_in_one_fails_its_row_alone(self, x64):
        def without_penalty(objective, params, batch):
            from jaxnn.objective import Objective

            return derivatives.gauss_newton_matrix(Objective(objective.predict, objective.loss), params, batch)

        wrong = {**matrices.GENERAL, "gauss_newton_matrix": without_penalty}
        rows = matrices.general(wrong)
        assert [row.rule for row in rows if row.verdict == FAILED] == ["gauss_newton_matrix"]

    @pytest.mark.slow
    def test_structured_holds_and_a_dropped_term_is_seen(self, x64):
        """Gauss-Newton's matrix for the Hessian; the diagonal without its last entry."""
        rows = matrices.structured(matrices.STRUCTURED, FEW)
        assert {row.verdict for row in rows} == {EQUAL}, rows
        wrong = {
            **matrices.STRUCTURED,
            "mlp_hessian": lambda *given, kind="hessian", **words: derivatives.mlp_hessian(
                *given, kind="gauss_newton", **words
            ),
            "mlp_hessian_diagonal": lambda *given, **words: derivatives.mlp_hessian_diagonal(*given, **words)[:-1],
        }
        failed = [row for row in matrices.structured(wrong, FEW) if row.verdict == FAILED]
        assert {row.rule for row in failed} == {"mlp_hessian", "mlp_hessian_diagonal"}
        assert len(failed) == 3

    @pytest.mark.slow
    def test_closed_forms_hold_and_a_wrong_one_is_seen(self, x64):
        assert {row.verdict for row in matrices.closed(derivatives.hessian, derivatives.mlp_hessian)} == {EQUAL}
        halved = lambda f, params: 0.5 * derivatives.hessian(f, params) + 1e-3
        rows = matrices.closed(halved, derivatives.mlp_hessian)
        assert {row.verdict for row in rows if row.rule.startswith("hessian")} == {FAILED}
        assert {row.verdict for row in rows if row.rule == "mlp_hessian"} == {EQUAL}

    @pytest.mark.slow
    def test_differences_see_a_wrong_entry_and_let_the_other_pass(self, x64):
        wrong = lambda f, params: derivatives.hessian(f, params).at[0, 1].add(1e-3)
        rows = matrices.by_differences(wrong, derivatives.mlp_hessian)
        assert {row.rule for row in rows if row.verdict == FAILED} == {"hessian"}
        assert {row.verdict for row in rows if row.rule == "mlp_hessian"} <= {EQUAL, HOLDS}

    @pytest.mark.slow
    def test_certificates_hold_and_a_wrong_verdict_is_seen(self, x64):
        assert {row.verdict for row in matrices.certified(certificates.certify)} == {HOLDS}
        assert {case.verdict for case in closed_forms.natures()} == set(certificates.VERDICTS) - {
            certificates.UNDECIDED
        }
        bent = lambda objective, params, batch, **words: certificates.certify(
            lambda p, b: objective(p, b) + sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(p)), params, batch, **words
        )
        assert FAILED in {row.verdict for row in matrices.certified(bent)}


class TestSteps:
    def test_one_step_holds_and_a_short_one_is_seen(self, x64):
        assert {row.verdict for row in steps.one_step()} == {HOLDS}
        short = {"damped": partial(optimisers.newton, method="pure", damping=1e-6)}
        (row,) = steps.one_step(short)
        assert row.verdict == FAILED

    def test_invariance_holds_and_gradient_descent_has_none(self, x64):
        pure, sgd = partial(optimisers.newton, method="pure"), partial(optimisers.sgd, 1e-3)
        assert {row.verdict for row in steps.invariance(pure, sgd)} == {HOLDS}
        assert {row.verdict for row in steps.invariance(sgd, pure)} == {FAILED}

    def test_order_is_two_and_less_is_seen(self, x64):
        (row,), (remark,) = steps.order(partial(optimisers.newton, method="pure"))
        assert row.verdict == HOLDS
        digits = [float(word) for word in remark.rstrip(".").rpartition(": ")[2].split(", ")]
        assert digits[-1] > 14
        assert digits == sorted(digits)
        (row,), _ = steps.order(partial(optimisers.newton, method="pure", damping=0.01))
        assert row.verdict == FAILED
        assert "the order is 1.0" in row.why


class TestRegressions:
    def test_small_ones_hold(self):
        rows, summaries = regressions.check(
            problems={
                "levenberg_marquardt": ["Misra1a", "6 Jennrich-Sampson"],
                "newton": ["Rat43", "2 Freudenstein-Roth"],
            }
        )
        assert [row.verdict for row in rows] == [HOLDS] * 4, rows
        assert "local minimum 48.98" in rows[3].mapping
        assert summaries[0].startswith("NIST's regressions, levenberg_marquardt: 2 of 2 starts solved, 11.0")

    def test_a_method_that_ends_elsewhere_fails(self):
        names = ["Misra1a", "5 Beale"]
        rows, summaries = regressions.check({"slow": optimisers.sgd(1e-7)}, {"slow": names})
        assert [row.verdict for row in rows] == [FAILED] * 2
        assert "0 of 2" in summaries[0]
        assert all(row.steps == regressions.STEPS for row in rows)

    def test_a_known_miss_is_told_and_another_is_not_excused(self):
        (method, name), why = next(iter(regressions.ELSEWHERE.items()))
        failed = {"worst": 1.0, "expected": "", "verdict": FAILED, "why": "planted"}
        assert regressions._known(method, name, failed) | {"why": why} == failed | {"verdict": UNEQUAL, "why": why}
        assert regressions._known("another", name, failed) == failed

    def test_what_is_minimised_exists(self):
        known = {*data.NIST, *PROBLEMS}
        assert set(regressions.PROBLEMS) == set(regressions.METHODS) <= set(METHODS)
        for names in regressions.PROBLEMS.values():
            assert set(data.NIST) <= set(names) <= known
        assert all(name in regressions.PROBLEMS[method] for method, name in regressions.ELSEWHERE)
