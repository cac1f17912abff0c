"""Dates and times of day as text: ISO 8601, and the forms in which people and other programs write them."""

import contextlib
import datetime
import re
from collections.abc import Collection

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%Y/%m/%d",
    "%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%d.%m.%Y", "%Y.%m.%d",
    "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y",
    "%a %b %d %Y", "%a, %d %b %Y",
)  # fmt: skip
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
MONTHS = ("%Y-%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%y", "%b-%Y")
FORMATS = (*DAYS, *TIMES, *MONTHS, *(f"{day} {time}" for day in DAYS for time in TIMES))
ONE_DIGIT = re.compile(r":\d(?!\d)|^\d{4}-\d$")  # 16:9 is a ratio, and 2000-1 a part of a year; strptime takes both
LIKELY = re.compile(r"(?=.*\d)(?=.*[\s/:.-]).{4,40}")


def are_dates(texts: Collection[str]) -> bool:
    """Whether all texts are dates or times, in one form; the first that is not ends the search."""
    if not texts or not all(map(LIKELY.fullmatch, texts)):
        return False
    if all(map(ISO_DATE.fullmatch, texts)):
        return True
    if any(map(ONE_DIGIT.search, texts)):
        return False
    first = next(iter(texts))
    return any(all(_is(text, form) for text in texts) for form in FORMATS if _is(first, form))


def _is(text: str, form: str) -> bool:
    """Whether `text` is a date written in `form`, which is one of `datetime.strptime`."""
    with contextlib.suppress(ValueError):
        datetime.datetime.strptime(text, form)
        return True
    return False
