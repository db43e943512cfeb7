"""What several test files need to train quickly and to compare networks."""

import numpy as np

# Half the time, for tests in which the epochs themselves play no part.
EAGER = {"run_eagerly": True, "batch_size": -1}


def weights_of(fitted):
    return np.concatenate([weight.ravel() for weight in fitted.model_.get_weights()])


def assert_same_network(one, other):
    np.testing.assert_array_equal(weights_of(one), weights_of(other))
