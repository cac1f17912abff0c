"""Fair timing on a machine that others use too: contenders take turns, and are compared within a round.

Every contender is built, compiled and called twice, or once if that takes long, before anything is timed. A round then
calls each of them once, in an order that rotates from round to round. Whatever slows the machine down for a while slows
down neighbours in time, so that the ratio of two times of one round is steadier than either; what is reported is the
median of those ratios.

Where a library can be set up in several ways, as with one thread or two, all of them run a trial and the quickest takes
the turns. The first call of each contender is also its witness: a number that shows that all did the same work.

A call may say more about itself in an attribute:

temporary_bytes           how much memory it sets aside while it runs
units                     how many of the question's units it does, if not as many as the problem has: of a hundred
                          networks that a library trains one after another, four show how long each takes
elsewhere                 seconds of processor time that its last run took in other processes

Beside the time on the clock stands the processor time of all threads together. Neighbours on the machine lengthen the
first and hardly the second.
"""

import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Protocol, TypeAlias

PAUSE = 0.01  # seconds between two calls, in which the threads of the last one go to sleep
DIGITS = 5  # significant ones kept of each time
LONG = 60.0  # seconds: a first call that took longer has warmed everything
TRIALS = 5  # calls whose median counts, where variants compete
LIBRARIES = ("jax", "jaxlib", "keras", "numpy", "optax", "optimistix", "scikit-learn", "scipy", "torch")


class Problem(Protocol):
    """What is solved: a size, a data set. Contenders know more of their own question's problems.

    One of which the arithmetic is counted has an attribute `flops`, of one unit.
    """

    @property
    def name(self) -> str:
        """As it stands above its table."""

    @property
    def units(self) -> int:
        """How many of the question's units (steps, updates) one call does."""

    @property
    def trial(self) -> Any:
        """A shorter problem of the same kind, on which the variants of a contender compete."""

    @property
    def bytes_moved(self) -> int | None:
        """That one unit must at least read and write; None where arithmetic is what takes the time."""


Make: TypeAlias = Callable[[Any], Callable[[], Any]]  # problem -> the timed call, which returns when all is done


class Contender(NamedTuple):
    """One way to do the work."""

    name: str
    settings: str  # a clause or two
    make: Make | Mapping[str, Make]  # or several, by name: the quickest is taken
    needs: str | None = None  # the module without which it is only listed
    slow_start: bool = False  # takes long to compile, or to run: left out by --quick


class Question(NamedTuple):
    """What is asked, and who answers. The first contender is ours, to which all are compared."""

    name: str
    title: str
    unit: str  # what a time is divided by: "step"
    witness_name: str
    problems: Callable[[bool], Iterable[Problem]]  # quick -> problems
    witness: Callable[[Any, Any], float | None]  # (problem, what the first call returned) -> a number
    contenders: tuple[Contender, ...]
    rounds: int
    curve: Callable[[Any, Any], Any] | None = None  # likewise -> what a picture draws of that call
    scale: str = "µs"  # of its tables, or "s"
    measured: Callable[..., list[dict[str, Any]]] | None = (
        None  # (question, contenders, rounds, quick, say) -> problems,
    )
    # for one whose contenders can't take turns within this process
    limit: str | None = None  # the contender that does nothing but arithmetic, at the highest rate of this machine


def measure(question: Question, *, quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Asks one question.

    Args:
        question: the question.
        quick: small problems and three rounds, to see that everything runs; such times mean little.
        say: is told what is being measured.

    Returns:
        All times, in seconds per call and round, as `--json` writes them.
    """
    here = [c for c in question.contenders if _present(c) and not (quick and c.slow_start)]
    absent = [c for c in question.contenders if c not in here]
    rounds = 3 if quick else question.rounds
    return {
        "name": question.name,
        "title": question.title,
        "unit": question.unit,
        "scale": question.scale,
        "witness_name": question.witness_name,
        **({} if question.limit is None else {"limit": question.limit}),
        "absent": [{"name": c.name, "reason": _reason(c)} for c in absent],
        "problems": (
            [_measured(question, problem, here, rounds, say) for problem in question.problems(quick)]
            if question.measured is None
            else question.measured(question, here, rounds, quick, say)
        ),
    }


def environment() -> dict[str, Any]:
    """The machine and the versions: enough to repeat a run, and nothing that tells whose machine it was."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version for name in LIBRARIES if (version := _version(name)) is not None},
    }


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _measured(
    question: Question, problem: Problem, contenders: list[Contender], rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    calls: dict[str, Callable[[], Any]] = {}
    found: list[dict[str, Any]] = []
    for contender in contenders:
        say(f"{question.name}, {problem.name}: {contender.name} warms up")
        variant, make = _quickest(contender, problem)
        call = calls[contender.name] = make(problem)
        began = time.perf_counter()
        output = call()
        took = time.perf_counter() - began
        witness = question.witness(problem, output)  # before the next call, which may reuse its buffers
        one = {"name": contender.name, "settings": contender.settings, "variant": variant, "witness": witness}
        if question.curve is not None:
            one["curve"] = question.curve(problem, output)
        if hasattr(call, "units"):
            one["units"] = call.units
        found.append({**one, "temporary_bytes": getattr(call, "temporary_bytes", None)})
        if took < LONG:
            call()
    say(f"{question.name}, {problem.name}: {rounds} rounds of {len(calls)}")
    times = _rounds(calls, rounds)
    return {
        "name": problem.name,
        "units": problem.units,
        "bytes_moved": problem.bytes_moved,
        **({"flops": problem.flops} if hasattr(problem, "flops") else {}),
        "contenders": [{**each, **times[each["name"]]} for each in found],
    }


def _quickest(contender: Contender, problem: Problem) -> tuple[str | None, Make]:
    """The name of the variant that is quickest on a trial, None if there is only one, and its function."""
    if callable(contender.make):
        return None, contender.make
    seconds = {}
    for variant, make in contender.make.items():
        call = make(problem.trial)
        call()
        seconds[variant] = median(_timed(call)[0] for _ in range(TRIALS))
    best = min(seconds, key=seconds.__getitem__)
    return best, contender.make[best]


def _rounds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Of every contender the `seconds` and `processor_seconds` of its calls, in the order of the rounds."""
    times: dict[str, dict[str, list[float]]] = {name: {"seconds": [], "processor_seconds": []} for name in calls}
    names = list(calls)
    for number in range(rounds):
        first = number % len(names)  # nobody always runs in the warm or dirty cache of the same neighbour
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE)
            seconds, processor_seconds = _timed(calls[name])
            times[name]["seconds"].append(seconds)
            times[name]["processor_seconds"].append(processor_seconds)
    return times


def _timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of one call on the clock, and of the processor in all threads of this process, and elsewhere."""
    began, processor_began = time.perf_counter(), time.process_time()
    call()
    took = time.perf_counter() - began, time.process_time() - processor_began
    return rounded(took[0]), rounded(took[1] + getattr(call, "elsewhere", 0.0))


def rounded(seconds: float) -> float:
    """To the digits that are kept."""
    return float(f"{seconds:.{DIGITS}g}")


def _present(contender: Contender) -> bool:
    return contender.needs is None or importlib.util.find_spec(contender.needs) is not None


def _reason(contender: Contender) -> str:
    return "left out by --quick" if _present(contender) else f"{contender.needs} is not installed"


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name where Linux tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
