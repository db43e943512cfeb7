"""An estimator in a line, and in a notebook."""

import copy
import functools

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, effective_number_weights

X, Y = make_classification(200, 6, weights=[0.8], random_state=0)


def build(meta, hidden=4):
    return keras.Sequential([keras.layers.Dense(1, "sigmoid")])


class Odd:
    pass


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, ""),
        ({"epochs": 5, "random_state": 0}, "epochs=5, random_state=0"),
        ({"epochs": None}, ""),
        ({"model": build, "hidden": 8}, "hidden=8, model=build"),
        ({"optimizer": keras.optimizers.Adam}, "optimizer=Adam"),
        ({"optimizer": keras.optimizers.Adam(0.1)}, "optimizer=Adam(...)"),
        (
            {"callbacks": [keras.callbacks.TerminateOnNaN(), "x"]},
            "callbacks=[TerminateOnNaN(...), 'x']",
        ),
        (
            {"class_weight": functools.partial(effective_number_weights, beta=0.9)},
            "class_weight=partial(effective_number_weights, beta=0.9)",
        ),
        ({"class_weight": {0: 1, 1: 5}}, "class_weight={0: 1, 1: 5}"),
        ({"odd": Odd()}, "odd=Odd(...)"),
        (
            {"model": functools.partial(build, hidden=Odd())},
            "model=partial(build, hidden=Odd(...))",
        ),
        ({"random_state": np.random.RandomState(0)}, "random_state=RandomState(...)"),
        ({"text": "<S at 0x1f> and more"}, "text='<S at 0x1f> and more'"),
    ],
)
def test_only_what_differs_is_shown(params, text):
    estimator = BalancedKerasClassifier(**params)
    before = dict(vars(estimator))
    assert repr(estimator) == f"BalancedKerasClassifier({text})"
    assert vars(estimator) == before


def test_networks_within_others_are_shown_alike():
    network = BalancedKerasClassifier(build, optimizer=keras.optimizers.Adam())
    tuned = ThresholdOptimizerCV(make_pipeline(StandardScaler(), network), scoring="f1")
    text = "".join(repr(tuned).split())
    assert "BalancedKerasClassifier(model=build,optimizer=Adam(...))" in text
    assert "at 0x" not in text
    assert tuned.estimator[-1] is network
    assert network.model is build


def test_what_holds_itself_is_shown_once():
    endless = {}
    endless["self"] = endless
    assert "odd={'self': {'self': " in repr(BalancedKerasClassifier(odd=endless))


def test_long_ones_are_cut():
    text = repr(BalancedKerasClassifier(**{f"long_name_{i}": i for i in range(200)}))
    assert len(text) < 900
    assert "..." in text


def test_notebooks_see_what_is_fitted():
    tuned = ThresholdOptimizerCV(
        make_pipeline(StandardScaler(), BalancedKerasClassifier(epochs=1, width=4)), cv=0.4
    )
    assert "Not fitted" in tuned._repr_html_()
    html = tuned.fit(X, Y)._repr_html_()
    for part in ("ThresholdOptimizerCV", "StandardScaler", "BalancedKerasClassifier", "fitted"):
        assert part in html
    assert "Not fitted" not in html


def test_a_shallow_copy_shares_the_network_and_a_clone_does_not():
    fitted = BalancedKerasClassifier(epochs=1, width=4, random_state=0).fit(X, Y)
    twin = copy.copy(fitted)
    assert twin.model_ is fitted.model_
    np.testing.assert_array_equal(twin.predict_proba(X), fitted.predict_proba(X))
    twin.set_params(epochs=2)
    assert fitted.epochs == 1
    assert not hasattr(clone(fitted), "model_")
    assert copy.deepcopy(fitted).model_ is not fitted.model_
