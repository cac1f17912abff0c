"""Progress of a run: a bar on a terminal, a line every few seconds elsewhere, nothing on request."""

import importlib.util
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

PLAIN_SECONDS = 2.0  # the least time between lines


@runtime_checkable
class Progress(Protocol):
    """Displays how far a run is."""

    def show(self, epoch: int, values: Mapping[str, float]) -> None:
        """Shows that `epoch` epochs are finished, and the values of the latest."""

    def say(self, sentence: str) -> None:
        """Shows a note that the reader should see."""

    def close(self) -> None:
        """Ends the display with the run."""


class Silent:
    """Shows nothing."""

    def show(self, epoch: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def say(self, sentence: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Plain:
    """A line every few seconds, and one for the last epoch: for logs and pipes."""

    def __init__(self, epochs: int, stream: Any) -> None:
        self.epochs, self.stream = epochs, stream
        self.last_time = -PLAIN_SECONDS
        self.pending: str | None = None

    def show(self, epoch: int, values: Mapping[str, float]) -> None:
        """Prints a line if the last one was long enough ago; otherwise keeps it pending."""
        self.pending = f"epoch {epoch}/{self.epochs}  {describe(values)}"
        if time.monotonic() - self.last_time >= PLAIN_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Prints the pending line."""
        if self.pending is not None:
            print(self.pending, file=self.stream, flush=True)
            self.last_time, self.pending = time.monotonic(), None

    def say(self, sentence: str) -> None:
        """Prints the pending line, then the sentence."""
        self.flush()
        print(sentence, file=self.stream, flush=True)

    def close(self) -> None:
        """Prints the pending line."""
        self.flush()


class Bar:
    """tqdm's bar."""

    def __init__(self, epochs: int, stream: Any) -> None:
        import tqdm

        self.bar: Any = tqdm.tqdm(total=epochs, unit="epoch", file=stream, dynamic_ncols=True, leave=True)

    def show(self, epoch: int, values: Mapping[str, float]) -> None:
        """Moves the bar."""
        self.bar.set_postfix_str(describe(values), refresh=False)
        self.bar.update(epoch - self.bar.n)

    def say(self, sentence: str) -> None:
        """Prints above the bar."""
        self.bar.write(sentence, file=self.bar.fp)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self.bar.close()


def line(text: str) -> None:
    """Prints a line on standard error, for runs that are counted in something else than epochs."""
    print(text, file=sys.stderr, flush=True)


def reporter(wanted: bool, epochs: int) -> Progress:
    """A bar if standard error is a terminal and tqdm is installed, otherwise plain lines."""
    if not wanted:
        return Silent()
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None:
        return Bar(epochs, sys.stderr)
    return Plain(epochs, sys.stderr)


def describe(values: Mapping[str, float]) -> str:
    """`loss 0.1234  validation loss 0.2345  accuracy 0.9778`: the values that a reader follows."""
    hidden = {"gradient_norm", "learning_rate"}
    return "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items() if name not in hidden)
