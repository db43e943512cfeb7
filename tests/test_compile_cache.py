"""The cache of programs: found by value, bounded, shared by threads, and never seen in results."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from helpers import assert_same_network
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from sk_imbalance_nn import (
    BalancedKerasClassifier,
    clear_compile_cache,
    compile_cache_info,
    set_compile_cache_size,
)
from sk_imbalance_nn.training.compile_cache import CompileCache

X, Y = make_classification(123, 5, n_informative=3, n_redundant=0, weights=[0.7], random_state=0)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    clear_compile_cache()
    yield
    set_compile_cache_size(32)


def network(meta: dict[str, Any], rate: float = 0.2) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dropout(rate),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def classifier(model: Any = network, **params: Any) -> BalancedKerasClassifier:
    defaults = {"epochs": 2, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(model, **{**defaults, **params})


def traces() -> int:
    return compile_cache_info().misses


def test_five_folds_trace_once() -> None:
    folds = StratifiedKFold(5)
    sizes = {len(train) for train, _ in folds.split(X, Y)}
    assert len(sizes) > 1  # not even the number of rows is the same
    cross_val_score(classifier(), X, Y, cv=folds, error_score="raise")
    assert traces() == 2  # training, prediction


def test_what_is_but_a_number_traces_nothing_new() -> None:
    classifier().fit(X, Y)
    grid = GridSearchCV(
        classifier(),
        {"optimizer__learning_rate": [0.1, 0.01], "class_weight": [None, {0: 1, 1: 5}]},
        cv=2,
        error_score="raise",
    )
    before = traces()
    grid.fit(X, Y)
    # Rows without weights are another program than rows with weights.
    assert traces() == before + 1
    classifier(random_state=5, batch_size=7, epochs=1).fit(X, Y)
    assert traces() == before + 1


def test_the_default_network_traces_once_for_all_rates_and_numbers_of_rows() -> None:
    classifier(None, epochs=1).fit(X, Y)
    before = traces()
    for n_rows in (80, 123):
        for rate in (0.01, 0.002):
            classifier(None, epochs=2, optimizer__learning_rate=rate).fit(X[:n_rows], Y[:n_rows])
    assert traces() == before


def test_label_weights_are_numbers_too() -> None:
    labels = np.column_stack([Y, X[:, 0] > 1, X[:, 1] > 0])
    first = classifier(None, epochs=1, class_weight=[1.0, 3.0, 2.0]).fit(X, labels)
    before = traces()
    second = classifier(None, epochs=1, class_weight=[2.0, 5.0, 1.0]).fit(X, labels)
    assert traces() == before
    assert np.abs(first.predict_proba(X) - second.predict_proba(X)).max() > 1e-3
    clear_compile_cache()
    again = classifier(None, epochs=1, class_weight=[2.0, 5.0, 1.0]).fit(X, labels)
    assert_same_network(second, again)


@pytest.mark.parametrize(
    ("model", "early_stopping"),
    [(network, False), (None, True)],
    ids=["network", "default network, stopped early"],
)
def test_a_cached_program_changes_no_bit(model: Any, early_stopping: bool) -> None:
    chosen = classifier(model, early_stopping=early_stopping, metrics=["AUC"])
    alone = chosen.fit(X, Y)
    history, outputs = alone.history_, alone.predict_proba(X)
    # Something else in between, on the same program, on more rows and at another rate.
    more = np.concatenate([X, X])
    classifier(
        model, early_stopping=early_stopping, metrics=["AUC"], random_state=9, batch_size=5
    ).set_params(optimizer__learning_rate=0.5).fit(more, np.concatenate([Y, Y]))
    before = traces()
    cached = classifier(model, early_stopping=early_stopping, metrics=["AUC"]).fit(X, Y)
    assert traces() == before
    np.testing.assert_array_equal(cached.predict_proba(X), outputs)
    assert cached.history_ == history
    np.testing.assert_array_equal(alone.predict_proba(X), outputs)  # left alone by the others


def test_an_evicted_program_changes_no_bit() -> None:
    first = classifier().fit(X, Y)
    set_compile_cache_size(0)
    assert compile_cache_info().currsize == 0
    second = classifier().fit(X, Y)
    assert compile_cache_info().currsize == 0
    assert_same_network(first, second)


def test_threads_share_programs_without_harm() -> None:
    # More threads than TensorFlow has: none may wait for ever for one of its own.
    chosen = [classifier(random_state=seed, epochs=4, batch_size=4) for seed in range(8)]
    alone = [one.fit(X, Y).predict_proba(X) for one in chosen]
    clear_compile_cache()
    start = threading.Barrier(8)

    def fit(one: BalancedKerasClassifier) -> Any:
        start.wait()
        return one.fit(X, Y).predict_proba(X)

    with ThreadPoolExecutor(8) as pool:
        together = [done.result(60) for done in [pool.submit(fit, one) for one in chosen]]
    np.testing.assert_array_equal(together, alone)
    assert traces() == 2


def test_callbacks_meet_the_network_that_is_trained() -> None:
    class Halve(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2
            self.model.layers[-1].bias.assign([7.0])

    classifier().fit(X, Y)
    before = traces()
    fitted = classifier(callbacks=Halve(), optimizer__learning_rate=0.4).fit(X, Y)
    assert traces() == before
    assert fitted.callbacks_[0].model is fitted.model_
    assert float(fitted.model_.optimizer.learning_rate) == pytest.approx(0.1)
    np.testing.assert_array_equal(fitted.model_.layers[-1].bias, [7.0])


def test_unknown_code_is_never_shared() -> None:
    class Doubled(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    def own(meta: dict[str, Any]) -> keras.Model:
        dense = keras.layers.Dense(1, activation="sigmoid")
        return keras.Sequential([keras.Input((5,)), Doubled(), dense])

    fits = [classifier(own).fit(X, Y) for _ in range(2)]
    assert compile_cache_info()[:2] == (0, 4)
    assert compile_cache_info().currsize == 0
    assert_same_network(*fits)


class Counted:
    shareable = True


def test_programs_used_longest_ago_go_first() -> None:
    cache = CompileCache(maxsize=2)
    made: list[str] = []

    def ask(key: str | None) -> None:
        def trace() -> Any:
            made.append(str(key))
            return Counted()

        cache.get(key, trace)

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert made == ["a", "b", "c", "b"]
    assert cache.info() == (2, 4, 2, 2)
    ask(None)
    assert cache.info().currsize == 2
    cache.resize(1)
    assert cache.info().currsize == 1
    cache.clear()
    assert cache.info() == (0, 0, 1, 0)


def test_a_trace_that_fails_leaves_nothing_behind() -> None:
    cache = CompileCache()

    def fails() -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("a", fails)
    assert isinstance(cache.get("a", Counted), Counted)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, found -1"):
        set_compile_cache_size(-1)


def refuses_to_work_in_a_child(fitted: BalancedKerasClassifier) -> None:
    for work in (lambda: fitted.predict(X), lambda: fitted.fit(X, Y)):
        with pytest.raises(RuntimeError, match="forked after TensorFlow had run"):
            work()
    assert compile_cache_info().currsize == 0


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_starts_empty_and_says_why_it_would_hang() -> None:
    """Trap 31."""
    fitted = classifier(epochs=1).fit(X, Y)
    before = fitted.predict(X)
    assert compile_cache_info().currsize == 2
    child = multiprocessing.get_context("fork").Process(
        target=refuses_to_work_in_a_child, args=(fitted,)
    )
    child.start()
    child.join(60)
    child.kill()  # one that hangs
    child.join()
    assert child.exitcode == 0
    np.testing.assert_array_equal(fitted.predict(X), before)
