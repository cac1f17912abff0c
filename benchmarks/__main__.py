"""The command: `python -m benchmarks [--quick] [--only NAME] [--json FILE]`; `python -m benchmarks robustness`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import hessian, least_squares, race, robustness, start, table, training, update
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
    parser.add_argument("--json", metavar="FILE", type=Path, help="every time of every round goes there")
    given = parser.parse_args(words)
    try:
        chosen = QUESTIONS.values() if given.only is None else [checks.one_of(given.only, QUESTIONS, "question")]
        if given.json is not None:
            files.check_writable(given.json)  # refused now rather than after minutes of measuring
        report = {
            "environment": environment(),
            "quick": given.quick,
            "questions": [measure(question, quick=given.quick, say=_say) for question in chosen],
        }
        if given.json is not None:
            files.write(given.json, json.dumps(report, indent=1) + "\n")
    except (ValueError, ImportError, OSError) as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    print(table.text(report), end="")
    return 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
