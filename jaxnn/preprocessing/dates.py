"""Dates and times of day as text: ISO 8601, and the forms in which people and other programs write them."""

import contextlib
import datetime
import re
from collections.abc import Collection

import numpy as np

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


def are_days(numbers: np.ndarray) -> bool:
    """Whether whole numbers are days as digits, 20210324: at least two of them, between the years 1900 and 2100."""
    if len(numbers) == 0 or numbers.min() == numbers.max() or not ((numbers >= 19e6) & (numbers < 21e6)).all():
        return False
    month, day = numbers // 100 % 100, numbers % 100
    return bool(
        (numbers == np.round(numbers)).all() and ((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all()
    )


def _is(text: str, form: str) -> bool:
    """Whether `text` is a date written in `form`, which is one of `datetime.strptime`."""
    with contextlib.suppress(ValueError):
        datetime.datetime.strptime(text, form)
        return True
    return False
