"""scikit-learn's own checks, on every target type's network that a user may leave to us."""

import keras
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_imbalance_nn import BalancedKerasClassifier, output_layer

SAMPLE_WEIGHT_CHECKS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def small_network(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(16, activation="relu"),
            output_layer(meta),
        ]
    )


def expected_failures(estimator):
    """Return what scikit-learn itself expects of its stochastic classifiers, and nothing else.

    The check compares float64 digits of two trainings whose batches differ. What it means to
    find out is tested in test_classifier.py: zero weights, integer weights at full batch.
    """
    return dict.fromkeys(SAMPLE_WEIGHT_CHECKS, "batches are drawn at random, in float32")


@parametrize_with_checks(
    [
        BalancedKerasClassifier(
            small_network, optimizer=keras.optimizers.Adam(0.03), epochs=10, batch_size=16
        ),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
