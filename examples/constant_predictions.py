"""A network that answers "no" for every row, and is right 94 times in 100.

The failure: one positive for 17 negatives, a single sigmoid unit, and a file in which the positives
come first. ``Model.fit(validation_split=0.2)`` takes the last rows to validate on, and none of them
is positive. The validation accuracy is perfect as soon as the network says no to everything, and
early stopping keeps that network.

The cures, one after the other: a stratified split, on which the average precision picks the epoch;
class weights, with an output bias that starts at what training sees; and a threshold that is tuned
in place of 0.5 (``ThresholdOptimizerCV``). The script also says what a cure does not change.

The data are generated. The classes overlap so much that at 0.5 even the true probabilities, which
are known here, hardly ever say yes: a better network alone would not find the positives.

    python examples/constant_predictions.py
    python examples/constant_predictions.py --fast     # fewer rows and epochs
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from console import print_table, quiet_start
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import train_test_split

with quiet_start():
    import keras

    from sk_imbalance_nn import (
        BalancedKerasClassifier,
        ThresholdOptimizerCV,
        output_layer,
    )

NEGATIVES_PER_POSITIVE = 17
N_COLUMNS = 20
# How much larger the columns of positives are in the mean, in standard deviations.
SHIFT = np.repeat([0.5, 0.0], [6, N_COLUMNS - 6])
PATIENCE = 5
VALIDATION_SHARE = 0.2
SEED = 0
NEVER, TRUTH = 'always "no"', "the true probabilities"
KERAS, SPLIT = "plain Keras", "stratified split"
WEIGHTS, CUT = "and class weights", "a tuned threshold"
TITLES = ("accuracy", "balanced acc.", "precision", "recall", "F1", "avg. precision", 'said "yes"')

Rows = tuple[NDArray[Any], NDArray[Any]]


def overlapping_rows(n_rows: int) -> Rows:
    """Return columns, and which rows are positive: one for 17 that are not."""
    rng = np.random.default_rng(SEED)
    y = (np.arange(n_rows) % (NEGATIVES_PER_POSITIVE + 1) == 0).astype(int)
    return (rng.normal(size=(n_rows, N_COLUMNS)) + y[:, None] * SHIFT).astype("float32"), y


def true_probabilities(X: NDArray[Any]) -> NDArray[Any]:
    """Return how likely each row is positive, by Bayes' rule and how the rows were drawn."""
    return expit(X @ SHIFT - SHIFT @ SHIFT / 2 - np.log(NEGATIVES_PER_POSITIVE))


def positives_first(X: NDArray[Any], y: NDArray[Any]) -> Rows:
    """Order rows as a file does that was written one class after the other."""
    order = np.argsort(-y, kind="stable")
    return X[order], y[order]


def hidden_layers() -> list[Any]:
    """Return the layers that all networks here share."""
    return [keras.Input((N_COLUMNS,)), keras.layers.Dense(32, activation="relu")]


def build_network(meta: Mapping[str, Any]) -> keras.Model:
    """Build the same network for the classifier; ``output_layer`` adds one sigmoid unit."""
    return keras.Sequential([*hidden_layers(), output_layer(meta)])


def plain_keras(train: Rows, epochs: int) -> tuple[keras.Model, dict[str, list[float]]]:
    """Train with the mistake: the last rows validate, and their accuracy picks the epoch."""
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([*hidden_layers(), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    stopping = keras.callbacks.EarlyStopping(
        "val_accuracy", patience=PATIENCE, restore_best_weights=True
    )
    history = model.fit(
        *train,
        validation_split=VALIDATION_SHARE,
        epochs=epochs,
        callbacks=[stopping],
        verbose=0,
    )
    return model, history.history


def classifier(epochs: int, **parameters: Any) -> BalancedKerasClassifier:
    """Make our classifier of the same network; its split holds both classes in both parts."""
    return BalancedKerasClassifier(
        build_network,
        validation_split=VALIDATION_SHARE,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        epochs=epochs,
        random_state=SEED,
        **parameters,
    )


def with_threshold(network: BalancedKerasClassifier) -> ThresholdOptimizerCV:
    """Put a threshold on top of a network: the best for F1 in cross-validation."""
    return ThresholdOptimizerCV(network, scoring="f1", cv=3, random_state=SEED)


def measures(y: NDArray[Any], predicted: NDArray[Any], score: NDArray[Any]) -> list[Any]:
    """Return the numbers of one line of the table."""
    return [
        float(accuracy_score(y, predicted)),
        float(balanced_accuracy_score(y, predicted)),
        float(precision_score(y, predicted, zero_division=0)),
        float(recall_score(y, predicted)),
        float(f1_score(y, predicted, zero_division=0)),
        float(average_precision_score(y, score)),
        int(predicted.sum()),
    ]


def show_failure(train: Rows, test: Rows, epochs: int) -> NDArray[Any]:
    """Print what plain Keras saw and says; return its scores of the held-out rows."""
    model, history = plain_keras(train, epochs)
    # Keras trains on the rows before this one, and validates on the others.
    first = int(len(train[1]) * (1 - VALIDATION_SHARE))
    score = model.predict(test[0], verbose=0)[:, 0]
    best = int(np.argmax(history["val_accuracy"]))
    print(
        f"Before: plain Keras with validation_split={VALIDATION_SHARE}. It validates on the last "
        f"{len(train[1]) - first} rows,\n{train[1][first:].sum()} of them positive. In its best "
        f"epoch ({best + 1} of {len(history['loss'])}) the validation accuracy is "
        f"{history['val_accuracy'][best]:.3f}.\n"
        f"On {len(score)} held-out rows the probabilities are from {score.min():.3f} to "
        f"{score.max():.3f}; it says yes\nto {(score > 0.5).sum()} rows, where {test[1].sum()} "
        f"are positive. Saying no to all would be right for {1 - test[1].mean():.1%},\n"
        f"it is right for {((score > 0.5) == test[1]).mean():.1%}.\n"
    )
    return score


def fit_cures(train: Rows, epochs: int) -> dict[str, Any]:
    """Fit the cures, each on top of the one before, and a threshold with and without weights."""
    unweighted = classifier(epochs, class_weight=None, output_bias=None)
    weighted = classifier(epochs)
    cures = {
        SPLIT: unweighted,
        f"{SPLIT}, {CUT}": with_threshold(unweighted),
        WEIGHTS: weighted,
        f"{WEIGHTS}, {CUT}": with_threshold(weighted),
    }
    return {name: cure.fit(*train) for name, cure in cures.items()}


def show_cures(
    fitted: Mapping[str, Any], before: NDArray[Any], test: Rows
) -> dict[str, dict[str, Any]]:
    """Print the numbers of all stages on the held-out rows, and return them by their titles."""
    X, y = test
    never, truth = np.zeros_like(y), true_probabilities(X)
    rows = {
        NEVER: measures(y, never, never),
        TRUTH: measures(y, (truth > 0.5).astype(int), truth),
        KERAS: measures(y, (before > 0.5).astype(int), before),
    }
    for name, estimator in fitted.items():
        rows[name] = measures(y, estimator.predict(X), estimator.predict_proba(X)[:, 1])
    print(f"After: the same layers, one cure at a time; the same {len(y)} held-out rows\n")
    print_table(TITLES, rows)
    print(f"\nFrom {SPLIT!r} on, the average precision on the validation rows picks the epoch.")
    return {name: dict(zip(TITLES, row, strict=True)) for name, row in rows.items()}


def show_changes(found: Mapping[str, Mapping[str, Any]], fitted: Mapping[str, Any]) -> None:
    """Print what each cure changed, for better or worse."""
    steps = (
        ("Stratified split and its score", KERAS, SPLIT),
        ("Class weights and output bias", SPLIT, WEIGHTS),
        ("A threshold without weights", SPLIT, f"{SPLIT}, {CUT}"),
        ("A threshold with weights", WEIGHTS, f"{WEIGHTS}, {CUT}"),
    )
    print()
    changes = {}
    for what, old, new in steps:
        pairs = [(found[old][t], found[new][t]) for t in ("accuracy", "recall", "F1", TITLES[5])]
        changes[what] = [f"{after - before:+.3f}" for before, after in pairs]
    print_table(("accuracy", "recall", "F1", "avg. precision"), changes)
    cuts = [fitted[f"{name}, {CUT}"] for name in (SPLIT, WEIGHTS)]
    places = [f"{cut.best_threshold_:.3f}" for cut in cuts]
    print(
        f"\nThe thresholds are {places[0]} without weights and {places[1]} with them. A threshold "
        "moves no row\npast another: ranking, which is all that the average precision sees, is "
        "that of the network.\nThe true probabilities are what no network can beat but by luck. "
        f"They rank with an average\nprecision of {found[TRUTH][TITLES[5]]:.3f}; at 0.5 they find "
        f"{found[TRUTH]['recall']:.1%} of the positives."
    )


def main() -> None:
    """Generate, order, show the failure and its cures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="fewer rows and epochs")
    fast = parser.parse_args().fast
    n_rows, epochs = (3000, 10) if fast else (9000, 60)

    X, y = overlapping_rows(n_rows)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=SEED
    )
    train, test = positives_first(X_train, y_train), (X_test, y_test)
    print(
        f"{n_rows} generated rows, {y.sum()} of them positive, 1 for {(y == 0).sum() / y.sum():.0f}"
        f" others; {len(y_test)} held out.\n"
    )
    before = show_failure(train, test, epochs)
    fitted = fit_cures(train, epochs)
    found = show_cures(fitted, before, test)
    show_changes(found, fitted)


if __name__ == "__main__":
    main()
