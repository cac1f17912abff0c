"""The command: `python -m benchmarks [--quick] [--only NAME] [--json FILE | --into FILE]`; `… robustness`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    ensembles,
    epochs,
    grid_search,
    hessian,
    large,
    least_squares,
    prediction,
    race,
    robustness,
    scaling,
    start,
    sweeps,
    table,
    training,
    update,
)
from benchmarks.harness import environment, measure
from jaxnn import checks, files

QUESTIONS = {
    question.name: question
    for question in (
        training.QUESTION,
        update.QUESTION,
        hessian.QUESTION,
        hessian.DIAGONAL,
        least_squares.QUESTION,
        race.QUESTION,
        start.QUESTION,
        ensembles.QUESTION,
        sweeps.QUESTION,
        grid_search.QUESTION,
        epochs.QUESTION,
        large.QUESTION,
        prediction.QUESTION,
        scaling.QUESTION,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the tables, writes the file.

    Returns:
        The exit status: 0, or 2 where the input is at fault, told in one line on standard error.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["robustness"]:  # counts what arrives, takes no times
        return robustness.main(words[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Ours and peers side by side, taking turns in one run; `robustness` counts who arrives.",
        epilog=f"Questions: {', '.join(f'{q.name} ({q.title})' for q in QUESTIONS.values())}.",
    )
    parser.add_argument("--quick", action="store_true", help="small problems, to see that everything runs")
    parser.add_argument("--only", metavar="NAME", help="one question: " + " or ".join(QUESTIONS))
    written = parser.add_mutually_exclusive_group()
    written.add_argument("--json", metavar="FILE", type=Path, help="every time of every round goes there")
    written.add_argument("--into", metavar="FILE", type=Path, help="an earlier report; the new answers replace its own")
    given = parser.parse_args(words)
    try:
        chosen = QUESTIONS.values() if given.only is None else [checks.one_of(given.only, QUESTIONS, "question")]
        path = given.json if given.into is None else given.into
        if path is not None:
            files.check_writable(path)  # refused now rather than after minutes of measuring
        earlier = None if given.into is None else read(given.into, quick=given.quick)
        report = {
            "environment": environment(),
            "quick": given.quick,
            "questions": [measure(question, quick=given.quick, say=_say) for question in chosen],
        }
        if path is not None:
            files.write(path, json.dumps(report if earlier is None else joined(earlier, report), indent=1) + "\n")
    except (ValueError, ImportError, OSError) as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    print(table.text(report), end="")
    return 0


def read(path: Path, *, quick: bool) -> dict[str, Any]:
    """An earlier report, to which answers measured as it was may be added.

    Raises:
        ValueError: the file is not a report of this command, or one was measured with --quick and the other not.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        was_quick, _, _ = report["quick"], report["environment"], report["questions"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a report that python -m benchmarks --json has written.") from error
    if was_quick != quick:
        raise ValueError(f"{path} was measured {'with' if was_quick else 'without'} --quick: measure this likewise.")
    return report


def joined(earlier: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """The earlier report with the answers of this one, in the order of `QUESTIONS`.

    Answers from another machine, or with other versions, say so.
    """
    here = report["environment"]
    told = {} if here == earlier["environment"] else {"environment": here}
    answers = {asked["name"]: asked for asked in earlier["questions"]}
    answers |= {asked["name"]: {**asked, **told} for asked in report["questions"]}
    return {**earlier, "questions": [answers[name] for name in QUESTIONS if name in answers]}


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
