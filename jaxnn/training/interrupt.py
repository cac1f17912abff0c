"""SIGINT and SIGTERM as a flag that is checked between compiled calls.

An exception inside a compiled loop would lose all its work. Instead, the first signal asks the run to end after the
current call; a second SIGINT raises KeyboardInterrupt as usual.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

UNTOUCHED = (signal.SIG_IGN, None)  # ignored, as in a script's background jobs, or handled outside Python


class Interrupt:
    """The name of the signal received, or None."""

    def __init__(self) -> None:
        self.received: str | None = None


@contextlib.contextmanager
def listening() -> Iterator[Interrupt]:
    """Catches the signals within the block and restores the previous handlers after it.

    A block within another shares its `Interrupt`, so a signal that comes between two runs ends the next one as well.
    Outside the main thread Python delivers no signals, and nothing is caught.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        outer = getattr(signal.getsignal(number), "interrupt", None)
        if isinstance(outer, Interrupt):
            yield outer
            return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if interrupt.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        interrupt.received = signal.Signals(number).name

    note.interrupt = interrupt  # type: ignore[attr-defined]  # by which a block within this one finds it
    caught = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) not in UNTOUCHED]
    former = {number: signal.signal(number, note) for number in caught}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
