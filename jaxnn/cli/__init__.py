"""The command line: `jaxnn demo | train | predict | show | verify | curvature | explain`.

Exit status:
    0           it did what was asked
    1           the training learnt nothing: it diverged before one epoch was done, and no model is written; or a check
                of `jaxnn verify` failed
    2           the input is at fault; one line on standard error says how, and what to do
    130, 143    ended by SIGINT or SIGTERM; what was learnt until then is saved where saving was asked for
    141         whoever read the output has stopped reading

Started in the background, a process ignores SIGINT, as shells arrange; SIGTERM still ends it and keeps what was learnt.

Answers go to standard output, progress and complaints to standard error. Nothing heavier than argparse is imported
before a command starts its work, so that `--help` answers at once.
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

from jaxnn.cli import curvature, demo, explain, predict, show, train, verify
from jaxnn.cli.arguments import Parser, nearest
from jaxnn.version import __version__

COMMANDS = {
    "demo": demo,
    "train": train,
    "predict": predict,
    "show": show,
    "verify": verify,
    "curvature": curvature,
    "explain": explain,
}
EXAMPLE = "example:\n  jaxnn train digits --out digits.safetensors\n  jaxnn predict digits.safetensors digits"
INPUT_AT_FAULT, INTERRUPTED, NOBODY_READS = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the arguments without the program's name; those of the process if None.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show `×` is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    formatwarning = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"jaxnn: {message}\n"
    try:
        with _ending_at_a_signal():
            status = _run(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()  # here, where it is known what to do if nobody reads
            return status
    except KeyboardInterrupt:
        print("jaxnn: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except ModuleNotFoundError:  # a missing extra is told as an ImportError; this is a broken installation
        raise
    except (ValueError, TypeError, OSError, ImportError) as error:
        if os.environ.get("JAXNN_DEBUG"):
            raise  # for those who suspect the program rather than their input
        print(f"jaxnn: {_one_line(error)}", file=sys.stderr)
        return INPUT_AT_FAULT
    finally:
        warnings.formatwarning = formatwarning


@contextlib.contextmanager
def _ending_at_a_signal() -> Iterator[None]:
    """Ends the process at SIGINT or SIGTERM, except where a run of training listens for them itself.

    A KeyboardInterrupt would be lost wherever it falls into a callback from compiled code, as JAX has them. Outside
    the main thread Python delivers no signals; a signal that whoever started the process ignores stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.getsignal(number) for number in heard}
    heeded = {number: each for number, each in former.items() if each not in (None, signal.SIG_IGN)}
    for number in heeded:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends the process with the status of a signal, whatever it is doing."""
    del frame
    with contextlib.suppress(Exception):  # the signal may have come in the midst of writing
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"jaxnn: interrupted by {signal.Signals(number).name}.\n".encode())
    os._exit(128 + number)


def _run(argv: Sequence[str]) -> int:
    """Runs one command; the exit status of a run that came to its end."""
    try:
        arguments = parse(argv)
    except SystemExit as end:  # how argparse ends: 0 after --help, 2 after an error
        return int(end.code or 0)
    return arguments.run(arguments)


def parse(argv: Sequence[str]) -> Any:
    """The arguments as a namespace whose `run` does the work; SystemExit after `--help` or a complaint."""
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
        arguments.parser.error(f"{unknown[0]!r} is not understood.{hint}")
    return arguments


def _one_line(error: Exception) -> str:
    """An error for the person who meets it: the system's own are given with the path and without their number."""
    if isinstance(error, OSError) and error.strerror:
        what = error.strerror.rstrip(".")
        told = what if error.filename is None else f"{os.fsdecode(error.filename)!r}: {what}"
        told += "."
    else:
        told = str(error) or type(error).__name__
    return "".join(letter if letter.isprintable() else " " for letter in told)
