"""What is learnt about the columns and the target of a table: the nouns that a saved model stores."""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from jaxnn.preprocessing.written import Notation

Problem: TypeAlias = Literal["classes", "numbers", "counts"]
Kind: TypeAlias = Literal["number", "boolean", "category", "date", "unused"]
Missing: TypeAlias = Literal["refused", "filled", "marked"]
Label: TypeAlias = str | bool | int | float

LARGEST = float(np.finfo(np.float32).max)  # a network in single precision sees infinity beyond


class Column(NamedTuple):
    """What was learnt about one raw column.

    Attributes:
        name: the column's name in the table.
        kind: "number", "boolean", "category", "date", or "unused": one value or none, an identifier, names or free
            text. An unused column is ignored, except for where it is missing if that is marked.
        mean: of the training values, of dates in days since 1970; stands in for a missing number, boolean or date.
        scale: > 0; a number or the days of a date are divided by it. 1 for the other kinds.
        categories: the texts that have an input of their own, sorted; empty for the other kinds.
        missing: "refused", "filled" (at the mean, or at no category), or "marked" (filled, with an input of its own).
        least: the smallest number or date seen in training; None for the other kinds, and in files of earlier versions.
        most: the largest.
        notation: how the numbers were written, if they were text; None if they were numbers already.
        other: whether all other categories share one more input.
        form: how the dates were written, one of `dates.FORMATS`; empty for the other kinds.
        parts: the cyclic parts of dates that are inputs, in the order of `dates.PERIODS`.
        absent: texts that stand for a missing value in this column alone.
    """

    name: str
    kind: Kind
    mean: float = 0.0
    scale: float = 1.0
    categories: tuple[str, ...] = ()
    missing: Missing = "refused"
    least: float | None = None
    most: float | None = None
    notation: Notation | None = None
    other: bool = False
    form: str = ""
    parts: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def needed(self) -> bool:
        """Whether a table must have it."""
        return self.kind != "unused" or self.missing == "marked"

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs that this column becomes."""
        names = tuple(f"{self.name}={category}" for category in self.categories)
        if self.other:
            names = (*names, f"{self.name} is other")
        if self.kind in ("number", "boolean", "date"):
            names = (self.name, *(f"{self.name} {part} {wave}" for part in self.parts for wave in ("sin", "cos")))
        return (*names, f"{self.name} is missing") if self.missing == "marked" else names

    def to_spec(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        spec: dict[str, Any] = {"name": self.name, "kind": self.kind, "missing": self.missing}
        if self.kind == "category":
            spec |= {"categories": list(self.categories)} | ({"other": True} if self.other else {})
        elif self.kind != "unused":
            spec |= {"mean": self.mean, "scale": self.scale}
        if self.kind == "date":
            spec |= {"form": self.form, "parts": list(self.parts)}
        if self.least is not None and self.most is not None:
            spec |= {"least": self.least, "most": self.most}
        if self.notation is not None:
            spec["notation"] = self.notation._asdict()
        return spec | ({"absent": list(self.absent)} if self.absent else {})


class Target(NamedTuple):
    """What was learnt about the target.

    Attributes:
        name: the target's name.
        problem: "classes", "numbers" or "counts".
        classes: the labels in the order of their codes, all of one type; empty for the other kinds.
        class_names: the labels in words, for people.
        mean: of the training targets; 0 for the other kinds.
        scale: > 0, the standard deviation of numbers, or the mean of counts.
        notation: how the numbers were written, if they were text.
    """

    name: str
    problem: Problem
    classes: tuple[Label, ...] = ()
    class_names: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    notation: Notation | None = None
