"""Reads the transformation from its stored description, which is not trusted, and sets its limits."""

import math
from typing import Any, get_args

from jaxnn.preprocessing import dates
from jaxnn.preprocessing.learnt import Column, Kind, Label, Problem, Target
from jaxnn.preprocessing.transform import Preprocessing
from jaxnn.preprocessing.written import DECIMALS, GROUPS, Notation

MAX_CATEGORIES = 100  # of one column: more is an identifier or free text, not a category
MAX_CLASSES = 1_000
MAX_COLUMNS = 100_000
MAX_ABSENT = 10  # texts that stand for a missing value in one column alone
MAX_NAME = 10_000  # characters of a name, a category or a label; `fit` refuses longer ones, so all can be loaded
LAST = 3_700_000  # days from 1970 to either end of the calendar
NUMBERS = {"mean", "scale"}
KEYS: dict[str, tuple[set[str], set[str]]] = {  # kind -> keys that it must have, and may have
    "number": (NUMBERS, {"least", "most", "notation", "absent"}),
    "boolean": (NUMBERS, set()),
    "category": ({"categories"}, {"other"}),
    "date": (NUMBERS | {"form", "parts"}, {"least", "most", "absent"}),
    "unused": (set(), set()),
}


def from_spec(spec: Any) -> Preprocessing:
    """The transformation that `to_spec` described; it may come from anybody, so everything is checked.

    Raises:
        ValueError: the description is not one that `to_spec` writes.
    """
    top = _record(spec, "preprocessing", {"columns", "target"}, {"notes", "missing"})
    columns = tuple(
        _column_from(column, f"column {j + 1}")
        for j, column in enumerate(_items(top["columns"], "columns", MAX_COLUMNS))
    )
    names = {column.name for column in columns}
    if not columns or len(names) != len(columns):
        raise ValueError("The stored preprocessing must have columns with different names.")
    if not 0 < sum(len(column.input_names) for column in columns) <= 2 * MAX_COLUMNS:
        raise ValueError(f"The stored preprocessing must have 1 to {2 * MAX_COLUMNS} inputs.")
    notes, missing = (
        tuple(_text(each, what) for each in _items(top.get(what, []), what, MAX_COLUMNS))
        for what in ("notes", "missing")
    )
    return Preprocessing(columns, _target_from(top["target"]), notes, missing)


def _column_from(spec: Any, what: str) -> Column:
    """One column, from its stored description."""
    kind = spec.get("kind") if isinstance(spec, dict) else None
    kind = _choice(kind, f"kind of {what}", get_args(Kind))
    own, optional = KEYS[kind]
    spec = _record(spec, what, {"name", "kind", "missing"} | own, optional)
    name = _text(spec["name"], f"name of {what}")
    missing = _choice(spec["missing"], f"missing of {what}", ("refused", "filled", "marked"))
    absent = tuple(
        _text(each, f"missing text of {what}") for each in _items(spec.get("absent", []), "texts", MAX_ABSENT)
    )
    column = Column(name, kind, missing=missing, absent=absent)
    if kind == "unused":
        return column
    if kind != "category":
        mean = _number(spec["mean"], f"mean of {what}")
        scale = _number(spec["scale"], f"scale of {what}", above_zero=True)
        least, most = _range_from(spec, what)
        column = column._replace(mean=mean, scale=scale, least=least, most=most)
        return (
            _date_from(spec, column, what) if kind == "date" else column._replace(notation=_notation_from(spec, what))
        )
    if spec.get("other", True) is not True:
        raise ValueError(f"The stored mark for other categories of {what} must be true or absent.")
    categories = tuple(
        _text(category, f"category of {what}")
        for category in _items(spec["categories"], f"categories of {what}", MAX_CATEGORIES)
    )
    if not categories or len(set(categories)) != len(categories):
        raise ValueError(f"The stored categories of {what} must be different, and at least one.")
    return column._replace(categories=categories, other="other" in spec)


def _date_from(spec: dict[str, Any], column: Column, what: str) -> Column:
    """A column of dates: how they were written, and which cyclic parts are inputs."""
    form = _choice(spec["form"], f"form of the dates of {what}", dates.FORMATS)
    known = tuple(dates.PERIODS)
    parts = tuple(_choice(part, f"part of the dates of {what}", known) for part in _items(spec["parts"], "parts", 4))
    if len(set(parts)) != len(parts):
        raise ValueError(f"The stored parts of the dates of {what} must be different.")
    if column.least is None or column.most is None or not all(abs(day) < LAST for day in (column.least, column.most)):
        raise ValueError(f"The stored range of {what} must be given, in days of the years 1 to 9999.")
    return column._replace(form=form, parts=parts)


def _range_from(spec: dict[str, Any], what: str) -> tuple[float | None, float | None]:
    """The smallest and the largest number of a column, which files of earlier versions lack."""
    if "least" not in spec and "most" not in spec:
        return None, None
    least, most = (_number(spec.get(key), f"{key} of {what}") for key in ("least", "most"))
    if least > most:
        raise ValueError(f"The stored range of {what} must not end before it starts.")
    return least, most


def _notation_from(spec: dict[str, Any], what: str) -> Notation | None:
    """How the numbers of a column were written, if they were text."""
    if "notation" not in spec:
        return None
    notation = _record(spec["notation"], f"notation of {what}", set(Notation._fields))
    decimal = _choice(notation["decimal"], f"decimal mark of {what}", DECIMALS)
    group = _choice(notation["group"], f"mark between the thousands of {what}", GROUPS)
    if decimal == group:
        raise ValueError(f"The stored marks of {what} must be different.")
    return Notation(decimal, group, _text(notation["unit"], f"unit of {what}"))


def _target_from(spec: Any) -> Target:
    """The target, from its stored description."""
    problem = spec.get("problem") if isinstance(spec, dict) else None
    problem = _choice(problem, "problem", get_args(Problem))
    own = {"classes": {"classes", "class_names"}, "numbers": {"mean", "scale"}, "counts": {"scale"}}[problem]
    spec = _record(spec, "target", {"name", "problem"} | own, set() if problem == "classes" else {"notation"})
    name = _text(spec["name"], "name of the target")
    if problem != "classes":
        mean = _number(spec["mean"], "mean of the target") if problem == "numbers" else 0.0
        scale = _number(spec["scale"], "scale of the target", above_zero=True)
        return Target(name, problem, (), (), mean, scale, _notation_from(spec, "the target"))
    classes = tuple(_label(label) for label in _items(spec["classes"], "classes", MAX_CLASSES))
    names = tuple(_text(each, "class name") for each in _items(spec["class_names"], "class names", MAX_CLASSES))
    kinds = {"number" if type(label) in (int, float) else type(label).__name__ for label in classes}
    if len(classes) < 2 or len(set(classes)) != len(classes) or len(kinds) != 1:
        raise ValueError("The stored classes must be two or more different labels of one type.")
    if len(names) != len(classes):
        raise ValueError(f"The stored class names must be {len(classes)}, one for each class.")
    return Target(name, problem, classes, names)


def _label(value: Any) -> Label:
    """A class label: text, true or false, or a number."""
    if isinstance(value, str):
        return _text(value, "class")
    if isinstance(value, bool):
        return value
    number = _number(value, "class")
    return int(number) if isinstance(value, int) else number


def _record(value: Any, what: str, keys: set[str], optional: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    """A JSON object with exactly these keys, and any of the optional ones."""
    if not isinstance(value, dict) or set(value) - optional != keys:
        raise ValueError(f"The stored {what} must be an object with the keys {sorted(keys)}.")
    return value


def _items(value: Any, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"The stored {what} must be a list of at most {most} items.")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError(f"The stored {what} must be text of at most {MAX_NAME} characters.")
    return value


def _number(value: Any, what: str, *, above_zero: bool = False) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53:
        value = float(value)
    if not isinstance(value, float) or not math.isfinite(value) or (above_zero and value <= 0):
        raise ValueError(f"The stored {what} must be a finite number{' > 0' * above_zero}.")
    return value


def _choice(value: Any, what: str, choices: tuple[str, ...]) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"The stored {what} must be one of {', '.join(choices)}.")
    return value
