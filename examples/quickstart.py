"""Find a rare digit with a small Keras network.

The data are scikit-learn's handwritten digits. The question is whether an image shows an 8, with
the 8s thinned until they are about 2 % of the images. Three pipelines answer it: a network that
``BalancedKerasClassifier`` trains with its defaults, the same network without class weights and
output bias, and logistic regression. They are compared by cross-validation and on rows held out
from the start.

    python examples/quickstart.py                       # draws quickstart.png if it can
    python examples/quickstart.py --plot elsewhere.pdf
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from console import quiet_start
from imblearn.datasets import make_imbalance
from imblearn.metrics import classification_report_imbalanced
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

with quiet_start():
    import keras

    from sk_imbalance_nn import BalancedKerasClassifier, output_layer

RARE_DIGIT = 8
N_RARE = 33
EPOCHS = 50
SEED = 0
BALANCED, PLAIN, LOGISTIC = "balanced network", "plain network", "logistic regression"


def build_network(meta: Mapping[str, Any]) -> keras.Model:
    """Build a network with one hidden layer; ``output_layer`` adds the last one to fit y."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.3),
            output_layer(meta),
        ]
    )


def pipelines() -> dict[str, Pipeline]:
    """Make the three pipelines; the two networks differ in nothing but the balancing."""
    balanced = BalancedKerasClassifier(build_network, epochs=EPOCHS, random_state=SEED)
    plain = BalancedKerasClassifier(
        build_network,
        epochs=EPOCHS,
        random_state=SEED,
        class_weight=None,
        output_bias=None,
    )
    return {
        BALANCED: make_pipeline(StandardScaler(), balanced),
        PLAIN: make_pipeline(StandardScaler(), plain),
        LOGISTIC: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    }


def rare_digit() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images, and which are the rare digit; most of the images of it are dropped."""
    X, digit = load_digits(return_X_y=True)
    y = (digit == RARE_DIGIT).astype(int)
    counts = {0: int((y == 0).sum()), 1: N_RARE}
    return make_imbalance(X, y, sampling_strategy=counts, random_state=SEED)


def cross_validated(X: NDArray[Any], y: NDArray[Any]) -> None:
    """Print scores of the three pipelines over folds, and how the two networks' ranking differs."""
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=SEED)
    columns = {"average_precision": "avg. precision", "recall": "recall", "f1": "F1"}
    print("Cross-validation on the training rows: 5 folds, twice; mean (standard deviation)\n")
    print(" " * 21 + "".join(f"{title:>18s}" for title in columns.values()))
    ranking = {}
    for name, pipeline in pipelines().items():
        scores = cross_validate(pipeline, X, y, scoring=list(columns), cv=folds)
        cells = [scores[f"test_{column}"] for column in columns]
        ranking[name] = cells[0]
        row = "".join(f"{f'{cell.mean():.2f} ({cell.std():.2f})':>18s}" for cell in cells)
        print(f"{name:21s}{row}", flush=True)
    gain = ranking[BALANCED] - ranking[PLAIN]
    print(
        "\nAverage precision sees only how rows are ranked. There the balanced network differs\n"
        f"from the plain one by {gain.mean():+.2f} ({gain.min():+.2f} to {gain.max():+.2f} over "
        f"the {len(gain)} folds): balancing is not\n"
        "about ranking better. Recall and F1 see the answers, which turn on a probability of\n"
        "0.5: balancing moves the probabilities, so that more of the rare class passes it."
    )


def held_out(
    X_train: NDArray[Any], X_test: NDArray[Any], y_train: NDArray[Any], y_test: NDArray[Any]
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Fit on the training rows; print a report of the others; return answers and probabilities."""
    answers = {}
    for name, pipeline in pipelines().items():
        pipeline.fit(X_train, y_train)
        answers[name] = pipeline.predict(X_test), pipeline.predict_proba(X_test)[:, 1]
    print(f"\nThe {len(y_test)} held-out rows, {y_test.sum()} of them {RARE_DIGIT}s\n")
    titles = ("avg. precision", "found", "missed", "false alarms", "true rest")
    print(" " * 21 + "".join(f"{title:>15s}" for title in titles))
    for name, (predicted, probability) in answers.items():
        (true_rest, alarms), (missed, found) = confusion_matrix(y_test, predicted)
        precision = average_precision_score(y_test, probability)
        counts = "".join(f"{count:15d}" for count in (found, missed, alarms, true_rest))
        print(f"{name:21s}{precision:15.2f}{counts}")
    print(f"\nOne digit is {1 / y_test.sum():.2f} of recall here; the folds above say more.")
    for name in (BALANCED, PLAIN):
        print(f"\n{name}, imbalanced-learn's report:")
        report = classification_report_imbalanced(
            y_test,
            answers[name][0],
            target_names=["rest", str(RARE_DIGIT)],
            zero_division=0,
        )
        print(report.rstrip())
    return answers


def draw(
    path: str, y: NDArray[Any], answers: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]
) -> None:
    """Save precision-recall curves, with a dot where each pipeline's own answers lie."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('\nNo picture: matplotlib is not installed (python -m pip install ".[plot]").')
        return
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    styles = ("-", "--", "-.")
    for style, (name, (predicted, probability)) in zip(styles, answers.items(), strict=True):
        precision, recall, _ = precision_recall_curve(y, probability)
        average = average_precision_score(y, probability)
        label = f"{name} (average precision {average:.2f})"
        (line,) = axes.step(recall, precision, style, where="post", label=label)
        if predicted.any():
            at_half = y[predicted == 1].mean(), predicted[y == 1].mean()
            axes.plot(at_half[1], at_half[0], "o", color=line.get_color(), clip_on=False, zorder=3)
    axes.plot([], [], "o", color="grey", label="what predict answers")
    axes.axhline(y.mean(), color="grey", linestyle=":", label=f"chance ({y.mean():.2f})")
    axes.set(
        xlabel=f"Recall: share of the {y.sum()} {RARE_DIGIT}s that are found",
        ylabel="Precision: share of alarms that are right",
        title=f"Held-out digits, {y.mean():.0%} of them {RARE_DIGIT}s",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=150)
    print(f"\nPrecision-recall curves saved to {path}.")


def main() -> None:
    """Load, thin, split, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", default="quickstart.png", metavar="FILE", help="picture to save")
    path = parser.parse_args().plot
    start = time.perf_counter()

    X, y = rare_digit()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=SEED
    )
    print(
        f"Is it an {RARE_DIGIT}? {len(y)} digits of {X.shape[1]} pixels, {y.sum()} of them "
        f"({y.mean():.1%}) an {RARE_DIGIT}.\n"
        f"{len(y_train)} rows to train on, {y_train.sum()} of them {RARE_DIGIT}s; "
        f"{len(y_test)} held out.\n\n"
        "Three pipelines, each with a StandardScaler before:\n"
        f"  {BALANCED:21s}64 hidden units, {EPOCHS} epochs, BalancedKerasClassifier's defaults\n"
        f"  {PLAIN:21s}the same, with class_weight=None and output_bias=None\n"
        f"  {LOGISTIC:21s}scikit-learn's, with its defaults\n"
        "Neither network stops early: there are too few rare rows to validate on.\n"
    )
    cross_validated(X_train, y_train)
    answers = held_out(X_train, X_test, y_train, y_test)
    draw(path, y_test, answers)
    print(f"Done in {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
