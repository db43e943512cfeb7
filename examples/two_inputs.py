"""A network with two inputs, one output unit or two, and metrics that stop being all the same.

The failure: with two softmax units and one-hot labels, Keras counts precision, recall and F1 over
both units together. Each row then has one right unit and one wrong one, so all three are the
accuracy, and at 1 positive in 10 that is high whatever becomes of the positives.

The cure: ``BalancedKerasClassifier`` sees which head the network has. One sigmoid unit or two
softmax units are fitted to the same labels, have the same ``predict_proba``, and the metrics that
are named by strings are those of the rare class, as scikit-learn computes them.

The data are generated: two sequences a row. A row is positive where the left one has a bump
upwards and the right one a bump downwards, so that neither sequence is enough.

    python examples/two_inputs.py
    python examples/two_inputs.py --fast     # fewer rows and epochs
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from console import print_table, quiet_start
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

with quiet_start():
    import keras

    from sk_imbalance_nn import BalancedKerasClassifier

LENGTH = 40
SHARE = 0.1
NOISE = 1.2
SEED = 0
COLUMNS = {"left": slice(0, LENGTH), "right": slice(LENGTH, 2 * LENGTH)}
HEADS = {"one sigmoid unit": (1, "sigmoid"), "two softmax units": (2, "softmax")}
TITLES = ("accuracy", "precision", "recall", "F1")


def sequences(up: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Return noise with a bump at a random place in each row: upwards where asked, or downwards."""
    middle = rng.uniform(8, LENGTH - 8, size=(len(up), 1))
    bump = 2 * np.exp(-(((np.arange(LENGTH) - middle) / 3) ** 2))
    noise = rng.normal(scale=NOISE, size=bump.shape)
    return (np.where(up[:, None], bump, -bump) + noise).astype("float32")


def two_sequences(n_rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return one table, the left sequence and then the right one, and which rows are positive."""
    rng = np.random.default_rng(SEED)
    left_up, right_down = rng.random((2, n_rows)) < np.sqrt(SHARE)
    X = np.hstack([sequences(left_up, rng), sequences(~right_down, rng)])
    return X, (left_up & right_down).astype(int)


def as_dict(X: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Split the table into what the network's inputs are called."""
    return {name: X[:, columns] for name, columns in COLUMNS.items()}


def build_network(units: int, activation: str) -> keras.Model:
    """Build a network with two inputs, a small Conv1D tower for each, and the given last layer."""
    inputs = {name: keras.Input((LENGTH,), name=name) for name in COLUMNS}
    towers = [tower(sequence) for sequence in inputs.values()]
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.concatenate(towers))
    return keras.Model(inputs, keras.layers.Dense(units, activation=activation)(hidden))


def tower(sequence: Any) -> Any:
    """Look for short patterns anywhere in a sequence."""
    steps = keras.layers.Reshape((LENGTH, 1))(sequence)
    found = keras.layers.Conv1D(8, 7, activation="relu")(steps)
    return keras.layers.GlobalMaxPooling1D()(found)


def plain_keras(
    train: tuple[NDArray[Any], NDArray[Any]], test: tuple[NDArray[Any], NDArray[Any]], epochs: int
) -> tuple[list[float], list[float]]:
    """Train two units as Keras' guides do; return its metrics, and those of the rare class."""
    keras.utils.set_random_seed(SEED)
    model = build_network(2, "softmax")
    metrics = ["accuracy", "precision", "recall", keras.metrics.F1Score(average="micro")]
    model.compile("adam", "categorical_crossentropy", metrics=metrics)
    one_hot = keras.utils.to_categorical
    model.fit(as_dict(train[0]), one_hot(train[1]), epochs=epochs, verbose=0)
    shown = model.evaluate(as_dict(test[0]), one_hot(test[1]), verbose=0)[1:]
    predicted = model.predict(as_dict(test[0]), verbose=0).argmax(axis=1)
    # Keras counts in single precision: 0.9625 there would not round as it does in scikit-learn.
    return [round(float(value), 6) for value in shown], of_the_rare_class(test[1], predicted)


def of_the_rare_class(y: NDArray[Any], predicted: NDArray[Any]) -> list[float]:
    """Return accuracy, and precision, recall and F1 of the positives, by scikit-learn."""
    scores = (precision_score, recall_score, f1_score)
    return [accuracy_score(y, predicted), *(s(y, predicted, zero_division=0) for s in scores)]


def classifier(head: str, epochs: int, **parameters: Any) -> BalancedKerasClassifier:
    """Make our classifier with one of the two heads, for a fixed number of epochs."""
    units, activation = HEADS[head]
    return BalancedKerasClassifier(
        build_network,
        units=units,
        activation=activation,
        metrics=["accuracy", "Precision", "Recall", "F1Score"],
        early_stopping=False,
        epochs=epochs,
        random_state=SEED,
        **parameters,
    )


def show_plain_keras(
    train: tuple[NDArray[Any], NDArray[Any]], test: tuple[NDArray[Any], NDArray[Any]], epochs: int
) -> None:
    """Print what plain Keras says of its two units, and what is true of the rare class."""
    shown, true = plain_keras(train, test, epochs)
    print("Before: plain Keras, two softmax units, one-hot labels; held-out rows\n")
    print_table(TITLES, {"Keras' metrics": shown, "of the positives": true})
    spread = max(shown) - min(shown)
    verdict = "they are one number" if spread < 1e-5 else f"they differ by up to {spread:.4f}"
    print(
        f"\nKeras' four metrics average over both units, and {verdict}. The second line has\n"
        "the same answers, with precision, recall and F1 of the positives.\n"
    )


def show_heads(
    train: tuple[NDArray[Any], NDArray[Any]], test: tuple[NDArray[Any], NDArray[Any]], epochs: int
) -> dict[str, BalancedKerasClassifier]:
    """Train both heads on dicts; print the metrics of the history beside scikit-learn's."""
    print("After: BalancedKerasClassifier, the data as a dict of arrays; held-out rows\n")
    fitted, rows, gaps = {}, {}, []
    for head in HEADS:
        network = classifier(head, epochs)
        fitted[head] = network.fit(
            as_dict(train[0]), train[1], validation_data=(as_dict(test[0]), test[1])
        )
        names = ("accuracy", "Precision", "Recall", "F1Score")
        watched = [network.history_[f"val_{name}"][-1] for name in names]
        true = of_the_rare_class(test[1], network.predict(as_dict(test[0])))
        rows[f"{head}, history_"] = [round(float(value), 6) for value in watched]
        rows[f"{head}, scikit-learn"] = true
        gaps.append(np.abs(np.subtract(watched, true)).max())
    print_table(TITLES, rows)
    print(
        "\nThe metrics watched in training differ from scikit-learn's by at most "
        f"{max(gaps):.0e}.\n"
    )
    return fitted


def show_interface(fitted: Mapping[str, BalancedKerasClassifier], test: tuple[Any, Any]) -> None:
    """Print that both heads answer in one form."""
    print("The same interface for both\n")
    rows = {}
    for head, network in fitted.items():
        proba = network.predict_proba(as_dict(test[0]))
        score = network.decision_function(as_dict(test[0]))
        average = average_precision_score(test[1], proba[:, 1])
        rows[head] = (network.model_.output_shape[1], proba.shape, score.shape, average)
    print_table(("units", "predict_proba", "decision_function", "avg. precision"), rows)


def show_one_table(
    fitted: Mapping[str, BalancedKerasClassifier],
    train: tuple[NDArray[Any], NDArray[Any]],
    test: tuple[NDArray[Any], NDArray[Any]],
    epochs: int,
) -> None:
    """Fit one table split by ``inputs``, compare with the dict, and cross-validate a pipeline."""
    print("\nOne table, split by inputs=: what cross-validation and Pipelines can slice\n")
    rows = {}
    for head in HEADS:
        network = classifier(head, epochs, inputs=COLUMNS)
        of_table = network.fit(*train).predict_proba(test[0])
        gap = np.abs(of_table - fitted[head].predict_proba(as_dict(test[0]))).max()
        pipeline = make_pipeline(StandardScaler(), classifier(head, epochs, inputs=COLUMNS))
        folds = cross_val_score(pipeline, *train, cv=3, scoring="average_precision")
        rows[head] = (f"{gap:.1e}", folds.mean(), folds.std())
    print_table(("from the dict's by", "avg. precision", "std over folds"), rows)
    print(
        "\nThe first column is how far probabilities are from those of the dict, at most; the\n"
        "others are the cross-validated score of StandardScaler and network as one pipeline."
    )


def main() -> None:
    """Generate, split, and show before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="fewer rows and epochs")
    fast = parser.parse_args().fast
    n_rows, epochs = (2000, 8) if fast else (6000, 15)

    X, y = two_sequences(n_rows)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=SEED
    )
    train, test = (X_train, y_train), (X_test, y_test)
    print(
        f"{n_rows} rows of two generated sequences of {LENGTH} steps, {y.mean():.1%} positive; "
        f"{len(y_test)} held out.\n"
    )
    show_plain_keras(train, test, epochs)
    fitted = show_heads(train, test, epochs)
    show_interface(fitted, test)
    show_one_table(fitted, train, test, epochs)


if __name__ == "__main__":
    main()
