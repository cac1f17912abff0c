"""How long until the first network, the second, one of another width, and thirty at thirty rates? Fresh processes.

A process imports one library and trains 64-100-10 on the digits, batch 32, Adam, for one epoch; then another network of
the same kind, with another seed and another rate; then one of another width; then one network after another at other
rates. Everything that a person waits for is counted: Python's start, imports, compilation. Processes take turns, so
that what slows the machine slows neighbours alike.

Cold means that nothing compiled is kept anywhere. With the cache, jax keeps programs on disk, and an earlier process
has filled it; libraries that do not compile have none, and are as they were cold. The witness is the mean cross-entropy
of the last network of that moment; seeds and initial weights are each library's own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import Contender, Make, Question, rounded
from jaxnn.data import bundled

MOMENTS = {
    "first": "from the process's start to the first network",
    "second": "a second network of the same kind",
    "width": "a network of another width",
    "rates": "one network after another at other rates",
}
SETTINGS = {"cold": "cold", "cache": "with jax's cache of programs"}
KEEPS_PROGRAMS = ("jaxnn fit", "optax scan", "keras")  # on disk, as jax's backend does
CACHE_SETTINGS = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE", "JAX_ENABLE_COMPILATION_CACHE")
DATA = "digits.npz"
ROOT = Path(__file__).parent.parent


class Moment(NamedTuple):
    """A part of what a process does."""

    setting: str
    moment: str
    epochs: int  # of each of the networks at other rates
    rates: int
    bytes_moved: None = None

    @property
    def units(self) -> int:
        """Networks that are trained."""
        return self.rates if self.moment == "rates" else 1

    @property
    def name(self) -> str:
        """The moment, and whether programs were kept."""
        many = f" ({self.rates} of {self.epochs} epochs)" if self.moment == "rates" else ""
        return f"{MOMENTS[self.moment]}{many}, {SETTINGS[self.setting]}"

    @property
    def trial(self) -> "Moment":
        """Nobody competes with himself here."""
        return self


def problems(quick: bool) -> Iterable[Moment]:
    epochs, rates = (1, 2) if quick else (20, 30)
    return [Moment(setting, moment, epochs, rates) for setting in SETTINGS for moment in MOMENTS]


def process(library: str) -> Make:
    """A call, with a folder for the data and the cache, is one fresh process; it gives the times of all its moments."""

    def make(problem: Moment) -> Callable[..., dict[str, list[float]]]:
        def call(folder: Path) -> dict[str, list[float]]:
            words = [str(folder / DATA), repr(time.time()), str(problem.epochs), str(problem.rates)]
            command = [sys.executable, "-m", "benchmarks.newcomers", library, *words]
            settings = surroundings(problem.setting, folder / library)
            ended = subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True, check=False)
            if ended.returncode:
                last = (ended.stderr.strip().splitlines() or ["no word"])[-1]
                raise OSError(f"the process of {library} ended with status {ended.returncode}: {last}")
            return json.loads(ended.stdout.splitlines()[-1])

        return call

    return make


def surroundings(setting: str, cache: Path) -> dict[str, str]:
    """The environment of a process: this one's, with jax on the CPU and its cache where the setting wants it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CACHE_SETTINGS)}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept |= {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax", "PYTHONPATH": path}
    if setting == "cache":
        kept["JAX_COMPILATION_CACHE_DIR"] = str(cache)
        kept["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # by default only what took a second is kept
        kept["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    return kept


def measured(
    question: Question, contenders: list[Contender], rounds: int, quick: bool, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """All moments of all contenders: a process goes through every moment, so that none is started twice for one."""
    asked = list(problems(quick))
    found: dict[str, dict[str, list[dict[str, list[float]]]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, digits = Path(name), bundled.load("digits")
        np.savez(folder / DATA, x=(digits.x / 16).astype(np.float32), y=digits.y.astype(np.int32))
        for setting in SETTINGS:
            chosen = [c for c in contenders if setting == "cold" or c.name in KEEPS_PROGRAMS]
            problem = next(each for each in asked if each.setting == setting)
            calls: dict[str, Any] = {c.name: c.make(problem) for c in chosen if callable(c.make)}
            for each, call in calls.items():
                say(f"{question.name}, {SETTINGS[setting]}: {each} warms up")
                call(folder)  # which fills the cache, and the system's own of the files that are imported
            found[setting] = found.get("cold", {}) | {each: [] for each in calls}
            for number in range(rounds):
                say(f"{question.name}, {SETTINGS[setting]}: round {number + 1} of {rounds}")
                first = number % len(calls)
                for each in [*calls][first:] + [*calls][:first]:
                    found[setting][each].append(calls[each](folder))
    return [
        {
            "name": problem.name,
            "units": problem.units,
            "bytes_moved": problem.bytes_moved,
            "contenders": [_told(each, found[problem.setting][each.name], problem.moment) for each in contenders],
        }
        for problem in asked
    ]


def _told(contender: Contender, runs: list[dict[str, list[float]]], moment: str) -> dict[str, Any]:
    return {
        "name": contender.name,
        "settings": contender.settings,
        "variant": None,
        "witness": runs[0][moment][2],
        "temporary_bytes": None,
        "seconds": [rounded(run[moment][0]) for run in runs],
        "processor_seconds": [rounded(run[moment][1]) for run in runs],
    }


QUESTION = Question(
    name="start",
    title="To the first network, and to further ones, processes started afresh",
    unit="network",
    witness_name="final loss",
    problems=problems,
    witness=lambda problem, output: output[problem.moment][2],
    contenders=(
        Contender("jaxnn fit", "init and fit, a new objective and optimiser each time", process("jaxnn")),
        Contender("optax scan", "a jitted epoch, a new optax.adam(rate) each time", process("optax"), "optax"),
        Contender("torch", "the ordinary loop; nothing compiled", process("torch"), "torch"),
        Contender("scikit-learn", "MLPClassifier; nothing compiled", process("scikit-learn"), "sklearn"),
        Contender("keras", "compile and fit, with jax as its backend", process("keras"), "keras"),
    ),
    rounds=5,
    measured=measured,
    scale="s",
)
