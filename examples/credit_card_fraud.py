"""Find credit-card fraud: TensorFlow's tutorial on imbalanced data, without the bookkeeping.

The tutorial "Classification on imbalanced data" sets an output bias, class weights and
oversampling by hand, stops early on the area below the precision-recall curve, and leaves the
threshold to the reader. Here each of these is a parameter (`VARIANTS`, `detector`), scaling with
clipping is a step of a Pipeline, and the threshold follows from what mistakes cost (`tune_costs`).

The failure: a network that starts from a probability of one half spends its first epochs on
learning that fraud is rare, and answers with a threshold that nobody chose.

    python examples/credit_card_fraud.py                       # on generated rows
    python examples/credit_card_fraud.py --csv creditcard.csv  # the real ones, from Kaggle
    python examples/credit_card_fraud.py --openml              # the real ones, from openml.org
    python examples/credit_card_fraud.py --plot fraud.png      # curves (needs matplotlib)
    python examples/credit_card_fraud.py --fast                # fewer rows and epochs
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from console import print_table, quiet_start
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import fetch_openml
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

with quiet_start():
    import keras

    from sk_imbalance_nn import (
        BalancedKerasClassifier,
        ThresholdCurveDisplay,
        ThresholdOptimizerCV,
        output_layer,
    )

FALSE_ALARM, MISS = 1, 50
CLIP = 5
# The tutorial's: batches of 2,048 of 182,276 rows. Fewer rows get smaller batches.
STEPS_PER_EPOCH = 89
VALIDATION_SHARE = 0.2
SEED = 0
TARGETS = ("Class", "target")
PLAIN = "nothing"
VARIANTS: dict[str, dict[str, Any]] = {
    PLAIN: {"class_weight": None, "output_bias": None},
    "output bias": {"class_weight": None},
    "bias and class weights": {},
    "bias and oversampling": {"sampler": "over", "class_weight": None},
}

Rows = tuple[NDArray[Any], NDArray[Any]]


# ------------------------------------------------------------------------------------------
# Rows


def generated_rows(n_rows: int) -> Rows:
    """Return rows that resemble the real ones: 28 components and an amount, 0.4 % of fraud."""
    rng = np.random.default_rng(SEED)
    y = (rng.random(n_rows) < 0.004).astype(int)
    spread = np.linspace(1.9, 0.3, 28)
    components = rng.standard_t(5, size=(n_rows, 28)) * spread
    # Fraud lies apart in some components, by more or less; a part of it hardly does.
    apart = rng.gamma(2.0, 1.0, size=(n_rows, 1)) * (rng.random((n_rows, 1)) < 0.85)
    shift = np.zeros(28)
    shift[[2, 3, 9, 10, 11, 13, 16]] = [-1.2, 1.1, -1.2, 0.9, -1.3, -1.5, -1.0]
    components += y[:, None] * apart * shift * spread
    amount = rng.lognormal(3.0 + 0.3 * y, 1.5)
    return np.column_stack([components, np.log(amount + 0.001)]).astype("float32"), y


def rows_of_csv(path: str) -> Rows:
    """Read the columns Time, V1 to V28, Amount and Class (or target) of a file."""
    names = np.loadtxt(path, delimiter=",", quotechar='"', dtype=str, max_rows=1)
    table = np.loadtxt(path, delimiter=",", quotechar='"', skiprows=1)
    return columns_by_name(names.tolist(), table)


def rows_of_openml() -> Rows:
    """Fetch the rows from openml.org; scikit-learn keeps them for the next time."""
    try:
        found = fetch_openml("creditcard", version=1, as_frame=False)
    except OSError as error:
        raise SystemExit(f"openml.org cannot be reached ({error}); --csv reads a file.") from error
    table = np.column_stack([found.data.astype(float), found.target.astype(float)])
    return columns_by_name([*found.feature_names, TARGETS[0]], table)


def columns_by_name(names: list[str], table: NDArray[Any]) -> Rows:
    """Return features and target: without the time, with the logarithm of the amount."""
    target = next((name for name in TARGETS if name in names), None)
    if target is None or "Amount" not in names:
        raise SystemExit(f"Expected the columns Amount and Class, or target; found {names}.")
    columns = dict(zip(names, table.T, strict=True))
    y = columns.pop(target).astype(int)
    columns.pop("Time", None)
    # As in the tutorial; some amounts are 0.
    columns["Amount"] = np.log(columns["Amount"] + 0.001)
    return np.column_stack(list(columns.values())).astype("float32"), y


def load(options: argparse.Namespace) -> Rows:
    """Load the rows that were asked for, and print which they are."""
    if options.csv:
        X, y = rows_of_csv(options.csv)
        print(f"Rows of {options.csv}.")
    elif options.openml:
        X, y = rows_of_openml()
        print('Rows of "creditcard" on openml.org.')
    else:
        X, y = generated_rows(12_000 if options.fast else 60_000)
        print("GENERATED rows, not real ones (--csv or --openml have those).")
    print(f"{len(y)} rows of {X.shape[1]} columns, {y.sum()} of them fraud ({y.mean():.2%}).\n")
    return X, y


# ------------------------------------------------------------------------------------------
# Networks


def build_network(meta: Mapping[str, Any]) -> keras.Model:
    """Build the tutorial's network; ``output_layer`` adds the last layer."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.5),
            output_layer(meta),
        ]
    )


def clipped(X: NDArray[Any]) -> NDArray[Any]:
    """Bring far outliers to five standard deviations."""
    return np.clip(X, -CLIP, CLIP)


def detector(epochs: int, batch_size: int, parameters: Mapping[str, Any]) -> Pipeline:
    """Make a pipeline: scale, clip, and a network that stops early on the average precision."""
    network = BalancedKerasClassifier(
        build_network,
        metrics=["Precision", "Recall"],
        scoring="average_precision",
        early_stopping=True,
        validation_split=VALIDATION_SHARE,
        n_iter_no_change=10,
        epochs=epochs,
        batch_size=batch_size,
        random_state=SEED,
        **parameters,
    )
    return make_pipeline(StandardScaler(), FunctionTransformer(clipped), network)


def fit_variants(train: Rows, epochs: int, batch_size: int) -> dict[str, Pipeline]:
    """Fit a pipeline for each way to balance."""
    return {
        name: detector(epochs, batch_size, parameters).fit(*train)
        for name, parameters in VARIANTS.items()
    }


# ------------------------------------------------------------------------------------------
# Before and after


def show_learning(fitted: Mapping[str, Pipeline]) -> None:
    """Print learning curves: the average precision on the validation rows, epoch by epoch."""
    longest = max(pipeline[-1].n_iter_ for pipeline in fitted.values())
    shown = [epoch for epoch in (1, 2, 5, 10, 20, 50) if epoch <= longest]
    rows = {}
    for name, pipeline in fitted.items():
        network = pipeline[-1]
        curve = network.history_["val_average_precision"]
        cells = [float(curve[epoch - 1]) if epoch <= len(curve) else "" for epoch in shown]
        first_loss = float(network.history_["loss"][0])
        near = 1 + int(np.argmax(np.array(curve) >= 0.9 * network.best_validation_score_))
        rows[name] = [first_loss, *cells, near, network.best_iteration_, network.n_iter_]
    titles = (*(f"epoch {epoch}" for epoch in shown), "90 % in", "best in", "epochs")
    print("Learning: the loss in the first epoch, and the average precision on validation rows\n")
    print_table(("loss in 1", *titles), rows)
    print(
        "\nThe losses of weighted or oversampled rows do not compare with the others'. Last, the\n"
        "epochs: the first with 90 % of the best score, the best, and how many there were.\n"
    )


def show_held_out(fitted: Mapping[str, Pipeline], test: Rows) -> dict[str, NDArray[Any]]:
    """Print ranking and answers of each pipeline on the held-out rows."""
    X, y = test
    scores, rows = {}, {}
    for name, pipeline in fitted.items():
        scores[name] = pipeline.predict_proba(X)[:, 1]
        ranking = average_precision_score(y, scores[name]), roc_auc_score(y, scores[name])
        rows[name] = [*map(float, ranking), *answers(y, pipeline.predict(X))]
    print(f"The {len(y)} held-out rows, {y.sum()} of them fraud; answers at a probability of 0.5\n")
    print_table(("avg. precision", "ROC AUC", "found", "missed", "false alarms", "cost"), rows)
    best, worst = (pick(rows, key=lambda name: rows[name][0]) for pick in (max, min))
    print(
        f"\nOne fraud is {1 / y.sum():.3f} of recall. A miss costs {MISS} false alarms. Average "
        f"precision is from\n{rows[worst][0]:.3f} ({worst}) to {rows[best][0]:.3f} ({best}).\n"
    )
    return scores


def answers(y: NDArray[Any], predicted: NDArray[Any]) -> list[int]:
    """Return how many frauds are found and missed, the false alarms, and what it all costs."""
    (_, alarms), (missed, found) = confusion_matrix(y, predicted)
    return [int(n) for n in (found, missed, alarms, FALSE_ALARM * alarms + MISS * missed)]


def tune_costs(train: Rows, pipeline: Pipeline) -> ThresholdOptimizerCV:
    """Find by cross-validation the threshold with the lowest cost, and fit on all rows."""
    optimizer = ThresholdOptimizerCV(
        clone(pipeline),
        cost_matrix=[[0, FALSE_ALARM], [MISS, 0]],
        cv=3,
        random_state=SEED,
        store_cv_results=True,
    )
    return optimizer.fit(*train)


def show_costs(name: str, optimizer: ThresholdOptimizerCV, test: Rows) -> None:
    """Print the confusion matrix and the cost at 0.5 and at the tuned threshold."""
    X, y = test
    low, high = optimizer.threshold_interval_
    threshold = optimizer.best_threshold_
    print(
        f'"{name}" with a threshold for these costs: {threshold:.3f}, and between {low:.3f} and '
        f"{high:.3f} with other rows\n"
    )
    tuned = optimizer.predict(X)
    at_half, at_best = answers(y, optimizer.estimator_.predict(X)), answers(y, tuned)
    nobody, everybody = answers(y, np.zeros_like(y)), answers(y, np.ones_like(y))
    rows = {
        "never": nobody,
        "always": everybody,
        "at 0.5": at_half,
        f"at {threshold:.3f}": at_best,
    }
    print_table(("found", "missed", "false alarms", "cost"), rows)
    matrix = confusion_matrix(y, tuned)
    print(f"\nConfusion matrix at {threshold:.3f}\n")
    names = ("fine", "fraud")
    predicted = [f"said {name}" for name in names]
    print_table(predicted, {n: row.tolist() for n, row in zip(names, matrix, strict=True)})
    change = at_best[-1] - at_half[-1]
    print(f"\nThe tuned threshold changes the cost by {change:+d}, from {at_half[-1]}.")


def draw(
    path: str,
    fitted: Mapping[str, Pipeline],
    scores: Mapping[str, NDArray[Any]],
    y: NDArray[Any],
    optimizer: ThresholdOptimizerCV,
) -> None:
    """Save learning curves, ROC and precision-recall curves, and the cost by threshold."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('\nNo picture: matplotlib is not installed (python -m pip install ".[plot]").')
        return
    figure = Figure(figsize=(10, 8), layout="constrained")
    (learning, ranking), (roc, cost) = figure.subplots(2, 2)
    for name, pipeline in fitted.items():
        curve = pipeline[-1].history_["val_average_precision"]
        learning.plot(range(1, len(curve) + 1), curve, label=name)
        precision, recall, _ = precision_recall_curve(y, scores[name])
        ranking.step(recall, precision, where="post", label=name)
        false_positive_rate, recall, _ = roc_curve(y, scores[name])
        roc.plot(false_positive_rate, recall, label=name)
    learning.set(xlabel="Epoch", ylabel="Average precision", title="Validation rows")
    ranking.set(xlabel="Recall", ylabel="Precision", title="Held-out rows")
    roc.set(xlabel="False positive rate", ylabel="Recall", title="Held-out rows", xscale="log")
    roc.set_xlim(left=1e-4)
    learning.legend()
    ThresholdCurveDisplay.from_estimator(optimizer, ax=cost)
    cost.set(xscale="log", xlim=(1e-4, 1))
    cost.set_title("Cost in cross-validation")
    figure.savefig(path, dpi=150)
    print(f"\nCurves saved to {path}.")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--csv", metavar="PATH", help="Time, V1 to V28, Amount, Class; may be .gz")
    source.add_argument("--openml", action="store_true", help="fetch the rows from openml.org")
    parser.add_argument("--plot", metavar="FILE", help="picture to save")
    parser.add_argument("--fast", action="store_true", help="fewer rows and epochs")
    return parser.parse_args()


def main() -> None:
    """Load, split, and show what balancing and a threshold change."""
    options = read_options()
    X, y = load(options)
    epochs = 10 if options.fast else 100
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=SEED
    )
    train, test = (X_train, y_train), (X_test, y_test)
    batch_size = round(len(y_train) * (1 - VALIDATION_SHARE) / STEPS_PER_EPOCH)
    fitted = fit_variants(train, epochs, batch_size)
    show_learning(fitted)
    scores = show_held_out(fitted, test)
    chosen = max(fitted, key=lambda name: fitted[name][-1].best_validation_score_)
    optimizer = tune_costs(train, fitted[chosen])
    show_costs(chosen, optimizer, test)
    if options.plot:
        draw(options.plot, fitted, scores, y_test, optimizer)


if __name__ == "__main__":
    main()
