"""Dates and times of day: ISO 8601, and the forms in which people and other programs write them.

A date is a number of days since 1970-01-01, with the time of day as a fraction; a time of day alone is that fraction.
It is the time that the clock showed: an offset from UTC such as `+02:00` is read and not added, because the hour of the
day that people lived by says more than the one in Greenwich.

All dates of a column have one form, by the directives of `strptime`, or `ISO`. Whether 01/02/2023 is in January or in
February is decided by a day above 12 anywhere in the column; else by the reading in which the rows are in the order of
time, if only one is; else the month is first between slashes, as in the United States, and the day between hyphens.

Cyclic parts have angles, so that December is beside January: 2π (month - 1) / 12, 2π (day - 1) / 31, 2π weekday / 7
from Monday on, and 2π hour / 24 with the minutes as its fraction.
"""

import datetime
import functools
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

ISO = "ISO"
DIGITS = "%Y%m%d"
DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%Y/%m/%d",
    "%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%d.%m.%Y", "%Y.%m.%d", "%d.%m.%y",
    "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d. %b %Y", "%b %d %Y", "%b %d, %Y", "%a %b %d %Y", "%a, %d %b %Y",
    "%a, %b %d, %Y", "%a %d %b %Y",
)  # fmt: skip
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
MONTHS = ("%Y-%m", "%m/%Y", "%b %Y", "%b-%y", "%b-%Y")
FORMATS = (ISO, *DAYS, *TIMES, *MONTHS, *(f"{day} {time}" for day in DAYS for time in TIMES), DIGITS)
MONTH_NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
LONGER = ["uary", "ruary", "ch", "il", "", "e", "y", "ust", "t?(?:ember)?", "ober", "ember", "ember"]
NAMED_MONTH = "|".join(f"{short}(?:{rest})?" for short, rest in zip(MONTH_NAMES, LONGER, strict=True))
DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": rf"(?P<b>{NAMED_MONTH})\.?",
    "a": r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{2})",
    "S": r"(?P<S>\d{2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[ap])\.?m\.?",
}
PATTERNS = {  # those that the directives cannot say
    ISO: r"(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})"
    r"(?:[T ](?P<H>\d{2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?: ?(?:Z|UTC|[+-]\d{2}:?(?:\d{2})?))?)?",
    "%d.%m.%y": r"(?P<d>\d{2})\.(?P<m>\d{2})\.(?P<y>\d{2})",  # 1.2.10 is a version
    "%Y-%m": r"(?P<Y>\d{4})-(?P<m>\d{2})",  # 2000-1 is a part of a year
}
LIKELY = re.compile(r"(?=.*\d)(?=.*[\s/:.-]).{4,40}")
ZEROS = str.maketrans("123456789", "0" * 9)
SAMPLE = 200  # texts that are tried before all are
EPOCH = datetime.date(1970, 1, 1).toordinal()
PERIODS = {"month": 12, "day": 31, "weekday": 7, "hour": 24}


class Dated(NamedTuple):
    """How a column writes its dates.

    Attributes:
        form: one of `FORMATS`.
        otherwise: the form that fits as well, with day and month the other way round; or None.
    """

    form: str = ISO
    otherwise: str | None = None


def recognise(texts: Collection[str]) -> Dated | None:
    """The form in which all texts are dates or times, or None; `texts` are different, in the order of the rows."""
    texts = list(texts)
    if not texts or not all(map(LIKELY.fullmatch, texts)):
        return None
    fitting = [form for form in FORMATS if not np.isnan(days(texts[:1], form)).any()]
    for some in (texts[:SAMPLE], texts):
        fitting = [form for form in fitting if not np.isnan(days(some, form)).any()]
    if not fitting:
        return None
    first = fitting[0]
    swapped = _swapped(first)
    if swapped not in fitting:
        return Dated(first)
    in_order = [form for form in (first, swapped) if _in_order(days(texts, form))]
    usual = first if first.startswith("%m") == ("/" in first) else swapped
    form = in_order[0] if len(in_order) == 1 else usual
    return Dated(form, swapped if form == first else first)


def are_dates(texts: Collection[str]) -> bool:
    """Whether all texts are dates or times, in one form."""
    return recognise(texts) is not None


def in_commonest_form(texts: Sequence[str]) -> set[str]:
    """Those texts that are dates in the form that fits most of them."""
    layouts = {layout(text): text for text in texts[:SAMPLE]}  # one text of each, since the forms are many
    told = [dated for text in layouts.values() if (dated := recognise([text])) is not None]
    forms = dict.fromkeys(form for dated in told for form in (dated.form, dated.otherwise) if form is not None)
    found = [{text for text, day in zip(texts, days(texts, form), strict=True) if day == day} for form in forms]
    return max(found, key=len, default=set())


def layout(text: str) -> str:
    """What texts that differ in digits only have in common."""
    return text.translate(ZEROS)


def are_days(numbers: np.ndarray, *, least: int = 2) -> bool:
    """Whether numbers are days as digits, 20210324, of the years 1900 to 2099: `least` different ones or more."""
    if len(numbers) == 0 or not ((numbers >= 19e6) & (numbers < 21e6)).all() or (numbers != np.round(numbers)).any():
        return False
    different = np.unique(numbers)
    return len(different) >= least and not np.isnan(days([f"{number:.0f}" for number in different], DIGITS)).any()


def days(texts: Sequence[str], form: str) -> np.ndarray:
    """The dates as days since 1970-01-01, float64 (n,); NaN for text that is no date in this form.

    Texts that differ in digits only have their parts at the same places, so each such layout is matched once.
    """
    numbers = np.full(len(texts), np.nan)
    rows_of: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows_of.setdefault(layout(text), []).append(row)
    for alike, rows in rows_of.items():
        match = _pattern(form).fullmatch(alike)
        if match is not None:
            numbers[rows] = _days_of_parts(_parts_at(match, [texts[row] for row in rows]), len(rows))
    return numbers


def days_of(values: Any, form: str) -> np.ndarray:
    """As `days`, of a column whose values are text, Python's dates or times, or None; ISO is accepted beside any form.

    Of numbers, only those that are days as digits are dates, and only where `form` says so.
    """
    if isinstance(values, np.ndarray):
        digits = form == DIGITS
        values = [f"{value:.0f}" if digits and value == np.round(value) else None for value in values.tolist()]
    texts = list(dict.fromkeys(value for value in values if isinstance(value, str)))
    numbers = days(texts, form)
    for other in TIMES if form in TIMES else (ISO,):
        strange = np.flatnonzero(np.isnan(numbers))
        numbers[strange] = days([texts[j] for j in strange], other)
    known: dict[Any, float] = dict(zip(texts, numbers.tolist(), strict=True))
    timed = form in TIMES
    return np.array(
        [known[value] if isinstance(value, str) else _of_object(value, timed) for value in values], np.float64
    )


def parts_of(numbers: np.ndarray) -> dict[str, np.ndarray]:
    """The cyclic parts of dates, each (n,): the month, day of the month and weekday from 0 on, and the hour."""
    whole = np.floor(numbers)
    date = np.where(np.isnan(whole), 0, whole).astype(np.int64).astype("M8[D]")
    month = date.astype("M8[M]")
    return {
        "month": month.astype(np.int64) % 12,
        "day": (date - month).astype(np.int64),
        "weekday": (date.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
        "hour": np.round((numbers - whole) * 86_400, 3) / 3_600,
    }


def varying(numbers: np.ndarray) -> tuple[str, ...]:
    """The cyclic parts that differ between dates; a weekday means nothing where all are the same day of the month."""
    parts = {name: values.min() != values.max() for name, values in parts_of(numbers).items()}
    return tuple(name for name, varies in parts.items() if varies and (name != "weekday" or parts["day"]))


def written(number: float, form: str = ISO) -> str:
    """A date as text: `2023-01-31`, with the time of day unless that is midnight; for forms of times, that alone."""
    moment = np.datetime64("1970-01-01T00:00:00") + np.timedelta64(round(number * 86_400), "s")
    text = str(moment).replace("T", " ")
    return text[11:] if form in TIMES else text.removesuffix(" 00:00:00")


def example(form: str) -> str:
    """What a date of this form looks like, for messages."""
    moment = datetime.datetime(2023, 1, 31, 14, 30)
    return "2023-01-31" if form == ISO else moment.strftime(form)


def _of_object(value: Any, timed: bool) -> float:
    """A Python date, or time of day, as days; NaN for None, and where the other is wanted."""
    clock = isinstance(value, datetime.time)
    if value is None or clock != timed:
        return float("nan")
    fraction = 0.0
    if clock or isinstance(value, datetime.datetime):
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        fraction = (seconds + value.microsecond / 1e6) / 86_400
    return fraction if clock else value.toordinal() - EPOCH + fraction


def _parts_at(match: re.Match[str], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """The numbers in texts of one layout, (n,) for each part that is there; months by name are counted from 1."""
    n, length = len(texts), len(match.string)
    digits = np.array(texts, f"U{length}").view(np.uint32).reshape(n, length).astype(np.int64) - ord("0")
    parts = {}
    for name, word in match.groupdict().items():
        if name == "b":
            parts[name] = np.full(n, MONTH_NAMES.index(word[:3].lower()) + 1)
        elif name == "p":
            parts[name] = np.full(n, word in "pP")
        elif word is not None:
            start, stop = match.span(name)
            parts[name] = digits[:, start:stop] @ 10 ** np.arange(stop - start)[::-1]
    if match.groupdict().get("f") is not None:
        parts["f"] = parts["f"] / 10.0 ** len(match["f"])
    return parts


def _days_of_parts(parts: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Days from the number of each part, (n,); NaN where a part is out of its range."""

    def part(name: str, otherwise: int) -> np.ndarray:
        return parts.get(name, np.full(n, otherwise))

    year, month, day = part("Y", 1970), part("b" if "b" in parts else "m", 1), part("d", 1)
    if "y" in parts:
        year = parts["y"] + np.where(parts["y"] < 69, 2000, 1900)  # as POSIX has it
    hour, minute, second = part("H", 0), part("M", 0), part("S", 0)
    right = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1) & (minute < 60) & (second < 60)
    if "I" in parts:
        right &= (parts["I"] >= 1) & (parts["I"] <= 12)
        hour = parts["I"] % 12 + 12 * parts["p"]
    right &= hour < 24
    start = ((np.where(right, year, 1970) - 1970) * 12 + np.where(right, month, 1) - 1).astype("M8[M]")
    length = ((start + np.timedelta64(1, "M")).astype("M8[D]") - start.astype("M8[D]")).astype(np.int64)
    right &= day <= length
    date = start.astype("M8[D]").astype(np.int64) + day - 1
    return np.where(right, date + (hour * 3600 + minute * 60 + second + part("f", 0)) / 86_400, np.nan)


@functools.cache
def _pattern(form: str) -> re.Pattern[str]:
    """What a date of this form looks like."""
    if form in PATTERNS:
        return re.compile(PATTERNS[form], re.ASCII)
    spelt = re.sub(r"%(\w)", lambda directive: DIRECTIVES[directive[1]], form.replace(".", r"\."))
    return re.compile(spelt.replace(" ", r"\s+"), re.IGNORECASE | re.ASCII)


def _swapped(form: str) -> str:
    """The form with day and month the other way round."""
    swap = {"%d": "%m", "%m": "%d"}
    return re.sub("%[dm]", lambda directive: swap[directive[0]], form) if re.match("%[dm].%[dm]", form) else ""


def _in_order(numbers: np.ndarray) -> bool:
    """Whether dates rise, or fall, from each to the next."""
    steps = np.diff(numbers)
    return len(steps) > 1 and bool((steps > 0).all() or (steps < 0).all())
