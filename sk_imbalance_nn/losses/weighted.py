"""Cross-entropy whose classes, or whose labels' zeros and ones, weigh what they are told to."""

from __future__ import annotations

from typing import Any

import keras

from sk_imbalance_nn.networks.head_losses import HeadLoss


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class WeightedCrossentropy(HeadLoss):
    """Cross-entropy with a weight for each class, or for each label's zeros and ones.

    For several labels this is what ``class_weight`` of ``Model.fit`` cannot do: that one gives a
    whole row the weight of its first positive label.

    Parameters
    ----------
    class_weight : array-like of shape (n_classes,), (n_labels,) or (n_labels, 2), default=None
        What each class weighs. With ``link="sigmoid"``: what a one weighs, a label; or what a
        zero and a one weigh. Of one sigmoid: the weights of zeros and ones.
    **kwargs : dict
        ``link`` (default None: "sigmoid" for one output, "softmax" for several; give "sigmoid"
        for labels), ``from_logits`` (default None: no), ``name``, ``reduction``, ``dtype``.

    Raises
    ------
    TypeError
        If `class_weight` is a mapping.
    ValueError
        If weights are negative, not finite or all zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.losses import WeightedCrossentropy
    >>> y, proba = np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])
    >>> round(float(WeightedCrossentropy(link="sigmoid")(y, proba)), 3)
    0.693
    >>> round(float(WeightedCrossentropy([1.0, 3.0], link="sigmoid")(y, proba)), 3)
    1.386
    """

    def __init__(self, class_weight: Any = None, **kwargs: Any) -> None:
        super().__init__(class_weight=class_weight, **kwargs)
