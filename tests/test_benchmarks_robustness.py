"""The counts of `python -m benchmarks robustness` are what runs do, planted ones of every kind; bad input."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import minimisers, page, robustness
from benchmarks.__main__ import main
from benchmarks.minimisers import CONTENDERS, Contender, Ended
from jaxnn import data
from jaxnn.verify.second_order import more_garbow_hillstrom, sized

DOCS = Path(__file__).parent.parent / "docs"
MISRA, MGH17 = (data.read_nist(data.NIST[name]) for name in ("Misra1a", "MGH17"))
CERTIFIED = {"Misra1a": MISRA.certified, "MGH17": MGH17.certified, "1 Rosenbrock": [1, 1]}
CERTIFIED["10 Meyer"] = data.read_nist(data.NIST["MGH10"]).certified  # the same data, the model in another form
CERTIFIED = {name: np.asarray(certified, float) for name, certified in CERTIFIED.items()}


def planted(end, *, claims, name="planted"):
    """A contender whose runs end at end(problem's name, start)."""
    return Contender(name, "", lambda case: lambda start: Ended(end(case.name, start), claims, "said so"))


def counted(contender, **draws):
    (found,) = robustness.measure([contender], **({"nudged": 0, "moved": 0} | draws), quick=True, say=str)["contenders"]
    return found


@pytest.mark.slow
def test_the_answer_is_solved_whatever_it_claims():
    found = counted(planted(lambda name, start: CERTIFIED[name], claims=False), nudged=3, moved=2)
    assert {part: each["runs"] for part, each in found["parts"].items()} == {
        "nist": 4,
        "nudged": 12,
        "moved": 8,
        "1": 2,
        "10": 2,
        "100": 2,
    }
    assert all(each["solved"] == each["runs"] for each in found["parts"].values())
    assert found["parts"]["nist"]["digits"] == 11
    assert found["lost"] == []


@pytest.mark.slow
def test_the_start_is_lost_and_a_claim_of_it_false():
    silent, loud = (counted(planted(lambda name, start: start, claims=claims)) for claims in (False, True))
    for part in robustness.PARTS:
        if part in silent["parts"]:
            runs = silent["parts"][part]["runs"]
            assert silent["parts"][part] | {"claimed": runs, "false": runs} == loud["parts"][part]
            assert [silent["parts"][part][key] for key in ("solved", "claimed", "false")] == [0, 0, 0]
    assert {(run["part"], run["problem"], run["start"]) for run in loud["lost"]} >= {
        ("nist", "MGH17", "start 1"),
        ("100", "10 Meyer", "100 ×"),
    }
    assert all(run["polished"] < 0.999 * run["reached"] for run in loud["lost"])


@pytest.mark.slow
def test_a_claim_of_a_plateau_is_not_false():
    """Where exp(-x b4) and exp(-x b5) are gone, MGH17's best constant is the mean of y: the gradient is 0."""
    flat = np.array([MGH17.y[1:].mean(), 0.0, MGH17.y[0] - MGH17.y[1:].mean(), 1e3, 1e3])
    found = counted(planted(lambda name, start: flat if name == "MGH17" else CERTIFIED[name], claims=True))
    assert found["parts"]["nist"] == {"runs": 4, "solved": 2, "claimed": 2, "false": 0, "digits": 5.5}
    assert all(run["gradient_norm"] == pytest.approx(0, abs=1e-12) for run in found["lost"])


@pytest.mark.slow
def test_equal_terms_may_be_exchanged():
    swapped = MGH17.certified[[0, 2, 1, 4, 3]]
    found = counted(planted(lambda name, start: swapped if name == "MGH17" else CERTIFIED[name], claims=True), moved=2)
    assert found["parts"]["nist"] == {"runs": 4, "solved": 4, "claimed": 0, "false": 0, "digits": 11}
    assert found["parts"]["moved"]["solved"] == 8


@pytest.mark.slow
def test_what_diverged_is_lost_and_its_numbers_are_null():
    found = counted(planted(lambda name, start: np.full_like(start, np.nan), claims=False))
    assert not any(each["solved"] for each in found["parts"].values())
    assert {run["reached"] for run in found["lost"]} == {None}
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_starts_are_the_problems_own_and_draws_have_their_size():
    (one, *_) = robustness.problems(400, 400)
    read = data.read_nist(data.NIST["Bennett5"])
    of = {part: np.array([s.at for s in one.starts if s.part == part]) for part in ("nist", "nudged", "moved")}
    np.testing.assert_array_equal(of["nist"], read.starts)
    for part, size in (("nudged", 1e-12), ("moved", 0.05)):
        changes = of[part].reshape(2, 400, -1) / read.starts[:, None] - 1
        assert changes.std() == pytest.approx(size, rel=0.1)  # of 2,400 draws: 0.03 is two standard deviations
        assert abs(changes.mean()) < 0.1 * size


@pytest.mark.slow
def test_all_problems_are_asked():
    names = [problem.case.name for problem in robustness.problems(0, 0)]
    assert names == [*data.NIST, *(problem.name for problem in (*more_garbow_hillstrom.problems(), *sized.problems()))]
    assert len(names) == 27 + 41


@pytest.mark.by_default("levenberg_marquardt", "scipy *m", "scipy BFGS")
@pytest.mark.parametrize("contender", [c for c in CONTENDERS if c.needs != "optimistix"], ids=lambda c: c.name)
def test_everyone_minimises_and_says_so(contender):
    problem = more_garbow_hillstrom.problems()[0]
    with jax.enable_x64(True):
        case = minimisers.Case(problem.name, problem.objective, problem.batch)
        ended = contender.make(case)(problem.start)
    minimisers.forget()
    np.testing.assert_allclose(ended.params, [1, 1], rtol=1e-4)  # J is below 1e-10 there, which counts as solved
    assert ended.words
    assert ended.claims


def test_a_budget_is_no_success_and_an_exception_none():
    problem = more_garbow_hillstrom.problems()[0]
    with jax.enable_x64(True):
        case = minimisers.Case(problem.name, problem.objective, problem.batch)
        few = minimisers.minimize("BFGS", second=False, gtol=1e-10, maxiter=2)(case)(problem.start)
        lost = minimisers.least_squares("trf")(case)(np.full(2, np.nan))
    minimisers.forget()
    assert not few.claims
    assert "iterations" in few.words
    assert not lost.claims
    assert lost.words.startswith("ValueError")


@pytest.mark.slow
def test_the_command_measures_and_writes(tmp_path, capsys):
    arguments = ["--quick", "--nudged", "1", "--moved", "0", "--only", "scipy lm", "--only", "levenberg_marquardt"]
    assert main(["robustness", *arguments, "--json", str(tmp_path / "r.json")]) == 0
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [contender["name"] for contender in report["contenders"]] == ["scipy lm", "levenberg_marquardt"]
    printed = capsys.readouterr().out
    assert printed == robustness.markdown(report)
    assert "| scipy lm | 4 | 0 | 0 |" in printed
    blank = "<!-- robustness: begin -->\n<!-- robustness: end -->"
    assert printed in page.rewritten(blank, report)


def published():
    return json.loads((DOCS / "robustness.json").read_text(encoding="utf-8"))


def test_the_page_shows_the_published_counts_and_nothing_else():
    text = (DOCS / "robustness.md").read_text(encoding="utf-8")
    assert page.rewritten(text, published()) == text


def test_the_published_counts_are_of_these_contenders_and_problems():
    report = published()
    assert not report["quick"]
    assert report["absent"] == []
    assert [(c["name"], c["settings"]) for c in report["contenders"]] == [(c.name, c.settings) for c in CONTENDERS]
    for contender in report["contenders"]:
        parts = contender["parts"]
        assert {part: parts[part]["runs"] for part in ("nist", "1", "10", "100")} == {
            "nist": 54,
            "1": 41,
            "10": 41,
            "100": 41,
        }
        for part in ("nist", "1", "10", "100"):  # the counts are those of the runs that are listed
            lost = [run for run in contender["lost"] if run["part"] == part]
            assert parts[part]["runs"] - parts[part]["solved"] == len(lost)
            assert parts[part]["claimed"] == sum(run["claims"] for run in lost)
            assert parts[part]["false"] == sum(run["false"] for run in lost)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "scipy lmm"], "Did you mean 'scipy lm'?"),
        (["--nudged", "-1"], "nudged"),
        (["--json", "no/such/folder/r.json"], "no such folder"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, told, capsys):
    assert main(["robustness", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert told in said
