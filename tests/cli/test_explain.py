"""`jaxnn explain` prints the slide's numbers, and every product and sum on its page is right."""

import re

import numpy as np
import pytest

NUMBER = r"\(?-?[0-9.]+(?:e-?[0-9]+)?\)?"


def value(text):
    return float(text.strip().strip("()"))


def test_without_options_it_is_the_worked_example(run):
    out = run("explain").out
    for line in (
        "z⁽¹⁾ = 0.2·1 + 0.1·0.5 + 0.3·0.3 = 0.34",
        "h⁽¹⁾ = relu(0.34) = 0.34",
        "o = 0.5·0.34 = 0.17",
        "J = (y - o)² = (0.75 - 0.17)² = 0.3364",
        "∂J/∂o = -2 (0.75 - 0.17) = -1.16",
        "∂J/∂w⁽²⁾₁₁ = h⁽¹⁾ ∂J/∂o = 0.34·(-1.16) = -0.3944",
        "∂J/∂h⁽¹⁾ = 0.5·(-1.16) = -0.58",
        "∂J/∂w⁽¹⁾₁₁ = x₁ ∂J/∂z⁽¹⁾ = 1·(-0.58) = -0.58",
        "-0.07888, which is wrong: docs/errata.md says why",
    ):
        assert line in out


def test_the_other_reading_of_the_erratum(run):
    """With 0.2 as the input and 1 as its weight; the sum is the same."""
    out = run("explain", "--inputs", "0.2,0.1,0.3").out
    assert "∂J/∂w⁽¹⁾₁₁ = x₁ ∂J/∂z⁽¹⁾ = 0.2·" in out


@pytest.mark.by_default("argv0", "argv4")
@pytest.mark.parametrize(
    "argv",
    [
        ("--sizes", "3,2,1", "--activation", "tanh"),
        ("--sizes", "2,3,2", "--loss", "softmax_cross_entropy", "--inputs=-1,0.5", "--target", "1"),
        ("--sizes", "2,2,2,2", "--loss", "sigmoid_cross_entropy", "--no-bias", "--seed", "3", "--activation", "tanh"),
        ("--sizes", "12,12,1", "--activation", "silu"),
        ("--sizes", "2,1"),
    ],
)
def test_every_sum_of_products_is_right_and_jax_agrees(run, argv):
    result = run("explain", *argv)
    assert result.status == 0
    sums = re.findall(rf"= ((?:{NUMBER}·)?{NUMBER}(?: \+ {NUMBER}(?:·{NUMBER})?)*) = ({NUMBER})$", result.out, re.M)
    assert len(sums) > 2
    for terms, total in sums:
        products = [np.prod([value(factor) for factor in term.split("·")]) for term in terms.split(" + ")]
        # each printed number is rounded to six digits
        np.testing.assert_allclose(sum(products), value(total), rtol=2e-5, atol=5e-6 * np.abs(products).max())
    apart = float(re.search(r"differ from those of jax.grad by at most (\S+)", result.out)[1])
    assert apart < 1e-14
    assert "lectures" not in result.out
    assert " -0 " not in result.out.replace("\n", " ")


@pytest.mark.parametrize("argv", [("--target", "1"), ("--loss", "sigmoid_cross_entropy"), ("--inputs", "1,1,1")])
def test_the_erratum_is_that_of_the_pages_own_problem(run, argv):
    assert "-0.07888" not in run("explain", *argv).out


@pytest.mark.parametrize(
    ("loss", "slope"), [("softmax_cross_entropy", r"softmax\(o\)₁ - 1"), ("sigmoid_cross_entropy", r"σ\((\S+)\) - 1")]
)
def test_the_slope_of_each_loss(run, loss, slope):
    out = run("explain", "--sizes", "2,2", "--loss", loss).out
    first = float(re.search(rf"∂J/∂o₁ = {slope} = (\S+)$", out, re.M).groups()[-1])
    o = [float(x) for x in re.findall(r"o[₁₂] = .* = (\S+)$", out.partition("loss")[0], re.M)]
    expected = np.exp(o[0]) / np.exp(o).sum() - 1 if "softmax" in loss else 1 / (1 + np.exp(-o[0])) - 1
    np.testing.assert_allclose(first, expected, rtol=1e-4)


def test_one_step_goes_down(run):
    out = run("explain", "--sizes", "3,2,1", "--activation", "tanh", "--learning-rate", "0.01").out
    before, after = map(float, re.search(r"takes J from (\S+) to (\S+)", out).groups())
    assert after < before


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--sizes", "3,2000,1"), "from 1 to 12"),
        (("--sizes", "3"), "2 to 7 whole numbers"),
        (("--sizes", "2,2,2,2,2,2,2,2,2"), "2 to 7 whole numbers"),
        (("--sizes", "a,b"), "such as 3,2,1"),
        (("--inputs", "1,2"), "one number per input, 3 in all, got 2"),
        (("--inputs", "1,x,2"), "expected numbers separated by commas"),
        (("--inputs", "1,nan,2"), "expected numbers separated by commas"),
        (("--target", "1,2"), "one number per output, 1 in all, got 2"),
        (("--activation", "rely"), "Did you mean 'relu'?"),
        (("--activation", "softmax"), "unknown activation"),
        (("--loss", "softmax_cross_entropy"), "needs at least two outputs"),
        (("--sizes", "2,2", "--loss", "softmax_cross_entropy", "--target", "2"), "a class from 0 to 1"),
        (("--loss", "sigmoid_cross_entropy", "--target", "3"), "in [0, 1]"),
        (("--learning-rate", "-1"), "a number > 0"),
        (("--inputs", "1e200,1,1"), "overflows"),
        (("--no-bias",), "add --sizes"),
        (("--seed", "7"), "add --sizes"),
    ],
)
def test_what_it_refuses(refused, argv, told):
    assert told in refused("explain", *argv)
