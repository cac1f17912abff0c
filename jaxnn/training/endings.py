"""Why a run of `fit` ended: a word for programs and a sentence for people."""

from typing import Any, NamedTuple

SENTENCES = {
    "epochs": "all {count} done",
    "patience": "no improvement for {patience} epochs: the best was epoch {best_epoch} of {epochs}",
    "hook": "a hook ended the run after {count}",
    "interrupted": "interrupted by {signal} after {count}",
    "not_finite_at_start": (
        "{fault} on the first batch of epoch 1, before any step, so the learning rate is not the cause. {remedy}"
    ),
    "diverged": (
        "{fault} in epoch {failed} even at {slowdown:g} times the learning rate, after {halvings} halvings; the "
        "parameters are those of epoch {epochs}. {remedy}"
    ),
}


class Ending(NamedTuple):
    """Why a run ended; `str` of it is the sentence."""

    reason: str  # a key of SENTENCES
    facts: dict[str, Any]  # what the sentence names

    def __str__(self) -> str:
        epochs = self.facts.get("epochs")
        return SENTENCES[self.reason].format(**self.facts, count=f"{epochs} epoch{'' if epochs == 1 else 's'}")


def ending(reason: str, **facts: Any) -> Ending:
    """The ending for this reason."""
    return Ending(reason, facts)
