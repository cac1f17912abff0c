"""Measurements as tables: aligned text for a terminal, Markdown for the documentation.

time        median over the rounds, of one unit (a step, an update)
× ours      median over the rounds of (time / our time in the same round); above 1 is slower than ours
quartiles   of that ratio over the rounds
GFLOP/s     multiplications and additions that a unit needs, by its time
% of peak   median over the rounds of (time of as many in large matrix products on all cores / time)

A question measured on another machine than the rest of the report, or with other versions, says so below its title.
"""

from collections.abc import Iterable, Iterator
from statistics import median, quantiles
from typing import Any

SCALES = {"µs": 1e6, "ms": 1e3, "s": 1.0}


def text(report: dict[str, Any]) -> str:
    """The whole report for a terminal."""
    lines = [_environment(report), *_warning(report)]
    for question in report["questions"]:
        lines += ["", f"{question['name']}: {question['title']}", *_elsewhere(question)]
        for problem in question["problems"]:
            header, *rows = _cells(question, problem)
            widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
            lines += ["", f"  {problem['name']}; {_rounds(problem)}"]
            lines += ["  " + _aligned(row, widths) for row in (header, *rows)]
        lines += ["", *(f"  not measured: {sentence}" for sentence in _absent(question))]
    return "\n".join(lines).rstrip() + "\n"


def markdown(report: dict[str, Any]) -> str:
    """The whole report as Markdown, headings of level 3 and below."""
    blocks = [_environment(report), *_warning(report)]
    for question in report["questions"]:
        blocks += [f"### {question['title']} (`{question['name']}`)", *_elsewhere(question)]
        for problem in question["problems"]:
            header, *rows = _cells(question, problem)
            rule = ["---", *["---:"] * (len(header) - 2), "---"]
            blocks.append(f"**{problem['name']}**; {_rounds(problem)}")
            blocks.append("\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows)))
        blocks += [f"Not measured: {sentence}" for sentence in _absent(question)]
    return "\n\n".join(blocks) + "\n"


def summary(report: dict[str, Any]) -> str:
    """The first problem in short, as Markdown: how long each contender takes, and against ours."""
    question = report["questions"][0]
    problem = question["problems"][0]
    compared = ratios(problem)
    rows = [["", f"µs per {question['unit']}", "× ours", "settings"], ["---", "---:", "---:", "---"]]
    for contender in problem["contenders"]:
        seconds = median(_per_unit(problem, contender, "seconds"))
        ratio = f"{median(compared[contender['name']]):.2f}"
        rows.append([contender["name"], f"{seconds * 1e6:,.0f}", ratio, contender["settings"]])
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{lines}\n\n{_environment(report)} {_rounds(problem).capitalize()}.\n"


def ratios(problem: dict[str, Any]) -> dict[str, list[float]]:
    """Of every contender's time for a unit to that of the first one, round by round."""
    reference, *_ = per_unit = {c["name"]: _per_unit(problem, c, "seconds") for c in problem["contenders"]}
    return {
        name: [a / b for a, b in zip(seconds, per_unit[reference], strict=True)] for name, seconds in per_unit.items()
    }


def _per_unit(problem: dict[str, Any], contender: dict[str, Any], times: str) -> list[float]:
    """A contender's times, of one unit."""
    return [seconds / contender.get("units", problem["units"]) for seconds in contender[times]]


def _cells(question: dict[str, Any], problem: dict[str, Any]) -> Iterator[list[str]]:
    """The header, then a row for each contender."""
    moved, flops = problem["bytes_moved"], problem.get("flops")
    limit = question.get("limit")
    rates = [*([] if moved is None else ["GB/s"]), *([] if flops is None else ["GFLOP/s"])]
    peak = [] if limit is None else ["% of peak"]
    scale = question.get("scale", "µs")
    told = any(contender.get("temporary_bytes") is not None for contender in problem["contenders"])
    yield [
        "",
        f"{scale} per {question['unit']}",
        "× ours",
        "quartiles",
        f"processor {scale}",
        *rates,
        *peak,
        *(["temporary MB"] if told else []),
        question["witness_name"],
        "settings",
    ]
    compared = ratios(problem)
    for contender in problem["contenders"]:
        seconds = median(_per_unit(problem, contender, "seconds"))
        each = compared[contender["name"]]
        low, _, high = quantiles(each, n=4, method="inclusive")
        rates = [f"{work / seconds / 1e9:.1f}" for work in (moved, flops) if work is not None]
        if limit is not None:
            peak = [f"{100 * median(a / b for a, b in zip(compared[limit], each, strict=True)):.1f}"]
        spread = f"{low:.2f}–{high:.2f}"
        yield [
            contender["name"],
            _time(seconds, scale),
            f"{median(each):.2f}",
            spread,
            _time(median(_per_unit(problem, contender, "processor_seconds")), scale),
            *rates,
            *peak,
            *([_megabytes(contender.get("temporary_bytes"))] if told else []),
            _number(contender["witness"]),
            contender["settings"] + ("" if contender["variant"] is None else f"; {contender['variant']}"),
        ]


def _time(seconds: float, scale: str) -> str:
    return f"{seconds * SCALES[scale]:,.{2 if scale == 's' else 1}f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.1f}"


def _aligned(row: list[str], widths: list[int]) -> str:
    name, *numbers, settings = (
        cell.ljust(width) if index in (0, len(row) - 1) else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([name, *numbers, settings]).rstrip()


def _rounds(problem: dict[str, Any]) -> str:
    return f"medians of {len(problem['contenders'][0]['seconds'])} rounds"


def _environment(report: dict[str, Any]) -> str:
    at = report["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in at["versions"].items())
    return f"{at['processor']}, {at['cores']} cores, {at['system']}; Python {at['python']}, {versions}."


def _elsewhere(question: dict[str, Any]) -> Iterable[str]:
    """Where a question was measured, if not where the others were."""
    return [f"Measured on {_environment(question)}"] if "environment" in question else []


def _warning(report: dict[str, Any]) -> Iterable[str]:
    return ["Measured with --quick: small problems and few rounds, to see that it runs."] if report["quick"] else []


def _absent(question: dict[str, Any]) -> Iterator[str]:
    for absent in question["absent"]:
        yield f"{absent['name']} ({absent['reason']})"
