"""`MLPRegressor`: one number for each row, or several."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from jaxnn.estimators import objectives, targets
from jaxnn.estimators.base import BaseMLP
from jaxnn.estimators.targets import Targets


class MLPRegressor(RegressorMixin, BaseMLP):
    """A network that predicts a number, or for y of shape (n, k) k numbers.

    Below, None stands for the default of `jaxnn train`, which depends on the number of rows; "auto" does too.

    Args:
        hidden_layer_sizes: units of each hidden layer, (64, 64) or 100; () is a linear model.
        activation: a name in `activations.TABLE` or scikit-learn's, one or one for each hidden layer.
        optimiser: a name in `optimisers.TABLE` or `METHODS`, that of a preset such as "torch.RMSprop", or an object.
        learning_rate_init: > 0.
        schedule: a name in `schedules.TABLE`, spread over `max_iter` epochs.
        max_iter: the most epochs.
        batch_size: rows per step.
        alpha: scikit-learn's L2 penalty, ≥ 0; with it, there is no weight decay by default.
        weight_decay: ≥ 0, as the optimiser defines it.
        dropout: fraction of hidden units dropped, in [0, 1).
        loss: a name in `losses.TABLE`, or a function (outputs, targets) -> (batch,).
        early_stopping: whether rows are held out, by whose loss the best epoch is chosen. None: from 50 rows on.
        validation_fraction: the fraction of rows held out, in (0, 1).
        n_iter_no_change: epochs without improvement after which training stops.
        tol: how much better a loss must be to be an improvement, ≥ 0.
        ensemble: how many networks to train, of which the good ones are averaged, as `jaxnn train --ensemble`.
        scale_inputs: whether numbers are standardised.
        scale_targets: whether targets are standardised for training; predictions are in their own units either way.
        warm_start: whether `fit` goes on from the parameters of the last.
        random_state: a whole number is the seed, of `jaxnn train` too; a RandomState draws one.
        dtype: of the parameters in training: "float32" or "float64". None is float32 from 50 rows on, else float64.
        verbose: whether to print progress on standard error.

    Attributes:
        networks_: the parameters of each network that is averaged; one, unless `ensemble` is given.
        coefs_, intercepts_: of the only network.
        model_: with its preprocessing, for `training.save`.
        preprocessing_: how columns are read.
        recipe_: every choice, defaults filled in.
        n_iter_, loss_curve_, loss_, best_loss_: epochs; J of each, in scikit-learn's units; the last; the least.
        validation_loss_curve_, best_validation_loss_: the loss of the rows held out, or None.
        stop_, notes_: why training ended, and what was decided about columns.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        *,
        optimiser: Any = None,
        learning_rate_init: Any = None,
        schedule: Any = None,
        max_iter: Any = None,
        batch_size: Any = None,
        alpha: Any = None,
        weight_decay: Any = None,
        dropout: Any = None,
        loss: Any = None,
        early_stopping: Any = None,
        validation_fraction: Any = 0.2,
        n_iter_no_change: Any = None,
        tol: Any = 0.0,
        ensemble: Any = None,
        scale_inputs: Any = True,
        scale_targets: Any = True,
        warm_start: Any = False,
        random_state: Any = None,
        dtype: Any = None,
        verbose: Any = False,
    ) -> None:
        # scikit-learn wants nothing checked here, but in `fit`, so even a wrong type is taken.
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimiser = optimiser
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.alpha = alpha
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.loss = loss
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.ensemble = ensemble
        self.scale_inputs = scale_inputs
        self.scale_targets = scale_targets
        self.warm_start = warm_start
        self.random_state = random_state
        self.dtype = dtype
        self.verbose = verbose

    def predict(self, X: Any) -> np.ndarray:
        """Numbers in the targets' own units, (n,) or (n, k); expected counts with the loss "poisson".

        Args:
            X: as for `fit`, with the same columns.

        Raises:
            ValueError: the columns are others, or there was no `fit`.
        """
        averaged = self._averaged(X)
        return self.targets_.predictions(averaged)

    def _checked_targets(self, y: Any) -> np.ndarray:
        return targets.numbers_of(y, type(self).__name__)

    def _learn_targets(self, y: np.ndarray, weight: np.ndarray | None) -> Targets:
        counts = objectives.name_of(objectives.loss_of(self.loss, "numbers")) == "poisson"
        return targets.fitted_numbers(y, weight, scale=bool(self.scale_targets), counts=counts)

    def __sklearn_tags__(self) -> Any:
        """Several numbers are accepted."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """The same for scikit-learn 1.5."""
        return {"multioutput": True}
