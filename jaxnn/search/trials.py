"""The file of trials: what was tried and how well it did, one line of JSON for each trial as soon as it is done.

The first line describes the run, so that a resumed one continues only what it would have done itself; each further line
is a trial. A line is written at once and reaches the disk, so a kill loses the trials at work and no other. A last line
that a crash tore is dropped; any other line that cannot be read is an error.

    {"jaxnn": "0.1.0", "kind": "tune", "data": "digits", "metric": "log_loss", "seed": 0}
    {"number": 0, "choices": {}, "scores": [0.12, 0.11], "epochs": [31, 40], …}
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, files
from jaxnn.wording import listed

PathLike = str | os.PathLike[str]

STOPS = {
    "finished": "trained to its end",
    "halved": "not among the best at a rung",
    "diverged": "its loss was not finite",
}
MAY_DIFFER = "jaxnn"  # in the header of a resumed run: the version
ROWS = "rows_digest"  # in the header: a digest of the rows, which says nothing to a reader


class Trial(NamedTuple):
    """One set of choices, and what came of it.

    Attributes:
        number: from 0.
        choices: field of `Recipe` -> value, in JSON's types; the others are the defaults.
        scores: one for each seed and fold, all folds of the first seed first; nan where training diverged.
        epochs: the best epoch of each, from 1; 0 if there is none.
        rungs: the mean score at each rung that the trial reached.
        metrics: the means of further metrics.
        stop: a name in `STOPS`.
        seconds: until it ended, since it and those beside it began.
    """

    number: int
    choices: dict[str, Any]
    scores: tuple[float, ...]
    epochs: tuple[int, ...]
    rungs: tuple[float, ...]
    metrics: dict[str, float]
    stop: str
    seconds: float

    @property
    def score(self) -> float:
        """The mean of the scores; nan if there is none or one is not finite."""
        return float(np.mean(self.scores)) if self.scores and np.isfinite(self.scores).all() else math.nan

    @property
    def error(self) -> float:
        """The standard error of the mean, s/√n; nan with fewer than two scores or one that is not finite.

        Scores of folds and seeds share rows, so this is a scale for differences between trials, not a test of them.
        """
        if len(self.scores) < 2 or not np.isfinite(self.scores).all():
            return math.nan
        return float(np.std(self.scores, ddof=1) / math.sqrt(len(self.scores)))


def start(path: PathLike, header: Mapping[str, Any], *, resume: bool = False) -> tuple[Trial, ...]:
    """Begins a file of trials, or continues one.

    Args:
        path: the file. It must not exist, unless the run is resumed.
        header: describes the run, in JSON's types.
        resume: whether to continue the file, if there is one. A torn last line is removed.

    Returns:
        The trials that the file holds already.

    Raises:
        ValueError: the file exists and the run is not resumed, records another run, or is damaged.
        OSError: the file cannot be read or written.
    """
    path = Path(path)
    if not path.exists():
        files.write(path, _dumped(header) + "\n")
        return ()
    if not resume:
        raise ValueError(
            f"{str(path)!r} exists already: add --resume to continue the search that it records, or give another file "
            "as --trials."
        )
    found, trials = read(path)
    wanted = json.loads(_dumped(header))
    for name in {**wanted, **found}:
        if name != MAY_DIFFER and (name in wanted, wanted.get(name)) != (name in found, found.get(name)):
            if name == ROWS:
                raise ValueError(
                    f"{str(path)!r} records another run: its rows, their columns, weights or split are not those of"
                    " this run. Resume with the same table and options, or give another file as --trials."
                )
            raise ValueError(
                f"{str(path)!r} records another run: its {name} is {_told(found, name)}, but this run's is "
                f"{_told(wanted, name)}. Resume with the same, or give another file as --trials."
            )
    content = path.read_bytes()
    whole = _whole(content)
    if len(whole) < len(content):
        files.write(path, whole)
    return trials


def append(path: PathLike, trial: Trial) -> None:
    """Adds a trial to a file that `start` began; when this returns, it is on the disk.

    Raises:
        ValueError: its `stop` is not in `STOPS`.
        OSError: the file is not there or cannot be written; it is as it was.
    """
    checks.one_of(trial.stop, STOPS, "stop")
    files.append_line(path, _dumped(trial._asdict()))


def read(path: PathLike) -> tuple[dict[str, Any], tuple[Trial, ...]]:
    """The header and the trials of a file, in the order in which they were done. The file stays as it is.

    A torn last line is left out.

    Raises:
        ValueError: the file has no header, or another line than a torn last one is no trial; the message numbers it.
        OSError: the file cannot be read.
    """
    lines = _whole(Path(path).read_bytes()).split(b"\n")[:-1]
    header = _object(path, 1, lines[0]) if lines else None
    if header is None or "number" in header:
        raise ValueError(f"{str(path)!r} is no file of trials: its first line does not describe a run.")
    trials: dict[int, Trial] = {}
    for place, line in enumerate(lines[1:], start=2):
        trial = _trial(path, place, line)
        if trial.number in trials:
            raise ValueError(
                f"Line {place} of {str(path)!r} is trial {trial.number}, which is there already: remove one."
            )
        trials[trial.number] = trial
    return header, tuple(trials.values())


def _whole(content: bytes) -> bytes:
    """The content without a torn last line: one that has no end, or is no JSON."""
    ended = content[: content.rfind(b"\n") + 1]
    if len(ended) < len(content):
        return ended
    last = ended[ended.rfind(b"\n", 0, -1) + 1 :]
    try:
        json.loads(last)
    except ValueError:  # no JSON, or no UTF-8
        return ended[: len(ended) - len(last)]
    return ended


def _object(path: PathLike, place: int, line: bytes) -> dict[str, Any]:
    """The object of JSON on a line."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"Line {place} of {str(path)!r} is damaged: it is no object of JSON. Remove it to go on.")
    return found


def _trial(path: PathLike, place: int, line: bytes) -> Trial:
    """The trial on a line."""
    found = _object(path, place, line)
    try:
        if set(found) != set(Trial._fields) or found["stop"] not in STOPS:
            raise ValueError(f"the fields are {', '.join(Trial._fields)}, and stop is {listed(list(STOPS), 4)}")
        return Trial(
            number=int(found["number"]),
            choices=dict(found["choices"]),
            scores=tuple(map(_number, found["scores"])),
            epochs=tuple(map(int, found["epochs"])),
            rungs=tuple(map(_number, found["rungs"])),
            metrics={name: _number(value) for name, value in found["metrics"].items()},
            stop=found["stop"],
            seconds=_number(found["seconds"]),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"Line {place} of {str(path)!r} is no trial: {error}.") from None


def _number(value: Any) -> float:
    """A number of the file; null is nan."""
    return math.nan if value is None else float(value)


def _dumped(value: Any) -> str:
    """One line of JSON, with null for numbers that are not finite."""
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    """The value in JSON's types."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _told(header: Mapping[str, Any], name: str) -> str:
    """What a header says of a name."""
    return json.dumps(header[name], ensure_ascii=False) if name in header else "not given"
