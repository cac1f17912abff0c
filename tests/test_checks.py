"""Checks of arguments: what passes, what raises, and what the message says."""

import math
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jaxnn import checks

TABLE = {"adam": 1, "adamw": 2, "torch.RMSprop": 3}


@pytest.mark.parametrize(
    ("check", "accepted", "refused", "rule"),
    [
        (checks.positive, [1, 1e-300, 1e308], [0, -1, 0.0, math.inf, -math.inf], "> 0 and finite"),
        (checks.non_negative, [0, 0.0, 1e308], [-1, -1e-300, math.inf], "≥ 0 and finite"),
        (checks.finite, [0, -1e308, 5], [math.inf, -math.inf], "finite"),
        (checks.decay, [0, 0.5, 1 - 1e-16], [1, -0.1, 1.5, math.inf], r"in \[0, 1\)"),
        (checks.fraction, [0, 1, 0.5], [-1e-9, 1 + 1e-9, math.inf], r"in \[0, 1\]"),
    ],
)
def test_the_interval_of_each_check(check, accepted, refused, rule):
    for value in accepted:
        check(rate=value)
        check(rate=np.float64(value))
    for value in refused:
        with pytest.raises(ValueError, match=rf"^rate must be .*{rule}, got {value!r}"):
            check(rate=value)


@pytest.mark.parametrize("check", [checks.positive, checks.non_negative, checks.finite, checks.decay, checks.fraction])
class TestEveryNumberCheck:
    @pytest.mark.parametrize("value", [True, False, np.True_, None, "0.1", [0.1], (0.1,), {}, 1j])
    def test_refuses_what_is_no_number(self, check, value):
        with pytest.raises(TypeError, match=r"^rate must be a number, got "):
            check(rate=value)

    @pytest.mark.parametrize("value", [math.nan, np.float32("nan"), np.float64("nan")])
    def test_refuses_nan(self, check, value):
        with pytest.raises(ValueError, match=r"rate must be a number, got nan"):
            check(rate=value)

    def test_names_the_argument_that_is_wrong(self, check):
        with pytest.raises(ValueError, match=r"^second must be"):
            check(first=0.5, second=-math.inf, third=-math.inf)

    def test_lets_tracers_and_arrays_pass_but_no_functions(self, check):
        @jax.vmap
        def factory(rate):
            check(rate=rate)
            return rate

        np.testing.assert_array_equal(factory(jnp.array([-1.0, 2.0])), [-1.0, 2.0])
        check(rate=jnp.array(-5.0))
        with pytest.raises(TypeError, match="rate must be a number, got <function"):
            check(rate=lambda step: step)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8, ml_dtypes.bfloat16])
def test_numpy_scalars_are_numbers(kind):
    checks.positive(rate=kind(1))
    with pytest.raises(ValueError, match=r"^rate must be > 0 and finite, got -1"):
        checks.positive(rate=kind(-1))


@pytest.mark.parametrize("value", [3, 10**30, np.int8(3), np.uint64(3), np.array(3), jnp.array(3)])
def test_whole_accepts_every_kind_of_integer(value):
    checks.whole(3, steps=value)
    checks.whole(1, minimum=value)  # an argument of any name


@pytest.mark.parametrize("value", [2, -1, np.int64(2), jnp.array(2)])
def test_whole_refuses_what_is_too_small(value):
    with pytest.raises(ValueError, match=r"^steps must be a whole number ≥ 3, got "):
        checks.whole(3, steps=value)


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.True_, np.float64(3), np.array(3.5), jnp.array(3.5), [3]])
def test_whole_refuses_other_kinds(value):
    with pytest.raises(TypeError, match=r"^steps must be a whole number, got "):
        checks.whole(1, steps=value)


def test_one_of_finds_the_entry():
    assert checks.one_of("adamw", TABLE, "optimiser") == 2


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("adan", "adam"), ("AdamW", "adamw"), ("ADAM", "adam"), ("torch.rmsprop", "torch.RMSprop"), ("rmsprop", None)],
)
def test_one_of_offers_the_nearest_name_whatever_its_case(name, nearest):
    with pytest.raises(ValueError, match=rf"^Unknown optimiser '{name}'") as raised:
        checks.one_of(name, TABLE, "optimiser")
    if nearest is not None:
        assert f"Did you mean {nearest!r}?" in str(raised.value)
    assert str(raised.value).endswith("Known: adam, adamw, torch.RMSprop.")


@pytest.mark.parametrize("name", ["zzz", "", None, 3])
def test_one_of_has_no_suggestion_where_nothing_is_near(name):
    with pytest.raises(ValueError, match=r"^Unknown optimiser") as raised:
        checks.one_of(name, TABLE, "optimiser")
    assert "Did you mean" not in str(raised.value)
    assert "Known: adam" in str(raised.value)


def test_function_or_name():
    table = {"sine": math.sin}
    assert checks.function_or_name("sine", table, "curve") is math.sin
    assert checks.function_or_name(math.cos, table, "curve") is math.cos
    with pytest.raises(ValueError, match=r"Did you mean 'sine'"):
        checks.function_or_name("sin", table, "curve")
    with pytest.raises(TypeError, match=r"curve must be a function or one of the known names, got 3"):
        checks.function_or_name(3, table, "curve")


class TestRequire:
    def test_gives_the_module(self):
        assert checks.require("math", extra="none", purpose="to count") is math

    @pytest.mark.parametrize("module", ["jaxnn_absent_package", "jaxnn_absent_package.inner"])
    def test_names_the_extra_and_the_purpose(self, module):
        with pytest.raises(
            ImportError, match=r"jaxnn_absent_package is needed to read a table.*'.\[tables\]'"
        ) as raised:
            checks.require(module, extra="tables", purpose="to read a table")
        assert "\n" not in str(raised.value)

    def test_a_package_that_is_blocked_counts_as_absent(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match=r"pandas is needed"):
            checks.require("pandas", extra="tables", purpose="to read a table")

    def test_a_package_that_is_broken_speaks_for_itself(self, tmp_path, monkeypatch):
        (tmp_path / "jaxnn_broken_package.py").write_text("import jaxnn_missing_dependency\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        with pytest.raises(ModuleNotFoundError, match=r"No module named 'jaxnn_missing_dependency'"):
            checks.require("jaxnn_broken_package", extra="tables", purpose="to read a table")
