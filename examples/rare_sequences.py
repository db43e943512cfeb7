"""Three rare kinds of sequence in a thousand, and a search over network and balancing at once.

The failure: 99.9 % of the sequences are of one class, and a Conv1D network that answers that class
for all of them has an accuracy of 0.999.

The cures: class weights (``class_weight``), rows drawn so that rare classes come up as often as
others (``sampler``), and answers that do not simply take the largest probability
(``ThresholdOptimizerCV``, which weighs the classes). Which of them serves, and with which network,
is a question for a search: ``RandomizedSearchCV`` with stratified folds draws filters and dropout
of the network, the weights and the sampler at once.

The data are generated: two channels of noise with short patterns at random places. The common
class has harmless patterns of its own, so that having a pattern is not enough.

    python examples/rare_sequences.py
    python examples/rare_sequences.py --fast     # fewer rows, epochs and candidates
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from console import print_table, quiet_start
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold

with quiet_start():
    import keras

    from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, output_layer

LENGTH, N_CHANNELS, PATTERN = 32, 2, 8
COMMON = "common"
# How many of 10,000 sequences are of each rare class: one in a thousand together.
RARE = {"both up": 4, "opposed": 3, "ringing": 3}
# An epoch without most of the common rows is short; it gets as many times the epochs.
MORE_EPOCHS = 4
SEED = 0
TITLES = ("wrong", "macro F1", "said rare", *(f"AP {name!r}" for name in RARE))
PLAIN, WEIGHTS, ROOTS = "plain", "weights, balanced", "weights, their roots"
RESEEDED, CORRECTED = "balanced, another seed", "balanced, correct_prior"
BALANCED, FEWER = "balanced sampler", "fewer common rows"

Rows = tuple[NDArray[Any], NDArray[Any]]


def patterns() -> dict[str, NDArray[Any]]:
    """Return each rare class' pattern, and two harmless ones, of shape (steps, channels)."""
    bump = np.hanning(PATTERN + 2)[1:-1]
    ringing = bump * np.resize([1.0, -1.0], PATTERN)
    nothing = np.zeros(PATTERN)
    shapes = {
        "both up": (bump, bump),
        "opposed": (bump, -bump),
        "ringing": (ringing, ringing),
        "first alone": (bump, nothing),
        "second alone": (nothing, -bump),
    }
    return {name: 3.5 * np.column_stack(shape) for name, shape in shapes.items()}


def sequences(n_rows: int, seed: int) -> Rows:
    """Return sequences of shape (n_rows, LENGTH, N_CHANNELS) and the names of their classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, LENGTH, N_CHANNELS))
    counts = {name: n_rows * share // 10_000 for name, share in RARE.items()}
    y = np.repeat([COMMON, *counts], [n_rows - sum(counts.values()), *counts.values()])
    shown = np.where(y == COMMON, rng.choice(["first alone", "second alone"], n_rows), y)
    start = rng.integers(0, LENGTH - PATTERN + 1, n_rows)
    for name, pattern in patterns().items():
        for row in np.flatnonzero(shown == name):
            X[row, start[row] : start[row] + PATTERN] += pattern
    order = rng.permutation(n_rows)
    return X[order].astype("float32"), y[order]


def build_network(meta: Mapping[str, Any], filters: int, dropout: float) -> keras.Model:
    """Build a small Conv1D network; ``X_shape_`` knows the sequences' length and channels."""
    return keras.Sequential(
        [
            keras.Input(meta["X_shape_"][1:]),
            keras.layers.Conv1D(filters, PATTERN, activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(16, activation="relu"),
            output_layer(meta),
        ]
    )


def root_weights(counts: NDArray[Any]) -> NDArray[Any]:
    """Return weights less extreme than the balanced ones: the roots of them."""
    return np.sqrt(np.sum(counts) / np.asarray(counts))


def classifier(**parameters: Any) -> BalancedKerasClassifier:
    """Make our classifier of the Conv1D network, for a fixed number of epochs."""
    return BalancedKerasClassifier(
        build_network,
        filters=16,
        dropout=0.2,
        optimizer__learning_rate=0.005,
        batch_size=128,
        early_stopping=False,
        **{"random_state": SEED, **parameters},
    )


def ways(epochs: int, fewer: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return what each way to balance is in the parameters of the classifier."""
    return {
        PLAIN: {"class_weight": None},
        WEIGHTS: {"class_weight": "balanced"},
        # Heavy weights make the false alarms a matter of luck too.
        RESEEDED: {"class_weight": "balanced", "random_state": SEED + 1},
        ROOTS: {"class_weight": root_weights},
        BALANCED: {"sampler": "balanced", "class_weight": None},
        FEWER: {
            "sampler": "under",
            "sampler__sampling_strategy": fewer,
            "class_weight": None,
            "epochs": MORE_EPOCHS * epochs,
        },
    }


def measures(estimator: Any, test: Rows) -> list[Any]:
    """Return wrong answers, macro F1, rare answers, and each rare class' average precision."""
    X, y = test
    predicted, proba = estimator.predict(X), estimator.predict_proba(X)
    classes = list(estimator.classes_)
    ranking = [average_precision_score(y == k, proba[:, classes.index(k)]) for k in RARE]
    return [*answers(y, predicted), *map(float, ranking)]


def answers(y: NDArray[Any], predicted: NDArray[Any]) -> list[Any]:
    """Return how many answers are wrong, macro F1, and how many answers are rare classes."""
    macro = f1_score(y, predicted, average="macro", zero_division=0)
    return [int((y != predicted).sum()), float(macro), int((predicted != COMMON).sum())]


def show_ways(train: Rows, test: Rows, epochs: int, fewer: Mapping[str, int]) -> None:
    """Fit a network for each way to balance, and print what it comes to on other rows."""
    rows: dict[str, list[Any]] = {}
    for name, parameters in ways(epochs, fewer).items():
        network = classifier(**{"epochs": epochs, **parameters}).fit(*train)
        rows[name] = measures(network, test)
        if name == WEIGHTS:
            # It is read when predicting: no second fit.
            rows[CORRECTED] = measures(network.set_params(correct_prior=True), test)
    never = np.full_like(test[1], COMMON)
    chance = [float((test[1] == k).mean()) for k in RARE]
    print("One network, balanced in different ways; the largest probability is the answer\n")
    print_table(TITLES, {f"always {COMMON!r}": [*answers(test[1], never), *chance], **rows})
    best_f1 = max(rows, key=lambda name: rows[name][1])
    means = {name: float(np.mean(row[3:])) for name, row in rows.items()}
    best = max(means, key=means.__getitem__)
    print(
        f"\nAP is the average precision of a class against all others. Always {COMMON!r} has an "
        f"accuracy\nof {(test[1] == COMMON).mean():.3f}: {(test[1] != COMMON).sum()} of "
        f"{len(test[1])} rows are of rare classes. {best_f1!r} has the\nbest macro F1, "
        f"{rows[best_f1][1] - rows[PLAIN][1]:+.3f} from {PLAIN!r}; {best!r} ranks best, "
        f"{means[best] - means[PLAIN]:+.3f} from {PLAIN!r}\nin the mean AP of the rare classes.\n"
    )


def spaces(epochs: int, fewer: Mapping[str, int]) -> list[dict[str, list[Any]]]:
    """Return what to draw from: the network's own parameters with each way to balance."""
    network = {"filters": [8, 16, 32], "dropout": [0.0, 0.2, 0.4]}
    weights = {"class_weight": [None, root_weights, "effective", "balanced"]}
    return [
        {**network, **weights, "sampler": [None]},
        {
            **network,
            "class_weight": [None, root_weights],
            "sampler": ["under"],
            "sampler__sampling_strategy": [fewer],
            "epochs": [MORE_EPOCHS * epochs],
        },
        {**network, "class_weight": [None], "sampler": ["balanced"]},
    ]


def search(
    train: Rows, epochs: int, n_candidates: int, n_splits: int, fewer: Mapping[str, int]
) -> RandomizedSearchCV:
    """Draw candidates, and score each on stratified folds by the mean average precision."""
    found = RandomizedSearchCV(
        classifier(epochs=epochs),
        spaces(epochs, fewer),
        n_iter=n_candidates,
        scoring=["average_precision", "f1_macro"],
        refit="average_precision",
        cv=StratifiedKFold(n_splits, shuffle=True, random_state=SEED),
        random_state=SEED,
        error_score="raise",
    )
    return found.fit(*train)


def described(parameters: Mapping[str, Any]) -> str:
    """Return a candidate in a few words."""
    weight, sampler = parameters["class_weight"], parameters["sampler"]
    weight = "roots" if weight is root_weights else weight
    network = f"{parameters['filters']} filters, dropout {parameters['dropout']}"
    return f"{network}, weights {weight}, sampler {sampler}"


def show_search(found: RandomizedSearchCV) -> None:
    """Print the candidates from best to worst."""
    results = found.cv_results_
    order = np.argsort(results["rank_test_average_precision"], kind="stable")
    columns = ("mean_test_average_precision", "std_test_average_precision", "mean_test_f1_macro")
    rows = {
        described(results["params"][i]): [float(results[column][i]) for column in columns]
        for i in order
    }
    print(
        f"A random search: {len(order)} candidates, {found.n_splits_} stratified folds of the "
        "training rows\n"
    )
    print_table(("mean AP", "std of folds", "macro F1"), rows)
    best, second = (row[0] for row in list(rows.values())[:2])
    print(
        "\nThe mean AP is over all classes, the common one included. The best is ahead of the "
        f"second\nby {best - second:.3f}; compare with the spread over folds.\n"
    )


def show_best(found: RandomizedSearchCV, train: Rows, test: Rows, n_splits: int) -> None:
    """Print what the best candidate comes to, as it answers and with tuned class weights."""
    best = found.best_estimator_
    tuned = ThresholdOptimizerCV(clone(best), scoring="f1_macro", cv=n_splits, random_state=SEED)
    tuned.fit(*train)
    rows = {
        "largest probability": measures(best, test),
        "tuned for macro F1": measures(tuned, test),
    }
    print("The best of them on the held-out rows\n")
    print_table(TITLES, rows)
    change = np.subtract(*(row[1] for row in reversed(rows.values())))
    factors = ", ".join(
        f"{weight:.3g} ({name})"
        for name, weight in zip(tuned.classes_, tuned.best_class_weight_, strict=True)
    )
    print(
        f"\nTuning changes macro F1 by {change:+.3f} ({tuned.best_score_:.3f} in cross-validation)."
        f" It multiplies the\nprobabilities by {factors}."
    )


def main() -> None:
    """Generate, compare ways to balance, search, and tune the answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="fewer rows, epochs and candidates")
    fast = parser.parse_args().fast
    n_rows, n_test, epochs = (34_000, 20_000, 2) if fast else (40_000, 60_000, 8)
    n_candidates, n_splits = (2, 2) if fast else (10, 3)
    fewer = {COMMON: n_rows // 20}

    train, test = sequences(n_rows, SEED), sequences(n_test, SEED + 1)
    counts = ", ".join(f"{(train[1] == k).sum()} {k!r}" for k in RARE)
    print(
        f"Generated sequences of {LENGTH} steps and {N_CHANNELS} channels: {n_rows} to train on, "
        f"{n_test} more to look at\nthe results. To train on are {(train[1] == COMMON).sum()} "
        f"{COMMON!r}, {counts}.\n{FEWER!r} draws {fewer[COMMON]} {COMMON!r} ones for each epoch, "
        f"beside all rare ones,\nand has {MORE_EPOCHS} times the {epochs} epochs of the others.\n"
    )
    show_ways(train, test, epochs, fewer)
    found = search(train, epochs, n_candidates, n_splits, fewer)
    show_search(found)
    show_best(found, train, test, n_splits)


if __name__ == "__main__":
    main()
