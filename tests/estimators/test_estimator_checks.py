"""scikit-learn's own checks of estimators, with estimators as they are made without arguments."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from jaxnn.estimators import MLPClassifier, MLPRegressor

# Cheap ones that refuse many estimators; releases before 1.6 have them as well.
BY_DEFAULT = (
    "*check_parameters_default_constructible*",
    "*check_no_attributes_set_in_init*",
    "MLPClassifier*check_classifiers_one_label*",
    "*check_fit2d_1sample*",
    "*check_complex_data*",
    "MLPClassifier*check_requires_y_none*",
)


OURS = parametrize_with_checks([MLPClassifier(), MLPRegressor()])  # of an iterator, in scikit-learn 1.5


@pytest.mark.by_default(*BY_DEFAULT)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")  # that the checks expect
@pytest.mark.parametrize(OURS.args[0], list(OURS.args[1]), **OURS.kwargs)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
