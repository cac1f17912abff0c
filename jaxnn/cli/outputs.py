"""What a command writes: refused before hours of training if it could not be written afterwards."""

import os
from collections.abc import Mapping
from typing import Any

WRITTEN = ("out", "plot", "history", "json")


def check(options: Any, *, reads: Mapping[str, str] | None = None) -> None:
    """Sees that every output that was asked for can be written, and that none would destroy the input.

    Args:
        options: with those of `out`, `plot`, `history`, `json`, `checkpoint` and `resume` that the command has.
        reads: the files that the command reads, by the names of their arguments.

    Raises:
        ValueError: two outputs are one file, an output is an input, a picture has an unknown format, the folder of
            checkpoints is a file, or a run's checkpoints would be mixed with another's.
        OSError: an output cannot be written.
        ImportError: a picture was asked for, and matplotlib is not installed.
    """
    from jaxnn import checks, files
    from jaxnn.training import checkpoint, checkpoint_files

    given = {name: getattr(options, name) for name in WRITTEN if getattr(options, name, None) is not None}
    taken = {os.path.realpath(path): word for word, path in (reads or {}).items()}
    for name, path in given.items():
        word, real = f"--{name}", os.path.realpath(path)
        if real in taken:
            raise ValueError(f"{word} and {taken[real]} are the same file, {path!r}: choose another for {word}.")
        taken[real] = word
        files.check_writable(path)
    if "plot" in given:
        checks.require("matplotlib", extra="plot", purpose="for --plot")
        check_picture(given["plot"])
    folder = getattr(options, "checkpoint", None)
    if folder is None:
        if getattr(options, "resume", False):
            raise ValueError("--resume needs the folder of the run to go on with: add --checkpoint FOLDER.")
        return
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f"--checkpoint {folder!r} is a file: name a folder.")
    os.makedirs(folder, exist_ok=True)
    files.check_writable(os.path.join(folder, f"{checkpoint.STEM}-00000000.ckpt"))
    if not options.resume and checkpoint_files.numbered(folder, checkpoint.STEM):
        raise ValueError(
            f"{folder!r} already holds checkpoints of a run: add --resume to go on with it, or name another folder."
        )


def check_picture(path: str) -> None:
    """Raises ValueError unless the suffix is a picture's."""
    from jaxnn.plots.save import METADATA

    if os.path.splitext(path)[1].lower() not in METADATA:
        raise ValueError(f"--plot {path!r}: the name of a picture ends in {', '.join(METADATA)}.")


def missing_extra(extra: str, module: str) -> str | None:
    """What to install for pictures and the like, if it is missing."""
    from jaxnn import checks

    try:
        checks.require(module, extra=extra, purpose=f"for --{extra}")
    except ImportError as error:
        return str(error)
    return None
