"""scikit-learn's own checks, on every target type's network that a user may leave to us."""

import keras
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, output_layer

SAMPLE_WEIGHT_CHECKS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


class SmallNetwork:
    """A builder whose name is the same in each process, as names of tests must be."""

    def __call__(self, meta, compile_kwargs):
        model = keras.Sequential([keras.Input((meta["n_features_in_"],)), output_layer(meta)])
        model.compile(**{**compile_kwargs, "optimizer": keras.optimizers.Adam(0.1)})
        return model

    def __repr__(self):
        return "SmallNetwork()"


def expected_failures(estimator):
    """Return what scikit-learn itself expects of its stochastic classifiers, and nothing else.

    The check compares float64 digits of two trainings whose batches differ. What it means to
    find out is tested in test_classifier.py: zero weights, integer weights at full batch.
    """
    return dict.fromkeys(SAMPLE_WEIGHT_CHECKS, "batches are drawn at random, in float32")


@parametrize_with_checks(
    [
        BalancedKerasClassifier(SmallNetwork(), epochs=5, batch_size=16),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# These know the rows that they were fitted on, so that any threshold between 0 and 1 repeats their
# own answers. Others cannot pass check_classifiers_train, which wants predict to be the argmax of
# predict_proba: that is what tuning changes. scikit-learn excuses its TunedThresholdClassifierCV
# from the same check.
@pytest.mark.filterwarnings("ignore:Only .* rows of:UserWarning")
@parametrize_with_checks(
    [
        ThresholdOptimizerCV(KNeighborsClassifier(1), cv=2),
        ThresholdOptimizerCV(DecisionTreeClassifier(random_state=0), cv=2),
    ]
)
def test_scikit_learns_checks_of_tuned_classifiers(estimator, check):
    check(estimator)
