"""Who arrives, from where, and who says so without having arrived? `python -m benchmarks robustness [--json FILE]`.

Two sets of least-squares problems, in double precision:

    nist        the 27 regressions of NIST, both starts. Solved: four digits of every parameter (LRE ≥ 4), whichever
                order equal terms have.
    nudged      the same with every parameter moved by some 1e-12 of itself: what another machine's rounding might do.
    moved       the same with every parameter moved by some 5 %. Solved: the certified sum of squares to a millionth.
    1, 10, 100  41 problems of Moré, Garbow and Hillstrom from so many times their standard start. Solved: one of the
                known minima (`jaxnn.verify.second_order.more_garbow_hillstrom`).

"claimed" counts runs that report success though they did not solve their problem; "false" those of them from whose end
another method, MINPACK's or scipy's `trf`, lowers the sum of squares by more than 0.1 % still. The rest of what is
claimed are other stationary points: local minima that are not in the lists, plateaus, saddles.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks import minimisers
from benchmarks.harness import environment
from benchmarks.minimisers import CONTENDERS, Case, Contender, Ended
from jaxnn import checks, data, files
from jaxnn.verify.second_order import more_garbow_hillstrom, nist, sized

SEED = 20  # not one that any method was chosen with
NUDGE, MOVE = 1e-12, 0.05  # standard deviations of relative changes
FACTORS = (1, 10, 100)
PARTS = ("nist", "nudged", "moved", *map(str, FACTORS))
SOLVED = 4  # digits
ACCURACY = 1e-6  # of a certified sum of squares
NOTHING = 1e-15  # a sum of squares as good as Lanczos1's 1.4e-25: parameters have four digits by then
STILL_FALLS = 1e-3  # of a sum of squares, by which another method shows that a run had not converged


class Start(NamedTuple):
    """Where a run begins."""

    part: str  # of PARTS
    name: str  # among its part's
    at: np.ndarray  # (p,)


class Problem(NamedTuple):
    """A case, its starts, and what counts as solved."""

    case: Case
    starts: tuple[Start, ...]
    solved: Callable[[str, np.ndarray, float], bool]  # part, where it ended, Σ r² there
    digits: Callable[[np.ndarray], float] | None  # of the worst parameter, where they are certified
    best: float  # the least Σ r² that is known


def problems(nudged: int, moved: int, *, quick: bool = False) -> Iterator[Problem]:
    """All of them, one after another.

    Args:
        nudged: how many times each of NIST's starts is moved by 1e-12.
        moved: how many times by 5 %.
        quick: two problems of each set.
    """
    for name in ("Misra1a", "MGH17") if quick else data.NIST:
        yield _regression(name, nudged, moved)
    published = (*more_garbow_hillstrom.problems(), *sized.problems())
    for problem in (published[0], published[9]) if quick else published:
        starts = tuple(Start(str(factor), f"{factor} ×", problem.far(factor)) for factor in FACTORS)
        case = Case(problem.name, problem.objective, problem.batch)
        reached = lambda part, params, total, problem=problem: problem.reached(total) is not None
        yield Problem(case, starts, reached, None, min(problem.minima))


def _regression(name: str, nudged: int, moved: int) -> Problem:
    objective, batch, read = nist.problem(name)
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    starts = [Start("nist", f"start {k}", start) for k, start in enumerate(read.starts, 1)]
    for part, count, size in (("nudged", nudged, NUDGE), ("moved", moved, MOVE)):
        for k, start in enumerate(read.starts, 1):
            drawn = start * (1 + size * rng.normal(size=(count, len(start))))
            starts += [Start(part, f"start {k}, draw {n}", at) for n, at in enumerate(drawn, 1)]

    def digits(params: np.ndarray) -> float:
        return float(nist.digits(name, params, read.certified))

    def solved(part: str, params: np.ndarray, total: float) -> bool:
        within = total <= max(read.residual_sum_of_squares * (1 + ACCURACY), NOTHING)
        return within if part == "moved" else digits(params) >= SOLVED

    return Problem(Case(name, objective, batch), tuple(starts), solved, digits, read.residual_sum_of_squares)


def measure(
    contenders: Sequence[Contender], nudged: int, moved: int, *, quick: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """The report: of every contender, what came of its runs in each part, and those that it lost.

    Contenders whose package is not installed are listed as absent.
    """
    here = [contender for contender in contenders if find_spec(contender.needs) is not None]
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in here}
    with jax.enable_x64(True):
        for problem in problems(nudged, moved, quick=quick):
            for contender in here:
                say(f"{problem.case.name}: {contender.name}")
                run = contender.make(problem.case)
                starts = [s for s in problem.starts if contender.moved or s.part not in ("nudged", "moved")]
                runs[contender.name] += [_judged(problem, start, run(start.at)) for start in starts]
            minimisers.forget()
            jax.clear_caches()
    return {
        "kind": "robustness",
        "environment": environment(),
        "quick": quick,
        "contenders": [
            {"name": contender.name, "settings": contender.settings, **_counted(runs[contender.name])}
            for contender in here
        ],
        "absent": [f"{c.name} ({c.needs} is not installed)" for c in contenders if c not in here],
    }


def _judged(problem: Problem, start: Start, ended: Ended) -> dict[str, Any]:
    given = minimisers.functions(problem.case)
    rows = len(problem.case.batch[1])
    with np.errstate(all="ignore"):
        total = given.value(ended.params) * rows
        norm = float(np.linalg.norm(given.gradient(ended.params))) * rows
    solved = problem.solved(start.part, ended.params, total)
    digits = problem.digits(ended.params) if problem.digits is not None and start.part == "nist" else None
    least = _least(problem.case, ended.params, total) if ended.claims and not solved else None
    return {
        "part": start.part,
        "problem": problem.case.name,
        "start": start.name,
        "solved": solved,
        "digits": digits,
        "claims": ended.claims,
        "words": ended.words,
        "reached": total,
        "best": problem.best,
        "gradient_norm": norm,
        "polished": least,
        "false": least is not None and not least >= total * (1 - STILL_FALLS),
    }


def _least(case: Case, params: np.ndarray, total: float) -> float:
    """The sum of squares that other methods reach from there."""
    rows, least = len(case.batch[1]), total
    for method in ("lm", "trf"):
        ended = minimisers.least_squares(method)(case)(params)
        reached = minimisers.functions(case).value(ended.params) * rows
        least = reached if reached < least or not np.isfinite(least) else least
    return least


def _counted(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is kept of a contender's runs: the counts of each part, and the lost ones, without those of moved starts."""
    parts = {}
    for part in PARTS:
        mine = [run for run in runs if run["part"] == part]
        if not mine:
            continue
        parts[part] = {
            "runs": len(mine),
            "solved": sum(run["solved"] for run in mine),
            "claimed": sum(run["claims"] and not run["solved"] for run in mine),
            "false": sum(run["false"] for run in mine),
        }
        if part == "nist":
            parts[part]["digits"] = round(float(np.mean([run["digits"] for run in mine])), 2)
    kept = ("part", "problem", "start", "reached", "best", "gradient_norm", "claims", "polished", "false", "words")
    lost = [
        {key: _number(run[key]) for key in kept}
        for run in runs
        if not run["solved"] and run["part"] not in ("nudged", "moved")
    ]
    return {"parts": parts, "lost": lost}


def _number(value: Any) -> Any:
    """As JSON has it: six digits, null for what is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if np.isfinite(value) else None


def markdown(report: dict[str, Any]) -> str:
    """The two tables."""
    at, first = report["environment"], report["contenders"][0]["parts"]
    versions = ", ".join(f"{name} {version}" for name, version in at["versions"].items())
    told = partial(_line, report)
    counts = {part: f"{first[part]['runs']:,}" for part in PARTS if part in first}
    nist_header = ["", f"solved, of {counts['nist']}", "claimed", "false", "digits"]
    for part, what in (("nudged", "1e-12"), ("moved", "5 %")):
        if part in counts:
            nist_header += [f"lost, moved by {what}, of {counts[part]}", "claimed", "false"]
    far_header = ["", *(f"{factor} ×, of {counts[str(factor)]}" for factor in FACTORS), "claimed", "false", "settings"]
    blocks = [
        f"{at['processor']}, {at['cores']} cores, {at['system']}; Python {at['python']}, {versions}.",
        *(["Measured with --quick: a few problems, to see that it runs."] if report["quick"] else []),
        "### NIST's 27 regressions, from both starts",
        told(nist_header, _of_nist),
        "### 41 problems of Moré, Garbow and Hillstrom, from far off",
        told(far_header, _of_more),
        *(f"Not measured: {absent}." for absent in report["absent"]),
    ]
    return "\n\n".join(blocks) + "\n"


def _line(report: dict[str, Any], header: list[str], cells: Callable[[dict[str, Any], int], list[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    if header[-1] == "settings":
        rule[-1] = "---"
    rows = [cells(contender, len(header)) for contender in report["contenders"]]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def _of_nist(contender: dict[str, Any], width: int) -> list[str]:
    parts = contender["parts"]
    found = parts["nist"]
    row = [contender["name"], *(str(found[key]) for key in ("solved", "claimed", "false")), f"{found['digits']:.2f}"]
    for part in ("nudged", "moved"):
        if part in parts:
            each = parts[part]
            row += [str(each["runs"] - each["solved"]), str(each["claimed"]), str(each["false"])]
    return row + ["–"] * (width - len(row))


def _of_more(contender: dict[str, Any], width: int) -> list[str]:
    del width
    parts = [contender["parts"][str(factor)] for factor in FACTORS]
    totals = [str(sum(part[key] for part in parts)) for key in ("claimed", "false")]
    return [contender["name"], *(str(part["solved"]) for part in parts), *totals, contender["settings"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the tables, writes the file.

    Returns:
        The exit status: 0, or 2 where the input is at fault, told in one line on standard error.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks robustness",
        description="Who arrives, from where, and who says so without having arrived.",
    )
    parser.add_argument("--quick", action="store_true", help="two problems of each set, to see that everything runs")
    parser.add_argument("--only", metavar="NAME", action="append", help="one contender; may be given again")
    parser.add_argument("--nudged", metavar="N", type=int, default=20, help="draws of each start by 1e-12 (default 20)")
    parser.add_argument("--moved", metavar="N", type=int, default=10, help="draws of each start by 5 %% (default 10)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="counts, and every run that was lost, go there")
    given = parser.parse_args(arguments)
    known = {contender.name: contender for contender in CONTENDERS}
    try:
        chosen = [checks.one_of(name, known, "contender") for name in given.only or known]
        checks.whole(0, nudged=given.nudged, moved=given.moved)
        if given.json is not None:
            files.check_writable(given.json)  # refused now rather than after minutes of measuring
        say = lambda sentence: print(sentence, file=sys.stderr)
        report = measure(chosen, given.nudged, given.moved, quick=given.quick, say=say)
        if given.json is not None:
            files.write(given.json, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    except (ValueError, OSError) as error:
        print(f"python -m benchmarks robustness: {error}", file=sys.stderr)
        return 2
    print(markdown(report), end="")
    return 0
