"""A hundred labels, each set in 5 to 10 % of the rows, and answers that are more than "no".

The failure: nine answers in ten are no, so a network that never says yes is right more than nine
times in ten. Its loss and its accuracy look well, and nothing is found.

The cures, each by itself and then together with thresholds: weights for each label's two values
(``class_weight``), the asymmetric loss, rows drawn for their rarest label
(``sampler="balanced"``, which evens out labels, not ones and zeros), and a threshold for each
label instead of 0.5 (``ThresholdOptimizerCV``). They are compared by macro F1, which looks at the
answers, and by the average precision of each label, which looks only at how rows are ranked.

The data are generated: the labels depend on a dozen hidden quantities that mix in the columns, so
that labels go together, as they do in practice.

    python examples/hundred_labels.py
    python examples/hundred_labels.py --fast     # fewer rows, epochs and labels
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from console import print_table, quiet_start
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import train_test_split

with quiet_start():
    import keras

    from sk_imbalance_nn import (
        BalancedKerasClassifier,
        ThresholdOptimizerCV,
        imbalance_report,
        output_layer,
    )

N_COLUMNS, N_HIDDEN = 40, 12
SHARES = 0.05, 0.10
SEED = 0
NEVER, PLAIN, SAMPLED = 'always "no"', "plain", "balanced sampler"

Answers = tuple[NDArray[Any], NDArray[Any]]


def labelled_rows(n_rows: int, n_labels: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return columns and an indicator of labels that go by quantities hidden in the columns."""
    rng = np.random.default_rng(SEED)
    hidden = rng.normal(size=(n_rows, N_HIDDEN))
    mixed = np.tanh(hidden @ rng.normal(size=(N_HIDDEN, N_COLUMNS)) / 2)
    X = mixed + rng.normal(scale=0.5, size=mixed.shape)
    # Each label asks for a direction of the hidden quantities, and for their being far out.
    score = hidden @ rng.normal(size=(N_HIDDEN, n_labels)) / np.sqrt(N_HIDDEN)
    score += 0.3 * (hidden**2) @ rng.normal(size=(N_HIDDEN, n_labels)) / np.sqrt(N_HIDDEN)
    score += rng.normal(scale=0.5, size=score.shape)
    shares = rng.uniform(*SHARES, size=n_labels)
    cuts = [np.quantile(column, 1 - share) for column, share in zip(score.T, shares, strict=True)]
    return X.astype("float32"), (score > cuts).astype(int)


def build_network(meta: Mapping[str, Any]) -> keras.Model:
    """Build a network with one hidden layer; ``output_layer`` adds a sigmoid for each label."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.2),
            output_layer(meta),
        ]
    )


def gentle_weights(Y: NDArray[Any]) -> NDArray[Any]:
    """Return a pair for each label, for its zeros and its ones: roots of the balanced weights."""
    ones = Y.mean(axis=0)
    return np.sqrt(np.column_stack([0.5 / (1 - ones), 0.5 / ones]))


def cures(Y: NDArray[Any]) -> dict[str, dict[str, Any]]:
    """Return what each cure is in the parameters of the classifier."""
    return {
        PLAIN: {"class_weight": None},
        "weights, balanced": {"class_weight": "balanced"},
        "weights, their roots": {"class_weight": gentle_weights(Y)},
        "asymmetric loss": {"loss": "asymmetric"},
        SAMPLED: {"sampler": "balanced", "class_weight": None},
    }


def tuned(epochs: int, parameters: Mapping[str, Any]) -> ThresholdOptimizerCV:
    """Make a network with these parameters, and a threshold for each label on top of it."""
    network = BalancedKerasClassifier(
        build_network,
        epochs=epochs,
        batch_size=64,
        early_stopping=False,
        random_state=SEED,
        **parameters,
    )
    return ThresholdOptimizerCV(network, scoring="f1_macro", cv=3, random_state=SEED)


def macro_f1(Y: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the mean F1 of the labels; 0 for those that are never answered or met."""
    return float(f1_score(Y, predicted, average="macro", zero_division=0))


def fit_all(
    X: NDArray[Any], Y: NDArray[Any], epochs: int, fast: bool
) -> dict[str, ThresholdOptimizerCV]:
    """Fit a network for each cure, and its thresholds."""
    names = cures(Y)
    if fast:
        names.pop("weights, their roots")
    return {name: tuned(epochs, parameters).fit(X, Y) for name, parameters in names.items()}


def all_answers(fitted: Mapping[str, ThresholdOptimizerCV], X: NDArray[Any]) -> dict[str, Answers]:
    """Return each network's answers: at 0.5, and with a threshold for each label."""
    return {name: (o.estimator_.predict(X), o.predict(X)) for name, o in fitted.items()}


def show_answers(
    fitted: Mapping[str, ThresholdOptimizerCV], answers: Mapping[str, Answers], Y: NDArray[Any]
) -> None:
    """Print how good answers are, at 0.5 and with a threshold for each label."""
    never = np.zeros_like(Y)
    rows = {NEVER: (float((Y == never).mean()), macro_f1(Y, never), Y.shape[1], "", "")}
    for name, (at_half, tuned_answers) in answers.items():
        low, high = np.quantile(fitted[name].best_threshold_, [0.05, 0.95])
        rows[name] = (
            float((at_half == Y).mean()),
            macro_f1(Y, at_half),
            int((at_half.sum(axis=0) == 0).sum()),
            macro_f1(Y, tuned_answers),
            f"{low:.2f} to {high:.2f}",
        )
    titles = ("right at 0.5", "macro F1 at 0.5", "never said", "macro F1 tuned", "most thresholds")
    print("Answers for the held-out rows: at 0.5, and with a threshold for each label\n")
    print_table(titles, rows)
    print(
        "\nRight: the share of all answers. Never said: labels that no row gets. Most thresholds:\n"
        "nine labels in ten have theirs in this range.\n"
    )


def show_gains(answers: Mapping[str, Answers], Y: NDArray[Any]) -> None:
    """Print what the cures and the thresholds change."""
    half, cut = ({name: macro_f1(Y, a[i]) for name, a in answers.items()} for i in (0, 1))
    print(
        f"At 0.5: {best_and_span(half)}.\n"
        f"With thresholds: {best_and_span(cut)}.\n"
        f"Thresholds alone change {PLAIN!r} by {cut[PLAIN] - half[PLAIN]:+.3f}.\n"
    )


def best_and_span(scores: Mapping[str, float]) -> str:
    """Say which macro F1 is best, by how much, and how far all of them lie apart."""
    best = max(scores, key=scores.__getitem__)
    gain = "" if best == PLAIN else f", {scores[best] - scores[PLAIN]:+.3f} from {PLAIN!r}"
    span = max(scores.values()) - min(scores.values())
    return f"{best!r} is best{gain}; from worst to best it is {span:.3f}"


def show_sampled(fitted: Mapping[str, ThresholdOptimizerCV]) -> None:
    """Print how much more often the sampler showed the labels."""
    network = fitted[SAMPLED].estimator_
    print(
        f"{SAMPLED!r} showed labels in {network.training_prior_.mean():.1%} of the rows in the "
        f"mean, in place of {network.class_prior_.mean():.1%}:\na row brings its other labels "
        "along, and its zeros.\n"
    )


def show_ranking(
    fitted: Mapping[str, ThresholdOptimizerCV], X: NDArray[Any], Y: NDArray[Any]
) -> None:
    """Print the average precision of the labels, and for how many each cure raises it."""
    precision = {
        name: average_precision_score(Y, optimizer.predict_proba(X), average=None)
        for name, optimizer in fitted.items()
    }
    rows = {}
    for name, values in precision.items():
        better = "" if name == PLAIN else f"{(values > precision[PLAIN]).sum()} of {len(values)}"
        rows[name] = *(float(pick(values)) for pick in (np.mean, np.min, np.max)), better
    print("Average precision of each label: how rows are ranked, whatever the threshold\n")
    print_table(("mean", "lowest", "highest", "better than plain"), rows)
    print(f"\nRanking by chance has {Y.mean():.3f}.\n")


def show_report(
    fitted: Mapping[str, ThresholdOptimizerCV], X: NDArray[Any], Y: NDArray[Any]
) -> None:
    """Print a report on the hardest labels of the combination that cross-validation prefers."""
    name = max(fitted, key=lambda name: fitted[name].best_score_)
    optimizer = fitted[name]
    proba, thresholds = optimizer.predict_proba(X), optimizer.best_threshold_
    report = imbalance_report(Y, proba, threshold=thresholds)
    by_label = report["f1"]
    hardest = sorted(range(Y.shape[1]), key=lambda label: by_label[label])[:3]
    means = {metric: report[metric, "macro"] for metric in ("f1", "precision", "recall")}
    print(
        f"Cross-validation on the training rows prefers {name!r} with thresholds: macro F1\n"
        f"{optimizer.best_score_:.3f} there, {means['f1']:.3f} on the held-out rows (precision "
        f"{means['precision']:.3f}, recall {means['recall']:.3f}).\n"
        "The report on the three labels with the lowest F1:\n"
    )
    print(
        imbalance_report(
            Y[:, hardest],
            proba[:, hardest],
            threshold=thresholds[hardest],
            classes=[f"label {label}" for label in hardest],
        )
    )


def main() -> None:
    """Generate, split, fit with each cure, and show before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="fewer rows, epochs and labels")
    fast = parser.parse_args().fast
    n_rows, n_labels, epochs = (1500, 30, 6) if fast else (6000, 100, 30)

    X, Y = labelled_rows(n_rows, n_labels)
    X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=1 / 3, random_state=SEED)
    ones = Y.mean(axis=0)
    print(
        f"{n_rows} generated rows, {n_labels} labels, each set in {ones.min():.1%} to "
        f"{ones.max():.1%} of the rows; {len(Y_test)} held out.\n"
    )
    fitted = fit_all(X_train, Y_train, epochs, fast)
    answers = all_answers(fitted, X_test)
    show_answers(fitted, answers, Y_test)
    show_gains(answers, Y_test)
    show_sampled(fitted)
    show_ranking(fitted, X_test, Y_test)
    show_report(fitted, X_test, Y_test)


if __name__ == "__main__":
    main()
