"""Whether a table seems to include the rows that a model was trained on, of which scores say too much."""

import os
from collections.abc import Iterator
from typing import Any


def warning(model: Any, name: str, n_rows: int) -> Iterator[str]:
    """A sentence, if the data have the name and the number of rows of those that the model was trained on.

    Args:
        model: a saved model or ensemble.
        name: of the data.
        n_rows: of the data, with a target.
    """
    trained = _trained(model.config.get("about"), name, n_rows)
    if trained:
        yield f"these rows seem to include the {trained:,} that the model was trained on: on new rows it is worse"


def _trained(about: Any, name: str, n_rows: int) -> int:
    """The number of training rows, if the notes of the model are about such data; else 0."""
    if not isinstance(about, dict) or not isinstance(about.get("rows"), dict):
        return 0
    counts = about["rows"]
    if not all(isinstance(count, int) for count in counts.values()) or sum(counts.values()) != n_rows:
        return 0
    if os.path.basename(str(about.get("data"))) != os.path.basename(name):
        return 0
    again = counts.get("validation", 0) if about.get("refit") is True else 0  # trained on in the end
    return counts.get("train", 0) + again
