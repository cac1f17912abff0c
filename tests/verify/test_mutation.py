"""The mutation script: it makes the changes it says, notices those that matter, and reports one that does not."""

import ast

import pytest

from jaxnn import optimisers
from tests import mutation

SOURCE = '''
"""A rule."""
LIMIT = (2.0,)


def factory(learning_rate, *, eps=1e-8, maximise=False):
    """- not this."""
    checks.positive(eps=eps)
    if not eps > 0:
        raise ValueError(f"{eps + 1}")

    def update(g, r):
        del r
        return -g / (numerics.sqrt(r) + eps)

    return update
'''


def lines(source):
    return {mutant.after for mutant in mutation.mutants("any", source)}


def test_one_term_is_changed_at_a_time():
    assert lines(SOURCE) >= {
        "LIMIT = (2.4,)",
        "return g / (numerics.sqrt(r) + eps)",
        "return -g * (numerics.sqrt(r) + eps)",
        "return -g",
        "return -g / (numerics.sqrt(r) - eps)",
        "return -g / numerics.sqrt(r)".replace("numerics.sqrt(r)", "(numerics.sqrt(r))"),
        "return -g / (eps)",
        "return -g / (numerics.sqrt(r + eps))",
        "return -g / (jnp.sqrt(r) + eps)",
        "return -g / (r + eps)",
        "return -g / (numerics.sqrt(r) + 0.0)",
    }


@pytest.mark.parametrize(
    ("formula", "changed"),
    [
        ("x = g**2", {"x = g", "x = g ** 3"}),
        ("x = 1 - b1", {"x = 1 + b1", "x = 1", "x = -b1", "x = 2 - b1", "x = 1 - b2"}),
        ("x = -(a - b)", {"x = a - b", "x = -(a + b)", "x = -(a)", "x = -(-b)"}),
        (
            "x = numerics.sqrt(q + c)",
            {"x = numerics.sqrt(q) + c", "x = jnp.sqrt(q + c)", "x = q + c", "x = numerics.sqrt(q - c)"},
        ),
        ("x = jnp.maximum(a, b)", {"x = jnp.minimum(a, b)", "x = a", "x = b"}),
        ("x = a if c else b", {"x = a", "x = b", "x = b if c else a"}),
        ("x = jnp.where(c > 0, a, b)", {"x = jnp.where(c >= 0, a, b)", "x = jnp.where(c > 0, b, a)", "x = a", "x = b"}),
        ("x = numerics.ratio(a, b)", {"x = a / b", "x = numerics.ratio(b, a)", "x = a"}),
        ("x = a.astype(b)", {"x = a"}),
        ("if not c:\n    x = a", {"if c:"}),
    ],
)
def test_the_changes_of_a_formula(formula, changed):
    assert lines(formula) >= changed


def test_every_mutant_is_a_program_that_differs_from_the_rule_and_the_others():
    made = list(mutation.mutants("adam"))
    programs = {ast.dump(ast.parse(mutant.source)) for mutant in made}
    stands = (mutation.FOLDER / "adam.py").read_text(encoding="utf-8")
    assert len(programs) == len(made) > 50
    assert ast.dump(ast.parse(stands)) not in programs


def test_argument_checks_and_documentation_are_left_alone():
    assert not any("checks" in mutant.before or "raise" in mutant.before for mutant in mutation.mutants("any", SOURCE))
    assert lines('"""x = -1"""\nif not b > 1:\n    raise ValueError(-b)\nchecks.decay(b=-b)') == set()


@pytest.mark.by_default("adam-*", "adagrad-takes*")
@pytest.mark.parametrize("law", mutation.HERE.values(), ids=list(mutation.HERE))
@pytest.mark.parametrize("rule", optimisers.TABLE)
def test_the_laws_of_the_script_hold(rule, law):
    law(optimisers.get(rule))


def rewritten(rule, before, after):
    """A mutant by hand."""
    source = (mutation.FOLDER / f"{rule}.py").read_text(encoding="utf-8")
    assert source.count(before) >= 1, f"{rule}.py has no {before!r} any more"
    return mutation.Mutant(rule, 0, before, after, source.replace(before, after))


@pytest.mark.by_default("sgd*", "adam-*", "lion*")
@pytest.mark.parametrize(
    ("rule", "before", "after", "witness"),
    [
        ("sgd", "-eta * g", "eta * g", "oracle, float64, defaults"),
        ("adam", "g**2", "g**3", "oracle, float64, defaults"),
        ("adam", "c1, c2 =", "c2, c1 =", "oracle, float64, defaults"),
        ("adam", "eps / jnp.sqrt(c2) if", "eps if", "oracle, float64, b1=0.8, b2=0.99, eps=0.001, eps_hat=True"),
        ("adagrad", "inside=eps_inside", "inside=not eps_inside", "oracle, float64, defaults"),
        ("adagrad", "jnp.minimum(r + g**2, jnp.finfo(r.dtype).max)", "r + g**2", "law, extremes"),
        ("rmsprop", "jnp.maximum(s - (c / bias) ** 2, 0)", "s - (c / bias) ** 2", "law, extremes"),
        ("adamw", "after.learning_rate * weight_decay", "weight_decay", "oracle, float64, defaults"),
        ("amsgrad", "jnp.maximum(u,", "jnp.minimum(u,", "oracle, float64, defaults"),
        ("lion", "tree.cast_like(updates, grads)", "updates", "law, keeps dtypes"),
        ("gradients", "numerics.sqrt(r) + eps)", "numerics.sqrt(r + eps))", "oracle, float64, "),
        ("velocities", "- inside * d", "+ inside * d", "oracle, float64, defaults"),
        ("gradients", "-g, g)", "g, g)", "oracle, float64, weight_decay=0.3, maximise=True"),
        ("sgd", "weight_decay=weight_decay, maximise", "weight_decay=wait, maximise", mutation.UNDEFINED),
    ],
)
def test_a_change_is_noticed(rule, before, after, witness):
    assert mutation.noticed(rewritten(rule, before, after)).startswith(witness)


def test_the_same_function_in_other_words_survives():
    """Were it noticed, so would everything be."""
    assert mutation.noticed(rewritten("sgd", "-eta * g", "-(g * eta)")) == ""


def test_the_report_fails_for_a_survivor_and_for_an_explanation_out_of_date(monkeypatch, capsys):
    same = rewritten("sgd", "-eta * g", "-(g * eta)")
    monkeypatch.setattr(mutation, "mutants", lambda file: [same])
    monkeypatch.setattr(mutation, "survey", lambda made: [(m, "") for m in made])
    monkeypatch.setattr(mutation, "SAME", {})
    assert mutation.main(["sgd"]) == 1
    assert "UNEXPLAINED: sgd:0\n    - -eta * g\n    + -(g * eta)" in capsys.readouterr().out
    monkeypatch.setattr(mutation, "SAME", {("sgd", same.before, same.after): "a product, the other way round"})
    assert mutation.main(["sgd"]) == 0
    assert "a product, the other way round" in capsys.readouterr().out
    monkeypatch.setattr(mutation, "survey", lambda made: [(m, "oracle" if m is same else "") for m in made])
    assert mutation.main(["sgd"]) == 1
    assert "NO SURVIVOR: sgd" in capsys.readouterr().out


def test_a_rule_that_is_noticed_as_it_stands_is_told(monkeypatch, capsys):
    monkeypatch.setattr(mutation, "survey", lambda made: [(made[0], "law, extremes: AssertionError")])
    assert mutation.main(["sgd"]) == 1
    assert "sgd as it stands is noticed: law, extremes" in capsys.readouterr().out


def test_an_unknown_rule_is_told(capsys):
    assert mutation.main(["adan"]) == 2
    assert "Unknown: adan. Known: sgd, momentum" in capsys.readouterr().err


def test_every_rule_has_its_mutants():
    assert set(mutation.FILES) == {*optimisers.TABLE, *mutation.SHARED}
    assert all(next(mutation.mutants(file), None) for file in mutation.FILES)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a factor for slower machines, upon the minutes below
def test_nothing_survives_unexplained():
    """Of every sixteenth mutant, in half a minute; `python -m tests.mutation` tries all, in six to ten."""
    assert mutation.main(every=16) == 0
