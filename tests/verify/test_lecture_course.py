"""The course's numbers: all hold, a break is noticed where it should be, and the page of errata keeps its word."""

import contextlib
import io
import json
import re
from decimal import Decimal, localcontext
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import activations, backprop, initialisers, losses, mlp, optimisers, schedules
from jaxnn.optimisers.first_order import rules
from jaxnn.verify import lecture_course
from jaxnn.verify.table import FAILED, HOLDS

PAGE = (Path(__file__).parents[2] / "docs" / "errata.md").read_text(encoding="utf-8")


# What the page has, and what is right.
ERRATA = {
    "erratum 1: ∂L/∂w₁₁, x₁ = 0.2": ("-0.07888", "-0.116"),  # 0.2 · 0.5 · -2 · (0.75 - 0.17)
    "erratum 1: ∂L/∂w₁₁, x₁ = 1": ("-0.07888", "-0.58"),
    "erratum 2: Adam's first step": ("-0.00316228", "-0.00100000"),  # √10, and 1, times the rate
    "erratum 2: too long by": ("3.16", "1"),
    "erratum 3: PyTorch's AMSGrad": ("0.99789098", "0.99727067"),  # optax 0.2.8, and PyTorch 2.13
    "erratum 4: ReLU'(0)": ("silent at 0", "to say which: 0"),
    "erratum 5: σ(1.5)": ("0.817544761936437", "0.817574476193643659607217178656"),
}


@pytest.fixture(scope="module")
def table():
    return lecture_course.check()


def failed(*topics):
    """The rows that fail among those of the given topics, by what they are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lecture_course, "TOPICS", topics)
        return {row.rule: row for row in lecture_course.check().failures}


class TestTheTable:
    def test_every_row_holds(self, table):
        assert table.ok
        assert table.counts == {HOLDS: len(table)}
        assert {row.group for row in table} == {"course"}
        assert len({row.rule for row in table}) == len(table)

    def test_it_covers_the_pages(self, table):
        pages = {
            int(page)
            for row in table
            for first, last in re.findall(r"(\d+)(?:-(\d+))?", row.reference)
            for page in range(int(first), int(last or first) + 1)
        }
        worked_example, optimisers_pages, dropout = range(34, 41), range(44, 54), range(55, 58)
        others = {9, 10, 11, 12, 13, 27, 32, 33, 41, 42, 62, 66, 67, 68}
        assert pages == {*worked_example, *optimisers_pages, *dropout, *others}

    def test_rows_say_how_far_they_are_and_may_be(self, table):
        for row in table:
            assert row.worst <= float(re.match(r"at most (\S+?)(,|$)", row.expected)[1])

    def test_double_precision_is_left_as_it_was(self, table):
        assert jnp.ones(()).dtype == jnp.float32

    def test_it_is_written_as_json(self, table):
        rows = json.loads(table.to_json())["rows"]
        assert [row["rule"] for row in rows] == [row.rule for row in table]


class TestTheErrata:
    def test_the_five_are_there(self, table):
        assert {row.rule for row in table if row.rule.startswith("erratum")} == set(ERRATA)

    @pytest.mark.parametrize("rule", ERRATA)
    def test_a_row_tells_what_the_page_has_and_what_is_right(self, rule, table):
        (row,) = [row for row in table if row.rule == rule]
        page, right = ERRATA[rule]
        before, _, after = row.why.partition("; right is ")
        assert page in before
        assert after.startswith(right)

    def test_the_slides_figure_does_not_hold(self, monkeypatch):
        """A jaxnn that agreed with the slide would fail."""
        monkeypatch.setattr(activations, "sigmoid", lambda z: 0.817544761936437 + 0 * z)
        row = failed(lecture_course._activations)["erratum 5: σ(1.5)"]
        assert "and more than that from the page's 0.817544761936437" in row.expected
        assert row.why.startswith("jaxnn gives 0.817544761936, 3e-05 from the right figure; the page has 0.81754")

    def test_a_wrong_literal_for_the_page_would_be_seen(self):
        """The page's figure has to differ from ours: an erratum that is none fails."""
        row = lecture_course._fact("erratum", "page 1", "", jnp.array(0.5), "0.5", slide="0.5")
        assert (row.verdict, row.worst) == (FAILED, 0.0)


def failed_with(monkeypatch, module, name, change, topic):
    """The rows of the topic that fail when a function of jaxnn has been changed."""
    monkeypatch.setattr(module, name, change(getattr(module, name)))
    return set(failed(topic))


class TestABreakIsNoticed:
    def test_a_halved_loss(self, table, monkeypatch):
        found = failed_with(
            monkeypatch, losses, "squared_error", lambda f: lambda o, y: f(o, y) / 2, lecture_course._worked_example
        )
        before_it = {"example: z", "example: h", "example: o"}
        assert found == {row.rule for row in table if row.rule.startswith(("example", "erratum 1"))} - before_it

    def test_the_sign_of_backpropagation(self, monkeypatch):
        def negated(f):
            return lambda *args, **words: jax.tree.map(jnp.negative, f(*args, **words))

        found = failed_with(monkeypatch, backprop, "backward", negated, lecture_course._worked_example)
        assert found == {"example: ∂L/∂w₂₁", "erratum 1: ∂L/∂w₁₁, x₁ = 0.2", "erratum 1: ∂L/∂w₁₁, x₁ = 1"}

    @pytest.mark.parametrize(
        ("name", "other", "rows"),
        [
            ("leaky_relu", lambda z: jax.nn.leaky_relu(z, 0.02), {"leaky ReLU"}),
            ("absolute_value", jax.nn.relu, {"absolute value"}),
            ("sigmoid", jnp.tanh, {"erratum 5: σ(1.5)", "σ'(1.5)"}),
            ("relu", jnp.abs, {"ReLU", "ReLU'", "erratum 4: ReLU'(0)"}),
            # the same function with the other subgradient, that of the right
            ("relu", lambda z: jnp.where(z >= 0, z, 0), {"erratum 4: ReLU'(0)"}),
        ],
        ids=["leaky", "absolute", "sigmoid", "relu", "relu-at-0"],
    )
    def test_another_activation(self, name, other, rows, monkeypatch):
        assert failed_with(monkeypatch, activations, name, lambda _: other, lecture_course._activations) == rows

    def test_a_gain(self, monkeypatch):
        found = failed_with(
            monkeypatch, initialisers, "gain", lambda f: lambda name: 1.001 * f(name), lecture_course._initialisation
        )
        assert found == {"gains", "Glorot's bound"}

    def test_a_schedule_that_starts_a_step_late(self, monkeypatch):
        def late(f):
            return lambda *args, **words: lambda step: f(*args, **words)(step + 1)

        found = failed_with(monkeypatch, schedules, "exponential_decay", late, lecture_course._learning_rate)
        assert found == {"exponential decay"}

    @pytest.mark.parametrize(
        ("name", "words", "row"),
        [
            ("momentum", {"learning_rate_inside": False}, "momentum"),  # with α = 0 the two conventions are one
            ("sgd", {"maximise": True}, "momentum, α = 0"),
            ("adagrad", {"eps_inside": True}, "AdaGrad"),
            ("rmsprop", {"eps_inside": False}, "RMSProp"),
        ],
    )
    def test_another_convention_of_a_rule(self, name, words, row, monkeypatch):
        def other(f):
            return lambda *args, **given: f(*args, **(given | words))

        assert failed_with(monkeypatch, rules, name, other, lecture_course._first_order) == {row}

    def test_a_sum_over_the_minibatch_in_place_of_the_mean(self, monkeypatch):
        found = failed_with(
            monkeypatch, losses, "squared_error", lambda f: lambda o, y: 2 * f(o, y), lecture_course._minibatches
        )
        assert found == {"SGD, Algorithm 8.1"}

    def test_adam_taken_to_the_letter(self, monkeypatch):
        def letter(_):
            return lambda *args, **words: rules.amsgrad(*args, maximum="paper", **words)

        found = failed_with(monkeypatch, rules, "adam", letter, lecture_course._adam_and_its_words)
        assert {"Adam, Algorithm 8.7", "erratum 2: Adam's first step", "erratum 2: too long by"} <= found

    def test_the_other_maximum_of_amsgrad(self, monkeypatch):
        def confused(f):
            def amsgrad(*args, maximum, **words):
                other = {"corrected": "raw", "raw": "corrected"}.get(maximum, maximum)
                return f(*args, maximum=other, **words)

            return amsgrad

        found = failed_with(monkeypatch, optimisers, "amsgrad", confused, lecture_course._adam_and_its_words)
        assert found == {"AMSGrad as the page has it", "erratum 3: PyTorch's AMSGrad"}

    def test_dropout_that_does_not_scale(self, monkeypatch):
        def unscaled(f):
            return lambda key, rate, h: f(key, rate, h) * (1 - rate)

        assert failed_with(monkeypatch, mlp, "_drop", unscaled, lecture_course._dropout) == {
            "dropout",
            "dropout keeps the mean",
        }

    def test_an_initialisation_that_tells_the_units_apart(self, monkeypatch):
        normal = jax.nn.initializers.normal(0.1)
        found = failed_with(monkeypatch, initialisers, "zeros", lambda _: normal, lecture_course._zero_initialisation)
        assert found == {"zero initialisation"}

    def test_units_that_stand_still_do_not_count_as_alike(self, monkeypatch):
        found = failed_with(
            monkeypatch, optimisers, "sgd", lambda f: lambda rate: f(0 * rate), lecture_course._zero_initialisation
        )
        assert found == {"equal initialisation"}

    def test_a_function_that_raises_is_a_row(self, monkeypatch):
        def refuse(*args, **words):
            raise ValueError("out of order")

        monkeypatch.setattr(losses, "squared_error", refuse)
        found = failed(lecture_course._worked_example, lecture_course._learning_rate)
        assert {rule: row.why for rule, row in found.items()} == {"worked example": "ValueError: out of order"}


class TestARow:
    @pytest.mark.parametrize(
        ("ours", "right", "worst"),
        [
            (jnp.array(0.5), "0.5", 0.0),
            (np.array([0.5, 1.5]), ["0.5", "1"], 0.5),
            (np.nan, 0, np.inf),
            (np.array([1.0, np.inf]), [1, 2], np.inf),
            (np.ones(3), [1, 1], np.inf),  # another number of figures
        ],
    )
    def test_how_far_it_is(self, ours, right, worst):
        row = lecture_course._fact("a", "page 1", "", ours, right)
        assert row.worst == worst
        assert row.verdict == (HOLDS if worst == 0 else FAILED)

    def test_a_float_is_held_against_all_digits(self):
        """0.1 in binary is above 0.1 by 5.6e-18: the comparison itself rounds nothing."""
        row = lecture_course._fact("a", "page 1", "", 0.1, "0.1")
        assert row.worst == pytest.approx(5.551115123125783e-18, rel=1e-15)

    def test_the_precision_of_the_decimals_is_the_callers_own_again(self):
        with localcontext(prec=7):
            failed(lecture_course._learning_rate)
            assert 1 / Decimal(3) == Decimal("0.3333333")


class TestThePage:
    SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)

    def test_one_section_and_one_snippet_for_each(self):
        assert re.findall(r"^## (\d)\.", PAGE, flags=re.MULTILINE) == ["1", "2", "3", "4", "5"]
        assert len(self.SNIPPETS) == 5
        assert max(len(source.splitlines()) for source in self.SNIPPETS) <= 10

    @pytest.mark.parametrize("number", range(5))
    def test_a_snippet_prints_what_it_shows(self, number):
        source = self.SNIPPETS[number]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "errata.md", "exec"), {})
        shown = [line[2:] for line in source.splitlines() if line.startswith("# ")]
        assert shown
        assert printed.getvalue().splitlines() == shown

    @pytest.mark.parametrize("rule", [rule for rule in ERRATA if rule[:9] in ("erratum 1", "erratum 5")])
    def test_it_has_the_figures_of_the_rows(self, rule):
        page, right = ERRATA[rule]
        assert page in PAGE
        assert right in PAGE

    @pytest.mark.parametrize(("t", "factor"), [(1, "3.16"), (12, "6.57"), (1000, "1.26")])
    def test_how_much_too_long_the_steps_of_page_52_are(self, t, factor):
        assert f"{(1 - 0.9**t) / np.sqrt(1 - 0.999**t):.2f}" == factor
        assert factor in PAGE

    def test_they_are_the_longest_at_the_twelfth(self):
        t = np.arange(1, 10_000)
        assert t[np.argmax((1 - 0.9**t) / np.sqrt(1 - 0.999**t))] == 12
