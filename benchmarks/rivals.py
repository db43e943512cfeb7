"""Who the library's default network is compared with: trees, and other networks.

None is tuned for a set. Trees come twice where they read tables: with the matrix that all may read,
and with the table itself ("native"). Networks read the matrix, standardised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from real_data import Split
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from sk_imbalance_nn import BalancedKerasClassifier, output_layer

# ------------------------------------------------------------------------------------------
# What they read


def matrix(split: Split) -> tuple[Any, Any]:
    """Return the matrices."""
    return split.matrices


def raw(split: Split) -> tuple[Any, Any]:
    """Return the tables as they are."""
    return split.X_train, split.X_test


def categories(split: Split) -> tuple[Any, Any]:
    """Return the tables with pandas' categories."""
    return split.with_categories


def few_categories(split: Split) -> tuple[Any, Any]:
    """Return the tables with at most 255 levels a column, which is all that HGB takes."""
    return split.with_few_categories


# ------------------------------------------------------------------------------------------
# Trees


def forest(seed: int) -> Any:
    """Make a random forest."""
    return RandomForestClassifier(300, random_state=seed, n_jobs=1)


def lightgbm(seed: int) -> Any:
    """Make LightGBM's boosted trees."""
    from lightgbm import LGBMClassifier  # not everybody has it

    return LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1)


def boosting(seed: int) -> Any:
    """Make scikit-learn's boosted trees."""
    return HistGradientBoostingClassifier(random_state=seed)


# ------------------------------------------------------------------------------------------
# Networks


def mlp(seed: int) -> Any:
    """Make scikit-learn's network."""
    return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))


def small(meta: dict[str, Any]) -> keras.Model:
    """Build the network of TensorFlow's tutorial."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(16, activation="relu")(inputs)
    hidden = keras.layers.Dropout(0.5)(hidden)
    return keras.Model(inputs, output_layer(meta)(hidden))


def wide(meta: dict[str, Any]) -> keras.Model:
    """Build three layers of 256 units."""
    hidden = inputs = keras.Input((meta["n_features_in_"],))
    for _ in range(3):
        hidden = keras.layers.Dense(256, activation="relu")(hidden)
    return keras.Model(inputs, output_layer(meta)(hidden))


def _clipped(X: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(X, -5.0, 5.0)


def _plain(build: Callable[..., keras.Model], seed: int, **params: Any) -> Any:
    """Train a network as Keras would: no weights for classes, the epoch that validates best."""
    return BalancedKerasClassifier(
        build,
        optimizer=keras.optimizers.Adam(1e-3),
        class_weight=None,
        early_stopping=True,
        n_iter_no_change=10,
        epochs=100,
        random_state=seed,
        **params,
    )


def tutorial(seed: int) -> Any:
    """Make the network of TensorFlow's tutorial on imbalanced data, trained as it is there.

    https://www.tensorflow.org/tutorials/structured_data/imbalanced_data: features standardised and
    clipped to +-5, bias of the last layer from the prior, batches of 2,048 rows, and the epoch
    with the best area under the precision-recall curve of a fifth of the rows (here their average
    precision).
    """
    network = _plain(small, seed, batch_size=2048, validation_split=0.2)
    return make_pipeline(StandardScaler(), FunctionTransformer(_clipped), network)


def three_wide(seed: int) -> Any:
    """Make a plain network of three layers, which stops early by a tenth of the rows."""
    network = _plain(wide, seed, batch_size=256, validation_split=0.1)
    return make_pipeline(StandardScaler(), network)


# ------------------------------------------------------------------------------------------
# All


@dataclass(frozen=True)
class Rival:
    """Somebody to compare with.

    Parameters
    ----------
    contestant : str
        What it is called.
    preparation : {"matrix", "native"}
        In which form it reads a set.
    make : callable
        Makes the classifier, given a seed.
    reads : callable
        Makes of a split what it reads for training and for testing.
    library : str
        The package whose version its results hold for.
    params : dict or None
        What tells it apart from others of its tag; None for any.
    """

    contestant: str
    preparation: str
    make: Callable[[int], Any]
    reads: Callable[[Split], tuple[Any, Any]]
    library: str
    params: dict[str, Any] | None = field(default_factory=dict)

    @property
    def available(self) -> bool:
        """Whether its library is installed."""
        return find_spec(self.library.replace("scikit-learn", "sklearn")) is not None

    @property
    def tag(self) -> str:
        """What its results are kept under."""
        return f"{self.library} {version(self.library)}"


FOREST, LIGHTGBM, HGB = "forest", "lightgbm", "hgb"
RIVALS = {
    FOREST: Rival(FOREST, "matrix", forest, matrix, "scikit-learn"),
    LIGHTGBM: Rival(LIGHTGBM, "matrix", lightgbm, matrix, "lightgbm"),
    HGB: Rival(HGB, "matrix", boosting, matrix, "scikit-learn"),
    "lightgbm-native": Rival(LIGHTGBM, "native", lightgbm, categories, "lightgbm"),
    "hgb-native": Rival(HGB, "native", boosting, few_categories, "scikit-learn"),
    "mlp": Rival("mlp", "matrix", mlp, matrix, "scikit-learn"),
    "tutorial": Rival("tutorial", "matrix", tutorial, matrix, "keras"),
    "3x256": Rival("3x256", "matrix", three_wide, matrix, "keras"),
}


def limit_threads(threads: int) -> None:
    """Give everybody so many threads, for the rest of the process; before TensorFlow's first use.

    Parameters
    ----------
    threads : int
        Of NumPy, of OpenMP, and of TensorFlow.
    """
    threadpool_limits(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
