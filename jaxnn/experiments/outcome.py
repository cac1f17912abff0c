"""What a run gives: the trained model, how good it is, and all that led to it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxnn import conformal, training
from jaxnn.experiments.packs import Pack
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows
from jaxnn.experiments.scores import by_class
from jaxnn.experiments.sources import Source
from jaxnn.version import __version__

Scores = dict[str, dict[str, float]]  # part or model -> metric -> value


class Outcome(NamedTuple):
    """The result of a run.

    Attributes:
        source: the raw rows, and how their columns were read.
        rows: the rows as the network saw them: preprocessing, inputs, targets, weights, and the split.
        recipe: every choice, defaults filled in.
        seed: the seed of the split and of the training.
        fit: the result of `training.fit`: history, parameters, why training stopped.
        model: the network of the best epoch with its preprocessing, as `training.save` takes it.
        outputs: the model's raw outputs for all rows, (n, n_out); no rows if training did not complete one epoch.
        scores: the metrics of each part held out (of the training rows if there is none), computed by `model` from the
            raw rows; empty if training did not complete one epoch.
        baselines: the metrics of simple models on the last of these parts; empty if there was no comparison.
        interrupted: the signal that ended the run, "SIGINT" or "SIGTERM"; or None.
        pack: all members of an ensemble, and how often each was selected; None for a single network. `fit` is then that
            of the best member, and `model` the mean of those selected.
        best_member: the metrics of the best member alone, on the same parts as `scores`; empty for a single network.
        refit: the result of training once more on training and validation rows, whose parameters `model` then has; None
            if that was not asked for, or did not come to its end.
        first_training: the test metrics of the model before that.
    """

    source: Source
    rows: Rows
    recipe: Recipe
    seed: int
    fit: training.Fit
    model: training.Model | training.Ensemble
    outputs: np.ndarray
    scores: Scores
    baselines: Scores
    interrupted: str | None
    pack: Pack | None = None
    best_member: Mapping[str, dict[str, float]] = MappingProxyType({})
    refit: training.Fit | None = None
    first_training: Mapping[str, dict[str, float]] = MappingProxyType({})

    @property
    def learnt(self) -> bool:
        """Whether the network learnt anything: False if it diverged before completing one epoch."""
        return bool(len(self.fit.history.loss)) or self.fit.interrupted is not None

    @property
    def history(self) -> training.History:
        """The loss, metrics and times of each epoch."""
        return self.fit.history

    @property
    def stop(self) -> str:
        """Why training stopped, as a sentence."""
        return self.fit.stop

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done with the file, its rows and columns where it might surprise; warnings; notes from training."""
        found, rows = self.source, self.rows
        again = () if self.refit is None else self.refit.notes
        return (*found.remarks, *found.notes, *rows.preprocessing.notes, *rows.notes, *self.fit.notes, *again)

    @property
    def by_class(self) -> dict[str, dict[str, dict[str, float]]]:
        """For the last part held out, the recall, precision and rows of each class; empty for numbers."""
        return by_class(self.rows, self.outputs) if len(self.outputs) else {}

    @property
    def _conformal(self) -> dict[str, Any]:
        """What the test rows, which had no part in the training, say of intervals."""
        test, rows = self.rows.split.test, self.rows
        if not len(test) or not len(self.outputs):
            return {}
        found = conformal.calibration(rows.problem, rows.preprocessing, self.outputs[test], rows.y[test])
        return {"conformal": found.to_spec()}

    @property
    def about(self) -> dict[str, Any]:
        """How the network was trained and how good it is, in JSON's types, as stored in the model file."""
        choices = self.recipe._asdict()
        return {
            "jaxnn": __version__,
            "data": self.source.name,
            "rows": {name: len(part) for name, part in self.rows.split._asdict().items()},
            "seed": self.seed,
            **{name: value for name, value in choices.items() if name not in ("hidden", "activation")},
            "epochs": {
                "at_most": self.recipe.epochs,
                "done": len(self.fit.history.loss),
                "best": self.fit.best_epoch,
            },
            "stop": self.fit.stop,
            **({} if self.refit is None else {"refit": True}),
            **self._conformal,
            "metrics": {**self.scores, **self.best_member, **self.first_training},
            **({} if self.pack is None else {"ensemble": f"{(self.pack.counts > 0).sum()} of {len(self.pack.counts)}"}),
        }
