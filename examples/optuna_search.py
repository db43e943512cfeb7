"""Search networks and ways of balancing with Optuna, and give up early on what goes nowhere.

Each trial draws a width, a learning rate and a way of balancing, and trains on the same split.
After every epoch a callback reports the exact average precision on the validation rows, and ends
the trial if earlier trials were better at the same epoch: Optuna's pruning.

    python -m pip install ".[search]"
    python examples/optuna_search.py             # 30 trials
    python examples/optuna_search.py --fast      # 6 short ones
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from console import print_table, quiet_start
from imblearn.datasets import make_imbalance
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

with quiet_start():
    import keras

    from sk_imbalance_nn import BalancedKerasClassifier, output_layer

try:
    import optuna
except ImportError as error:
    raise SystemExit('This example needs Optuna: python -m pip install ".[search]"') from error

RARE_DIGIT, N_RARE, SEED = 8, 60, 0
SCORE = "val_average_precision"


class Prune(keras.callbacks.Callback):
    """Report each epoch's validation score to a trial, and end the trial if it is hopeless."""

    def __init__(self, trial: optuna.Trial) -> None:
        super().__init__()
        self.trial = trial

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report, and ask whether to go on."""
        self.trial.report((logs or {})[SCORE], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def build_network(meta: Mapping[str, Any], width: int = 32) -> keras.Model:
    """Build a network with one hidden layer."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(width, activation="relu")(inputs)
    return keras.Model(inputs, output_layer(meta)(keras.layers.Dropout(0.2)(hidden)))


def classifier_of(trial: optuna.Trial, epochs: int) -> BalancedKerasClassifier:
    """Draw what the search is over; a loss has parameters of its own only where it is drawn."""
    ways: dict[str, dict[str, Any]] = {
        "plain": {"class_weight": None},
        "class weights": {"class_weight": "balanced"},
        "over-sampling": {"sampler": "over"},
        "focal loss": {"loss": "focal"},
        "logit adjustment": {"loss": "logit_adjusted"},
    }
    name = trial.suggest_categorical("balancing", list(ways))
    if name == "focal loss":
        ways[name]["loss__gamma"] = trial.suggest_float("gamma", 0.5, 4.0)
    return BalancedKerasClassifier(
        build_network,
        width=trial.suggest_int("width", 8, 128, log=True),
        optimizer__learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True),
        epochs=epochs,
        early_stopping=True,
        n_iter_no_change=epochs,
        random_state=SEED,
        **ways[name],
    )


def rare_digit() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images, and which are the rare digit; most of the images of it are dropped."""
    X, digit = load_digits(return_X_y=True)
    y = (digit == RARE_DIGIT).astype(int)
    counts = {0: int((y == 0).sum()), 1: N_RARE}
    return make_imbalance(X / 16, y, sampling_strategy=counts, random_state=SEED)


def main() -> None:
    """Search, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="a few short trials")
    fast = parser.parse_args().fast
    n_trials, epochs = (6, 8) if fast else (30, 40)
    X, y = rare_digit()
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=SEED)
    X_fit, X_val, y_fit, y_val = train_test_split(
        X_train, y_train, stratify=y_train, random_state=SEED
    )
    print(f"{len(y)} images, {y.sum()} of them an {RARE_DIGIT}; {len(y_val)} to choose by.")

    def objective(trial: optuna.Trial) -> float:
        classifier = classifier_of(trial, epochs)
        # A class with its arguments, not an instance, which would be copied for the fit.
        classifier.set_params(callbacks=Prune, callbacks__trial=trial)
        classifier.fit(X_fit, y_fit, validation_data=(X_val, y_val))
        return float(classifier.best_validation_score_)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=SEED),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=3),
    )
    study.optimize(objective, n_trials=n_trials)
    states = [trial.state for trial in study.trials]
    n_pruned = states.count(optuna.trial.TrialState.PRUNED)
    print(f"{n_trials} trials of {epochs} epochs, {n_pruned} of them given up early.\n")
    finished = [trial for trial in study.trials if trial.value is not None]
    best = sorted(finished, key=lambda trial: -trial.value)[:5]
    print_table(
        ["balancing", "width", "rate", "validation"],
        {
            f"trial {trial.number}": [
                trial.params["balancing"],
                trial.params["width"],
                f"{trial.params['learning_rate']:.1e}",
                trial.value,
            ]
            for trial in best
        },
    )
    final = classifier_of(optuna.trial.FixedTrial(study.best_params), epochs)
    final.fit(X_fit, y_fit, validation_data=(X_val, y_val))
    ranking = average_precision_score(y_test, final.predict_proba(X_test)[:, 1])
    print(f"\nThe best one on {len(y_test)} rows that no trial saw: {ranking:.3f}.")
    if ranking < study.best_value:
        print("Lower than on the rows that it was chosen by, as the best of many tries will be.")


if __name__ == "__main__":
    main()
