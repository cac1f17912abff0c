"""The command line: `jaxnn COMMAND`, where COMMAND is a key of `COMMANDS`.

Exit status:
    0           success
    1           training diverged before it completed one epoch, so no model was written; or a check of `jaxnn verify`
                failed
    2           invalid input; one line on standard error says what is wrong and what to do
    130, 143    ended by SIGINT or SIGTERM; the model trained until then is saved if --out or --checkpoint was given
    141         the reader of the output closed its end of the pipe

A shell starts background processes with SIGINT ignored; SIGTERM still ends them and keeps the model trained so far.

Results go to standard output, progress and errors to standard error. Nothing heavier than argparse is imported
before a command starts its work, so `--help` answers at once.
"""

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from jaxnn.cli import (
    curvature,
    demo,
    explain,
    export,
    importance,
    learning_rate,
    predict,
    show,
    sweep,
    train,
    tune,
    verify,
)
from jaxnn.cli.arguments import Parser, nearest
from jaxnn.version import __version__

COMMANDS = {
    "demo": demo,
    "learning-rate": learning_rate,
    "train": train,
    "sweep": sweep,
    "tune": tune,
    "predict": predict,
    "show": show,
    "export": export,
    "importance": importance,
    "verify": verify,
    "curvature": curvature,
    "explain": explain,
}
EXAMPLE = "example:\n  jaxnn train digits --out digits.safetensors\n  jaxnn predict digits.safetensors digits"
INVALID_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the arguments without the program's name; `sys.argv[1:]` if None.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show `×` is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    formatwarning = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"jaxnn: {message}\n"
    try:
        with _exit_on_signal():
            status = _run(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()  # here, where a closed pipe is handled below
            return status
    except KeyboardInterrupt:
        print("jaxnn: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except ModuleNotFoundError:  # a missing extra raises a plain ImportError, so this is a broken installation
        raise
    except (ValueError, TypeError, OSError, ImportError) as error:
        if os.environ.get("JAXNN_DEBUG"):
            raise  # for those who suspect the program rather than their input
        for line in getattr(error, "lines", (error,)):  # of the faults of a table, each has its own
            print(f"jaxnn: {_one_line(line)}", file=sys.stderr)
        return INVALID_INPUT
    finally:
        warnings.formatwarning = formatwarning


@contextlib.contextmanager
def _exit_on_signal() -> Iterator[None]:
    """Ends the process on SIGINT or SIGTERM, except while training handles them itself.

    A KeyboardInterrupt raised inside a callback from JAX's compiled code would be lost. Outside the main thread
    Python delivers no signals. A signal that was already ignored when the process started stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.getsignal(number) for number in handled}
    replaced = {number: each for number, each in former.items() if each not in (None, signal.SIG_IGN)}
    for number in replaced:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends the process at once, with the exit status of the signal."""
    del frame
    with contextlib.suppress(Exception):  # the signal may have arrived in the middle of a write
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"jaxnn: interrupted by {signal.Signals(number).name}.\n".encode())
    os._exit(128 + number)


def _run(argv: Sequence[str]) -> int:
    """Runs one command and returns its exit status."""
    try:
        arguments = parse(argv)
    except SystemExit as end:  # how argparse ends: 0 after --help, 2 after an error
        return int(end.code or 0)
    return arguments.run(arguments)


def parse(argv: Sequence[str]) -> Any:
    """Returns the arguments as a namespace whose `run` does the work; SystemExit after `--help` or an error."""
    parser = Parser(prog="jaxnn", description="Small networks, trained to the limit.", epilog=EXAMPLE)
    parser.add_argument("--version", action="version", version=f"jaxnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.DESCRIPTION, epilog=module.EXAMPLE)
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        parser.error(f"there is no command {argv[0]!r}.{nearest(argv[0], COMMANDS)} Known: {', '.join(COMMANDS)}.")
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        hint = nearest(unknown[0].partition("=")[0], arguments.parser.options())
        arguments.parser.error(f"unknown argument {unknown[0]!r}.{hint}")
    return arguments


def _one_line(error: Exception | str) -> str:
    """The error message on one line; the system's own errors keep their path and lose their number."""
    if isinstance(error, OSError) and error.strerror:
        what = error.strerror.rstrip(".")
        text = what if error.filename is None else f"{os.fsdecode(error.filename)!r}: {what}"
        text += "."
    else:
        text = str(error) or type(error).__name__
    return "".join(letter if letter.isprintable() else " " for letter in text)
