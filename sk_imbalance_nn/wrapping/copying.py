"""Cloning: parameters that are Keras objects, copied without losing what Keras does not know."""

from __future__ import annotations

import copy
from typing import Any

import keras
from sklearn.base import clone

from sk_imbalance_nn.networks.serialization import pack, unpack


def clone_parameter(value: Any) -> Any:
    """Return an unfitted copy of an estimator's parameter.

    Parameters
    ----------
    value : object
        Estimators are cloned. A network is shared: no fit trains it in place, and copying one
        takes longer than all the rest of a clone. Everything else is copied deeply, Keras
        objects by their own configuration.

    Returns
    -------
    object
        The copy.
    """
    if isinstance(value, keras.Model):
        return value
    if hasattr(value, "get_params") and not isinstance(value, type):
        return clone(value)
    return unpack(copy.deepcopy(pack(value)))
