"""Several trained networks that predict as one model.

Of M networks with raw outputs oₘ and weights wₘ ≥ 0, divided by their sum:

    classes     p̄ = Σ wₘ softmax(oₘ); the ensemble's raw outputs are log p̄, whose softmax is p̄
    numbers     ȳ = Σ wₘ yₘ, with yₘ in the target's own units; the raw output is (ȳ - mean) / scale of the ensemble's
                preprocessing
    counts      ȳ as for numbers; the raw output is log (ȳ / mean)
    otherwise   Σ wₘ oₘ

So whatever takes a `Model`'s raw outputs and its preprocessing takes an ensemble's. The members may have other sizes
and preprocessing of their own, such as one for each fold: a mean, a scale or a category may differ, the target not.

Reference: Lakshminarayanan, Pritzel & Blundell, Simple and scalable predictive uncertainty estimation using deep
ensembles (2017): the members' probabilities are averaged, not their outputs.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxnn import html
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems import PROBLEMS, Problem
from jaxnn.training import configuration, evaluation
from jaxnn.training.model import Model
from jaxnn.training.named_arrays import flatten
from jaxnn.types import Params
from jaxnn.wording import counted


class Ensemble(NamedTuple):
    """Several trained networks that predict as one model: the weighted mean of what each of them predicts.

    Attributes:
        models: one or more. All have the same problem and number of outputs; with preprocessing, also the same target
            and classes, without it the same number of inputs.
        weights: one number ≥ 0 for each model, divided by their sum where they are used, so counts such as those of
            `ensemble.greedy_selection` will do; None for equal ones. A model of weight 0 is not evaluated, and
            `training.save` leaves it out.
        preprocessing: reads the target and names the classes; its columns decide which tables are accepted and what is
            warned of. That of one model, or one fitted to all training rows; None if arrays are the inputs.
        about: notes, in JSON's types.
    """

    models: tuple[Model, ...]
    weights: Sequence[float] | np.ndarray | None = None
    preprocessing: Preprocessing | None = None
    about: Mapping[str, Any] = MappingProxyType({})

    @property
    def config(self) -> dict[str, Any]:
        """`problem`, `about`, and the configurations of the `models`; there are no `sizes` of the whole."""
        whole = checked(self)
        problem = None if whole.problem is None else whole.problem.name
        return {"problem": problem, "about": dict(self.about), "models": list(whole.configs)}

    @property
    def params(self) -> Params:
        """There are none: AttributeError, which says what to use."""
        raise AttributeError(
            f"An ensemble of {len(self.models)} networks has no parameters of its own: use those of one of its models,"
            " such as ensemble.models[0].params."
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the networks and their shares in the mean."""
        whole = checked(self)
        rows = [
            (k + 1, "-".join(map(str, config["sizes"])), f"{share:.4f}")
            for k, (config, share) in enumerate(zip(whole.configs, whole.shares.tolist(), strict=True))
        ]
        heading = f"Ensemble of {counted(len(rows), 'network')}"
        return html.page(heading, html.table(("network", "layers", "share"), rows))

    def predict(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """Predictions for the rows of a table; a UserWarning says what makes them doubtful (`preprocessing.remarks`).

        Args:
            table: as for `Model.predict`; every member's preprocessing must accept it.
            clip: clip numbers to the range of their column in training.
            fill_missing: accept missing values in columns that had none in training: use the mean, or no category.

        Returns:
            As for `Model.predict`: labels, numbers in the target's own units, class codes, or raw outputs.

        Raises:
            ValueError: the members do not fit together, the table does not match them, or outputs overflow.
        """
        problem = checked(self).problem
        handling = {"clip": clip, "fill_missing": fill_missing}
        outputs = self.outputs(table, **handling)
        evaluation.warn(self.preprocessing, table, handling)
        return outputs if problem is None else problem.predictions(self.preprocessing, outputs)

    def predict_probabilities(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """The probability of each class for the rows of a table: the weighted mean of the members'.

        Args:
            table: as for `predict`.
            clip: as for `predict`.
            fill_missing: as for `predict`.

        Returns:
            float64 of shape (n, number of classes), in the order of the class codes; rows sum to 1.

        Raises:
            ValueError: as for `predict`; or the ensemble does not predict classes.
        """
        problem = checked(self).problem
        if problem is None or problem.probabilities is None:
            raise ValueError("The ensemble does not predict classes, so it has no probabilities: use predict.")
        handling = {"clip": clip, "fill_missing": fill_missing}
        outputs = self.outputs(table, **handling)
        evaluation.warn(self.preprocessing, table, handling)
        return problem.probabilities(outputs)

    def outputs(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """The ensemble's raw outputs for the rows of a table, without warnings.

        Args:
            table: as for `predict`.
            clip: as for `predict`.
            fill_missing: as for `predict`.

        Returns:
            float64 of shape (n, n_out), finite; in which sense they are raw outputs, the page of the module says.

        Raises:
            ValueError: as for `predict`.
        """
        whole = checked(self)
        taken = np.flatnonzero(whole.shares).tolist()
        each = self._each(taken, whole, table, {"clip": clip, "fill_missing": fill_missing})
        parts = ((whole.shares[i], self.models[i].preprocessing, outputs) for i, outputs in each)
        mixture = PROBLEMS["numbers"].mixture if whole.problem is None else whole.problem.mixture
        mean = mixture(self.preprocessing, parts)
        evaluation.refuse_nonfinite(mean, "The outputs overflow", "the target's scale is too large")
        return mean

    def member_outputs(self, table: Any, *, clip: bool = False, fill_missing: bool = False) -> np.ndarray:
        """What each model says about the rows of a table, without warnings: for `jaxnn.ensemble`, such as its `spread`.

        Args:
            table: as for `predict`.
            clip: as for `predict`.
            fill_missing: as for `predict`.

        Returns:
            float64 of shape (members, n, n_out), in the order of `models`, those of weight 0 included: probabilities of
            classes, numbers in the target's own units, or raw outputs.

        Raises:
            ValueError: as for `predict`.
        """
        whole = checked(self)
        said: list[Any] = [None] * len(self.models)
        for i, outputs in self._each(range(len(said)), whole, table, {"clip": clip, "fill_missing": fill_missing}):
            averaged = PROBLEMS["numbers"].averaged if whole.problem is None else whole.problem.averaged
            said[i] = averaged(self.models[i].preprocessing, outputs)
        return np.stack(said)

    def _each(
        self, members: Iterable[int], whole: "Checked", table: Any, handling: Mapping[str, bool]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The number of each member and its raw outputs; a table is converted once by each different preprocessing."""
        groups: dict[Preprocessing | None, list[int]] = {self.preprocessing: []}  # it has to accept the table as well
        for i in members:
            groups.setdefault(self.models[i].preprocessing, []).append(i)
        for fitted, group in groups.items():
            x = evaluation.inputs_of(table, fitted, whole.configs[0]["sizes"][0], handling)
            for i in group:
                params, config = self.models[i].params, whole.configs[i]
                inputs = evaluation.in_dtype(x, params[0].w.dtype)
                names = configuration.activation_names(config)
                yield i, evaluation.outputs_of(params, inputs, config["sizes"], names)


class Checked(NamedTuple):
    """What follows from an ensemble whose parts fit together.

    Attributes:
        configs: the members' configurations, with all their keys.
        shares: the weights divided by their sum, float64 (members,).
        problem: the kind of problem, or None.
    """

    configs: tuple[dict[str, Any], ...]
    shares: np.ndarray
    problem: Problem | None


def checked(ensemble: Ensemble, *, finite: bool = False) -> Checked:
    """The checked parts of an ensemble.

    Args:
        ensemble: may be made of anything.
        finite: refuse parameters that are not finite.

    Raises:
        ValueError: there are no models, one is invalid, or they, the weights and the preprocessing do not fit together.
    """
    models, fitted = ensemble.models, ensemble.preprocessing
    if not isinstance(models, tuple | list) or not models:
        raise ValueError(f"models must be a tuple of one or more training.Model, got {type(models).__name__}.")
    shares = _shares(ensemble.weights, len(models))
    if not isinstance(ensemble.about, Mapping):
        raise ValueError(f"about must be a mapping, such as {{'seed': 0}}, got {type(ensemble.about).__name__}.")
    configs: list[dict[str, Any]] = []
    for i, model in enumerate(models):
        if not isinstance(model, Model):
            raise ValueError(f"models[{i}] must be a training.Model, got {type(model).__name__}.")
        try:
            config = configuration.checked(model.config, model.preprocessing)
            configuration.check_params(flatten(model.params), config, finite=finite)
            _check_target(model.preprocessing, fitted)
            if configs:
                _check_alike(config, configs[0], same_inputs=fitted is None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"models[{i}]: {error}") from None
        configs.append(config)
    problem = configs[0]["problem"]
    return Checked(tuple(configs), shares, None if problem is None else PROBLEMS[problem])


def _shares(given: Any, members: int) -> np.ndarray:
    """The weights divided by their sum, float64 (members,); ValueError if they are none."""
    try:
        weights = np.ones(members) if given is None else np.asarray(given, np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    if weights.shape == (members,) and (weights >= 0).all() and 0 < (total := _sum(weights)) < math.inf:
        return weights / total
    raise ValueError(f"weights must be {members} finite numbers ≥ 0, not all 0, got {repr(given)[:60]}.")


def _sum(weights: np.ndarray) -> float:
    """The sum, rounded once, so that it does not change if zeros are left out; infinite if it overflows."""
    try:
        return math.fsum(weights.tolist())
    except OverflowError:
        return math.inf


def _check_target(own: Preprocessing | None, fitted: Preprocessing | None) -> None:
    """Raises ValueError unless a member's preprocessing is for the ensemble's target and classes."""
    if own is None or fitted is None:
        if own is not fitted:
            raise ValueError(
                "It has preprocessing and the ensemble has none: give the ensemble that of one of its models."
                if fitted is None
                else "It has no preprocessing and the ensemble has: give every model its own, or the same."
            )
        return
    for what in ("problem", "target_name", "class_names"):
        its, wanted = getattr(own, what), getattr(fitted, what)
        if its != wanted:
            raise ValueError(
                f"The {what.replace('_', ' ')} of its preprocessing is {repr(its)[:60]}, that of the ensemble's"
                f" {repr(wanted)[:60]}: combine models of one target."
            )
    if own.target.classes != fitted.target.classes:
        raise ValueError("The classes of its preprocessing have other labels than the ensemble's, or another order.")


def _check_alike(config: Mapping[str, Any], first: Mapping[str, Any], *, same_inputs: bool) -> None:
    """Raises ValueError unless two networks answer the same question."""
    if config["problem"] != first["problem"]:
        raise ValueError(f"Its problem is {config['problem']!r}, that of models[0] {first['problem']!r}.")
    for what, end in (("inputs", 0), ("outputs", -1)) if same_inputs else (("outputs", -1),):
        if config["sizes"][end] != first["sizes"][end]:
            raise ValueError(f"It has {config['sizes'][end]} {what}, but models[0] has {first['sizes'][end]}.")
