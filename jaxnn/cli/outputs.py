"""Checks a command's output files before it starts, not after hours of training."""

import os
from collections.abc import Mapping
from typing import Any

WRITTEN = ("out", "plot", "history", "json", "trials")


def check(options: Any, *, reads: Mapping[str, str] | None = None) -> None:
    """Checks that every requested output can be written, and that none would overwrite an input.

    Args:
        options: the command's options; those in `WRITTEN` are checked, and `resume` where there is a `checkpoint`.
        reads: the files that the command reads, by the names of their arguments.

    Raises:
        ValueError: two outputs are the same file, an output is an input, a picture has an unknown format, the folder
            of checkpoints is a file, or it already has another run's checkpoints.
        OSError: an output cannot be written.
        ImportError: a picture was asked for, and matplotlib is not installed.
    """
    from jaxnn import checks, files
    from jaxnn.training import checkpoint, checkpoint_files

    given = {name: getattr(options, name) for name in WRITTEN if getattr(options, name, None) is not None}
    taken = {os.path.realpath(path): option for option, path in (reads or {}).items()}
    for name, path in given.items():
        option, real = f"--{name}", os.path.realpath(path)
        if real in taken:
            raise ValueError(f"{option} and {taken[real]} are the same file, {path!r}: choose another for {option}.")
        taken[real] = option
        files.check_writable(path)
    if "plot" in given:
        checks.require("matplotlib", extra="plot", purpose="for --plot")
        check_picture(given["plot"])
    if not hasattr(options, "checkpoint"):
        return
    folder, resume = options.checkpoint, getattr(options, "resume", False)
    if folder is None:
        if resume:
            raise ValueError("--resume needs the folder of the run to continue: add --checkpoint FOLDER.")
        return
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f"--checkpoint must be a folder, and {folder!r} is a file: give another name.")
    os.makedirs(folder, exist_ok=True)
    files.check_writable(os.path.join(folder, f"{checkpoint.STEM}-00000000.ckpt"))
    if not resume and checkpoint_files.numbered(folder, checkpoint.STEM):
        raise ValueError(
            f"--checkpoint {folder!r} already contains the checkpoints of a run: add --resume to continue it, or choose"
            " another folder."
        )


def check_picture(path: str) -> None:
    """Raises ValueError unless the suffix is that of a known picture format."""
    from jaxnn.plots.save import METADATA

    if os.path.splitext(path)[1].lower() not in METADATA:
        raise ValueError(f"--plot {path!r} has an unknown format: the name must end in {', '.join(METADATA)}.")


def missing_extra(extra: str, module: str) -> str | None:
    """What to install if the module is missing; None if it is there."""
    from jaxnn import checks

    try:
        checks.require(module, extra=extra, purpose=f"for --{extra}")
    except ImportError as error:
        return str(error)
    return None
