"""Two sigmoid units for two classes: rows that are both, rows that are neither.

The failure: ``Dense(2, activation="sigmoid")`` with binary cross-entropy on one-hot labels. Keras
trains it. But the two units are two answers that know nothing of each other: a row's probabilities
do not sum to one, and a row may be called both classes or neither. Inputs that are not scaled (here
from thousandths to thousands) make it worse.

The cure: ``BalancedKerasClassifier`` refuses such a network and says which line to change;
``output_layer`` chooses the last layer; a ``StandardScaler`` stands before it in a Pipeline, where
cross-validation fits it anew on each fold.

The data are scikit-learn's breast cancer data, with most of the malignant rows left out.

    python examples/two_sigmoids.py
    python examples/two_sigmoids.py --fast     # fewer folds and epochs
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from console import print_table, quiet_start
from imblearn.datasets import make_imbalance
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, f1_score, log_loss, recall_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

with quiet_start():
    import keras

    from sk_imbalance_nn import BalancedKerasClassifier, output_layer

N_MALIGNANT = 40
BATCH_SIZE = 32
SEED = 0
RAW, SCALED, CORRECTED = "unscaled", "scaled", "scaled, correct_prior=True"

Rows = tuple[NDArray[Any], NDArray[Any]]


def rare_malignant() -> Rows:
    """Return 30 measurements a row, and which rows are malignant; most of those are dropped."""
    X, benign = load_breast_cancer(return_X_y=True)
    malignant = 1 - benign
    counts = {0: int((malignant == 0).sum()), 1: N_MALIGNANT}
    return make_imbalance(X, malignant, sampling_strategy=counts, random_state=SEED)


def two_sigmoids(meta: Mapping[str, Any]) -> keras.Model:
    """Build the network with the mistake."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(2, activation="sigmoid"),
        ]
    )


def cured(meta: Mapping[str, Any]) -> keras.Model:
    """Build the same network, but for the last layer."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(16, activation="relu"),
            output_layer(meta),
        ]
    )


def plain_keras(X: NDArray[Any], y: NDArray[Any], X_new: NDArray[Any], epochs: int) -> Any:
    """Train the network with the mistake, and return its two answers for new rows."""
    keras.utils.set_random_seed(SEED)
    model = two_sigmoids({"n_features_in_": X.shape[1]})
    model.compile("adam", "binary_crossentropy")
    model.fit(X, keras.utils.to_categorical(y), batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return np.asarray(model(X_new, training=False))


def answers_of_keras(
    X: NDArray[Any], y: NDArray[Any], folds: StratifiedKFold, epochs: int, scale: bool
) -> NDArray[Any]:
    """Return two answers for each row, by a network that has not seen it."""
    answers = np.empty((len(y), 2))
    for seen, new in folds.split(X, y):
        X_seen, X_new = X[seen], X[new]
        if scale:
            scaler = StandardScaler().fit(X_seen)
            X_seen, X_new = scaler.transform(X_seen), scaler.transform(X_new)
        answers[new] = plain_keras(X_seen, y[seen], X_new, epochs)
    return answers


def classifier(build: Any, epochs: int, **parameters: Any) -> BalancedKerasClassifier:
    """Make our classifier of a network, for as many steps as plain Keras."""
    return BalancedKerasClassifier(
        build,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        early_stopping=False,
        random_state=SEED,
        **parameters,
    )


def show_failure(answers: Mapping[str, NDArray[Any]]) -> None:
    """Print how far two sigmoids are from being probabilities of two classes."""
    rows = {}
    for name, pair in answers.items():
        total, yes = pair.sum(axis=1), (pair > 0.5).sum(axis=1)
        off = int((np.abs(total - 1) > 0.01).sum())
        both, neither = int((yes == 2).sum()), int((yes == 0).sum())
        rows[name] = float(total.min()), float(total.max()), off, both, neither
    print("Before: plain Keras, two sigmoid units; each row answered by a network new to it\n")
    titles = ("lowest sum", "highest sum", "off by 0.01", "called both", "called neither")
    print_table(titles, rows)
    print(
        "\nThe sum of a row's two probabilities should be 1. The last three columns count rows, "
        f"of {len(next(iter(answers.values())))}.\n"
    )


def show_refusal(X: NDArray[Any], y: NDArray[Any]) -> None:
    """Print what our classifier says to the network with the mistake."""
    try:
        classifier(two_sigmoids, 1).fit(X, y)
    except ValueError as error:
        wrapped = textwrap.indent(textwrap.fill(str(error), 90), "    ")
        print(f"BalancedKerasClassifier refuses the same network:\n\n{wrapped}\n")
    else:
        print("BalancedKerasClassifier did not refuse the network, though it should.\n")


def answers_of_ours(
    X: NDArray[Any], y: NDArray[Any], folds: StratifiedKFold, epochs: int
) -> dict[str, NDArray[Any]]:
    """Return the cured network's probabilities, without and with scaling in a Pipeline."""
    network, corrected = (classifier(cured, epochs, correct_prior=c) for c in (False, True))
    estimators = {
        RAW: network,
        SCALED: make_pipeline(StandardScaler(), network),
        CORRECTED: make_pipeline(StandardScaler(), corrected),
    }
    return {
        name: cross_val_predict(estimator, X, y, cv=folds, method="predict_proba")
        for name, estimator in estimators.items()
    }


def measures(y: NDArray[Any], proba: NDArray[Any]) -> list[float]:
    """Return the numbers of one line: answers, ranking, probabilities."""
    predicted = proba.argmax(axis=1)
    positive = proba[:, 1]
    return [
        float(recall_score(y, predicted)),
        float(f1_score(y, predicted, zero_division=0)),
        float(average_precision_score(y, positive)),
        float(log_loss(y, positive.clip(1e-7, 1 - 1e-7))),
        float(np.abs(proba.sum(axis=1) - 1).max()),
    ]


def show_cure(
    y: NDArray[Any], before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]
) -> None:
    """Print answers, ranking and probabilities, before and after."""
    rows = {f"two sigmoids, {name}": measures(y, pair) for name, pair in before.items()}
    rows |= {f"ours, {name}": measures(y, proba) for name, proba in after.items()}
    print("After: output_layer(meta), with balanced class weights; the same folds\n")
    titles = ("recall", "F1", "avg. precision", "log loss", "sum off by")
    print_table(titles, rows)
    recall, _, precision, loss, _ = np.array(
        [
            np.subtract(rows[f"ours, {SCALED}"], rows[f"two sigmoids, {SCALED}"]),
            np.subtract(rows[f"two sigmoids, {SCALED}"], rows[f"two sigmoids, {RAW}"]),
            np.subtract(rows[f"ours, {SCALED}"], rows[f"ours, {RAW}"]),
            np.subtract(rows[f"ours, {CORRECTED}"], rows[f"ours, {SCALED}"]),
        ]
    ).T
    print(
        "\nFor the two sigmoids the larger of the two is the answer. Ranking by chance has an "
        f"average\nprecision of {y.mean():.3f}. Scaling changes it by {precision[1]:+.3f} for the "
        f"two sigmoids and by {precision[2]:+.3f} for ours.\n"
        f"On scaled inputs the last layer and the weights change it by {precision[0]:+.3f}, and "
        f"recall by {recall[0]:+.3f}:\none malignant row is {1 / y.sum():.3f} of recall.\n\n"
        "With class weights a probability says how likely a row is malignant if both classes were\n"
        "equally frequent. correct_prior=True refers it to the data's frequencies, which changes "
        f"the\nlog loss by {loss[3]:+.3f} and recall at 0.5 by {recall[3]:+.3f}."
    )


def main() -> None:
    """Load, thin, and show the failure, the refusal and the cure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="fewer folds and epochs")
    fast = parser.parse_args().fast
    n_splits, epochs = (2, 15) if fast else (5, 40)

    X, y = rare_malignant()
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=SEED)
    spread = X.std(axis=0)
    print(
        f"{len(y)} rows, {y.sum()} of them malignant ({y.mean():.1%}); standard deviations of the "
        f"{X.shape[1]} columns from\n{spread.min():.4f} to {spread.max():.0f}.\n"
    )
    before = {
        name: answers_of_keras(X, y, folds, epochs, scale=name == SCALED) for name in (RAW, SCALED)
    }
    show_failure(before)
    show_refusal(X, y)
    show_cure(y, before, answers_of_ours(X, y, folds, epochs))


if __name__ == "__main__":
    main()
