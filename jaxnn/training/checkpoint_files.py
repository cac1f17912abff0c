"""Numbered files, of which the last few are kept: if the newest is damaged, the one before it can be used."""

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, files
from jaxnn.files import PathLike
from jaxnn.training import serialisation
from jaxnn.training.headers import Spec, Tensors


class Stored(NamedTuple):
    """The file that `newest` found.

    Attributes:
        path: the file.
        spec: its JSON description.
        tensors: its arrays, by name.
    """

    path: Path
    spec: Spec
    tensors: Tensors


def write_numbered(
    folder: PathLike,
    stem: str,
    number: int,
    kind: str,
    spec: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    keep: int = 2,
) -> Path:
    """Writes `folder/stem-00000042.ckpt` and then removes all but the last `keep`.

    Files with larger numbers are removed too: they belong to a run that this one does not continue, and `newest` would
    prefer them. Only one run at a time may use a stem.

    Args:
        folder: where the files are; it must exist.
        stem: the name that a run's files share.
        number: the number of the file, 0 or more, such as the step.
        kind: as for `serialisation.write`.
        spec: as for `serialisation.write`.
        tensors: as for `serialisation.write`.
        keep: how many to keep; with 2, one damaged file costs one interval of work, not all.

    Returns:
        The path of the file.

    Raises:
        ValueError: as for `serialisation.write`; or `number`, `keep` or `stem` is invalid.
        OSError: the system refuses; the earlier files are still there.
    """
    checks.whole(0, number=number)
    checks.whole(1, keep=keep)
    _check_stem(stem)
    path = Path(folder) / f"{stem}-{number:08d}.ckpt"
    serialisation.write(path, kind, spec, tensors)
    series = numbered(folder, stem)
    keepers = sorted(n for n in series if n <= number)[-keep:]
    for other, old in series.items():
        if other not in keepers:
            old.unlink(missing_ok=True)
    return path


def numbered(folder: PathLike, stem: str) -> dict[int, Path]:
    """The files that `write_numbered` wrote, by number in increasing order, damaged ones included.

    Raises:
        OSError: the system refuses to list the folder; a folder that does not exist has no files.
    """
    _check_stem(stem)
    pattern = re.compile(re.escape(stem) + r"-([0-9]{8,})\.ckpt")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return {}
    found = {int(match[1]): Path(folder) / match[0] for match in map(pattern.fullmatch, names) if match}
    return dict(sorted(found.items()))


def newest(folder: PathLike, stem: str, kind: str, *, allow_nonfinite: bool = False) -> Stored | None:
    """The newest undamaged file of a series, or None. Temporary files of a killed run are removed.

    A damaged file is skipped with a warning that names it. If all are damaged, that is an error, because starting over
    would delete them.

    Args:
        folder: where the files are.
        stem: the name that the run's files share.
        kind: as for `serialisation.read`.
        allow_nonfinite: as for `serialisation.read`.

    Raises:
        ValueError: there are files, but none could be read.
        OSError: the system refuses to list the folder or to read a file; a folder that does not exist has no files.
    """
    series = numbered(folder, stem)
    files.remove_temporaries(Path(folder), re.escape(stem) + r"-[0-9]+\.ckpt", older_than=0)
    for path in reversed(series.values()):
        try:
            return Stored(path, *serialisation.read(path, kind, allow_nonfinite=allow_nonfinite))
        except ValueError as error:
            warnings.warn(f"Skipped a damaged checkpoint: {error}", stacklevel=2)
            last = error
    if series:
        raise ValueError(
            f"None of the checkpoints in {folder} could be read; move them away to start over. The oldest: {last}"
        )
    return None


def _check_stem(stem: str) -> None:
    """Raises ValueError unless this is a valid start of a file name."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stem) or stem.startswith("."):
        raise ValueError(
            f"stem must be 1 to 100 letters, digits or characters of '_.-', not starting with '.', got {stem!r}."
        )
