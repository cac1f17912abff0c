"""Measurements as tables: aligned text for a terminal, Markdown for the documentation.

time        median over the rounds, of one unit (a step, an update)
× ours      median over the rounds of (time / our time in the same round); above 1 is slower than ours
quartiles   of that ratio over the rounds
"""

from collections.abc import Iterable, Iterator
from statistics import median, quantiles
from typing import Any


def text(report: dict[str, Any]) -> str:
    """The whole report for a terminal."""
    lines = [_environment(report), *_warning(report)]
    for question in report["questions"]:
        lines += ["", f"{question['name']}: {question['title']}"]
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
        blocks.append(f"### {question['title']} (`{question['name']}`)")
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
        seconds = median(contender["seconds"]) / problem["units"]
        ratio = f"{median(compared[contender['name']]):.2f}"
        rows.append([contender["name"], f"{seconds * 1e6:,.0f}", ratio, contender["settings"]])
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{lines}\n\n{_environment(report)} {_rounds(problem).capitalize()}.\n"


def ratios(problem: dict[str, Any]) -> dict[str, list[float]]:
    """Of every contender to the first one, round by round."""
    contenders = problem["contenders"]
    reference = contenders[0]["seconds"]
    return {c["name"]: [a / b for a, b in zip(c["seconds"], reference, strict=True)] for c in contenders}


def _cells(question: dict[str, Any], problem: dict[str, Any]) -> Iterator[list[str]]:
    """The header, then a row for each contender."""
    moved = problem["bytes_moved"]
    rate = [] if moved is None else ["GB/s"]
    scale = question.get("scale", "µs")
    told = any(contender.get("temporary_bytes") is not None for contender in problem["contenders"])
    yield [
        "",
        f"{scale} per {question['unit']}",
        "× ours",
        "quartiles",
        f"processor {scale}",
        *rate,
        *(["temporary MB"] if told else []),
        question["witness_name"],
        "settings",
    ]
    compared = ratios(problem)
    for contender in problem["contenders"]:
        seconds = median(contender["seconds"]) / problem["units"]
        each = compared[contender["name"]]
        low, _, high = quantiles(each, n=4, method="inclusive")
        rate = [] if moved is None else [f"{moved / seconds / 1e9:.1f}"]
        spread = f"{low:.2f}–{high:.2f}"
        yield [
            contender["name"],
            _time(seconds, scale),
            f"{median(each):.2f}",
            spread,
            _time(median(contender["processor_seconds"]) / problem["units"], scale),
            *rate,
            *([_megabytes(contender.get("temporary_bytes"))] if told else []),
            _number(contender["witness"]),
            contender["settings"] + ("" if contender["variant"] is None else f"; {contender['variant']}"),
        ]


def _time(seconds: float, scale: str) -> str:
    return f"{seconds * 1e6:,.1f}" if scale == "µs" else f"{seconds:.2f}"


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


def _warning(report: dict[str, Any]) -> Iterable[str]:
    return ["Measured with --quick: small problems and few rounds, to see that it runs."] if report["quick"] else []


def _absent(question: dict[str, Any]) -> Iterator[str]:
    for absent in question["absent"]:
        yield f"{absent['name']} ({absent['reason']})"
