"""What both estimators share: `fit`, `partial_fit`, the outputs, and the attributes that tell what was learnt."""

import warnings
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from jaxnn import training
from jaxnn.estimators import partial, rows, tables, weights
from jaxnn.estimators.learning import Learnt, learn
from jaxnn.estimators.names import choices
from jaxnn.estimators.rows import Before, Given, Task
from jaxnn.estimators.targets import Targets


class BaseMLP(BaseEstimator):
    """A network with scikit-learn's interface. Subclasses say what targets are."""

    def _checked_targets(self, y: Any) -> np.ndarray:
        """y, checked."""
        raise NotImplementedError

    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> Targets:
        """What the training rows' targets say."""
        raise NotImplementedError

    def _weighted(self, weight: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
        """The weights of rows, with those of their classes."""
        return weight

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """The classes whose rows are shared out evenly between training and validation."""
        return None

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Any:
        """Trains anew, or with `warm_start` from the parameters of before.

        Args:
            X: an array (n, columns) of numbers, NaN where missing; or a DataFrame of pandas, polars or Arrow.
            y: the targets: (n,), or (n, k) for several numbers or labels.
            sample_weight: (n,) ≥ 0; a row of weight 0 is left out.
            validation_data: (X, y) or (X, y, sample_weight), by which the best epoch is chosen, instead of rows of X.

        Raises:
            ValueError: shapes, values, names or parameters are not valid, or training diverged.
            TypeError: X is sparse, or something has another type.
        """
        before = self._before() if self.warm_start else None
        choice = choices(self)
        given = self._given(X, y, sample_weight, reset=before is None)
        if len(given.y) < 2:
            raise ValueError(f"fit needs at least 2 rows of weight > 0, got {len(given.y)} (n_samples={len(y)}).")
        held = None if validation_data is None else self._held(validation_data)
        seed, dtype = rows.seed_of(self.random_state), rows.precision(self, given)
        if held is None:
            part = rows.split(self, given, seed=seed, stratify=self._strata(given.y))
        else:
            part = rows.all_train(len(given.y))
        with jax.enable_x64(dtype == "float64"):
            learn_targets = self._learn_targets
            task = rows.task(
                self, choice, given, part, seed=seed, dtype=dtype, learn_targets=learn_targets, held=held, before=before
            )
            self._keep(task, learn(task))
        return self

    def _given(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Given:
        """The rows of weight > 0, checked."""
        x = tables.checked(self, X, reset=reset)
        targets = self._checked_targets(y)
        check_consistent_length(x, targets)
        weight = weights.of_rows(sample_weight, len(targets))
        weight = self._weighted(weight, targets)
        if weight is None or (weight > 0).all():
            return Given(x, targets, weight)
        kept = np.flatnonzero(weight)
        return Given(tables.taken(x, kept), targets[kept], weight[kept])

    def _held(self, validation_data: Any) -> Given:
        """The caller's validation rows."""
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise ValueError(
                f"validation_data must be (X, y) or (X, y, sample_weight), got {type(validation_data).__name__}."
            )
        X, y, *weight = validation_data
        return self._given(X, y, weight[0] if weight else None, reset=False)

    def _before(self) -> Before | None:
        """What training goes on from, if there was any."""
        if not self.__sklearn_is_fitted__():
            return None
        return Before(self.preprocessing_, self.targets_, self.recipe_, self.networks_)

    def _keep(self, task: Task, learnt: Learnt) -> None:
        """Sets the attributes that tell what was learnt."""
        history, unit = learnt.fit.history, task.unit
        self.preprocessing_, self.targets_, self.recipe_ = task.rows.preprocessing, task.targets, learnt.recipe
        self._optimiser_state, self._epoch, self._optimiser_spec = None, len(history.loss), learnt.optimiser
        self._set_networks(learnt.networks)
        self.n_iter_ = len(history.loss)
        self.loss_curve_ = (history.loss / unit).tolist()
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = min(self.loss_curve_)
        self.validation_loss_curve_ = (
            None if history.validation_loss is None else (history.validation_loss / unit).tolist()
        )
        self.best_validation_loss_ = None if history.validation_loss is None else learnt.fit.best_score / unit
        self.stop_, self.notes_ = learnt.fit.stop, (*self.preprocessing_.notes, *learnt.fit.notes)
        if learnt.fit.reason in ("diverged", "not_finite_at_start"):
            warnings.warn(f"Training diverged: {learnt.fit.stop}", ConvergenceWarning, stacklevel=3)
        if learnt.fit.interrupted is not None:
            warnings.warn(f"Training was ended early: {learnt.fit.stop}.", UserWarning, stacklevel=3)

    def _set_networks(self, networks: list[Any]) -> None:
        """Sets the parameters and what follows from them."""
        self.networks_ = networks
        self.n_layers_ = len(networks[0]) + 1
        self.n_outputs_ = self.targets_.outputs
        self.out_activation_ = self.targets_.out_activation
        if self.targets_.classes is not None:
            self.classes_ = self.targets_.classes

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (n_in, n_out), as in scikit-learn: of the inputs after preprocessing.

        AttributeError for an ensemble, whose `networks_` each have their own.
        """
        return [np.asarray(layer.w) for layer in self._only_network()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, (n_out,); AttributeError for an ensemble."""
        return [np.asarray(layer.b) for layer in self._only_network()]

    def _only_network(self) -> Any:
        networks = self.__dict__.get("networks_", ())
        if len(networks) != 1:
            raise AttributeError(
                f"There are the parameters of {len(networks)} networks: they are in `networks_`, once fit has ended."
            )
        return networks[0]

    @property
    def model_(self) -> training.Model | training.Ensemble:
        """The networks with their preprocessing, for `training.save` and all of jaxnn.

        AttributeError before `fit`, and for targets that a model has no word for: labels, several numbers.
        """
        check_is_fitted(self)
        if self.targets_.stored is None:
            raise AttributeError(
                "A saved model predicts one class or one number for each row, not several: use `networks_` and"
                " `preprocessing_`."
            )
        more = {"problem": self.targets_.stored.problem} | (
            {} if self._optimiser_spec is None else {"optimiser": self._optimiser_spec}
        )
        # A file of float64 can only be loaded where JAX has it, so there it is written only if it was asked for.
        dtype = self.dtype if self.dtype == "float64" else "float32"
        used = tables.used_inputs(self.preprocessing_, len(self.networks_[0][0].w))
        each = [(layer._replace(w=layer.w[used]), *rest) for layer, *rest in self.networks_]
        models = tuple(
            training.Model(as_type(params, dtype), {**self._config(params), **more}, self.preprocessing_)
            for params in each
        )
        return models[0] if len(models) == 1 else training.Ensemble(models, None, self.preprocessing_)

    def _config(self, params: Any) -> dict[str, Any]:
        """How to compute with the parameters."""
        sizes = [params[0].w.shape[0], *(layer.w.shape[1] for layer in params)]
        return {"sizes": sizes, "activation": list(self.recipe_.activations)}

    def _averaged(self, X: Any) -> np.ndarray:
        """Probabilities or numbers for the rows of X, (n, k): the mean over the networks.

        Computed in float64, except for an X of float32, so the prediction of a row does not depend on other rows.
        """
        check_is_fitted(self)
        before = self._before()
        assert before is not None
        x = tables.checked(self, X, reset=False)
        tables.warn_of(self.preprocessing_, x)
        dtype = "float32" if getattr(x, "dtype", None) == np.float32 else "float64"
        z = tables.network_inputs(self.preprocessing_, x, pad=before.padded).astype(dtype, copy=False)
        with jax.enable_x64(dtype == "float64"):
            each = [self._outputs(params, z) for params in self.networks_]
        mean = np.mean([self.targets_.averaged(outputs) for outputs in each], axis=0)
        return mean.astype(dtype, copy=False)

    def _outputs(self, params: Any, z: np.ndarray) -> np.ndarray:
        """The raw outputs of one network for its inputs."""
        return training.Model(as_type(params, z.dtype), self._config(params)).outputs(z)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Trains for one epoch over these rows, going on from before, the state of the optimiser included.

        The first call decides how columns and targets are read: let it have rows of every kind.

        Args:
            X: as for `fit`.
            y: as for `fit`.
            sample_weight: as for `fit`.

        Raises:
            ValueError: as for `fit`; or a parameter is for whole runs only.
        """
        return self._partial_fit(X, y, sample_weight, self._learn_targets)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, learn_targets: Any) -> Any:
        """`partial_fit`, where targets may be known beforehand."""
        choice = choices(self)
        partial.refuse_what_needs_runs(self, choice)
        before = self._before()
        given = self._given(X, y, sample_weight, reset=before is None)
        seed, dtype = rows.seed_of(self.random_state), rows.precision(self, given)
        if before is None and len(given.y) < 2:
            raise ValueError(
                "The first call of partial_fit got 1 row, which says nothing of how much columns vary: give it more"
                " rows; later calls may have one."
            )
        if before is None:
            self._optimiser_state, self._epoch, self._optimiser_spec = None, 0, None
            self.n_iter_, self.loss_curve_ = 0, []
        else:
            dtype = str(before.networks[0][0].w.dtype)
        part = rows.all_train(len(given.y))
        with jax.enable_x64(dtype == "float64"):
            task = rows.task(
                self, choice, given, part, seed=seed, dtype=dtype, learn_targets=learn_targets, before=before
            )
            went = partial.epoch_of(task, epoch=self._epoch, state=self._optimiser_state)
        if before is None:
            self.preprocessing_, self.targets_, self.recipe_ = task.rows.preprocessing, task.targets, went.recipe
        self._set_networks([went.params])
        self._optimiser_state, self._epoch = went.state, self._epoch + 1
        self.n_iter_ += 1
        self.loss_curve_.append(went.loss)
        self.loss_, self.best_loss_ = went.loss, min(self.loss_curve_)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are parameters, which a `fit` that failed leaves none of."""
        return "networks_" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        """Missing values are accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """The same for scikit-learn 1.5."""
        return {"allow_nan": True}


def as_type(params: Any, dtype: Any) -> Any:
    """The parameters in another precision."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype), params)
