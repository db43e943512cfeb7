"""The head: how a network's last layer, its loss and the target fit together.

A network answers with probabilities (a sigmoid or softmax at the end) or with logits (nothing at
the end). `resolve_head` looks at its output and its loss, refuses what does not fit the target,
and returns a `Head`, which knows what the loss wants to be given and how outputs become
probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from sk_imbalance_nn.data.targets import BINARY, MULTILABEL
from sk_imbalance_nn.networks.normalized_dense import NormalizedDense

SIGMOID, SOFTMAX, LINEAR = "sigmoid", "softmax", "linear"

_BINARY_LOSSES = {"binary_crossentropy", "binary_focal_crossentropy"}
_SPARSE_LOSSES = {"sparse_categorical_crossentropy"}
_ONE_HOT_LOSSES = {
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "kl_divergence",
}
_REGRESSION_LOSSES = {
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
    "poisson",
}
# The largest logit that a probability is turned into where the logits themselves are not known.
_EPSILON = 1e-12


@dataclass(frozen=True)
class Output:
    """What was seen of a network's output.

    Parameters
    ----------
    units : int
        The size of its last axis.
    activation : str or None
        ``"sigmoid"``, ``"softmax"``, ``"linear"``, another operation's name, or None where it
        could not be told.
    layer : str
        The last layer's name, for messages.
    like_probabilities : bool
        Whether the outputs for some rows could be probabilities: asked where the activation is
        not known.
    """

    units: int
    activation: str | None
    layer: str = "the last layer"
    like_probabilities: bool = True


@dataclass(frozen=True)
class Head:
    """How the codes of a target meet the outputs of a network.

    Parameters
    ----------
    target_type : {"binary", "multiclass", "multilabel-indicator"}
        As `TargetEncoder` calls it.
    n_classes : int
        Classes, or labels of a multilabel target.
    units : int
        Output units.
    link : {"sigmoid", "softmax"}
        What turns logits into probabilities.
    from_logits : bool
        Whether the network answers with logits.
    encoding : {"column", "codes", "one_hot", "indicator"}
        What the loss is given as ``y_true``.
    """

    target_type: str
    n_classes: int
    units: int
    link: str
    from_logits: bool
    encoding: str

    def encode(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Turn codes (n,) or an indicator (n, n_labels) into the ``y_true`` of the loss."""
        if self.encoding == "one_hot":
            return np.eye(self.n_classes, dtype=np.float32)[codes]
        y = codes.astype(np.float32)
        return y[:, None] if self.encoding in ("column", "codes") else y

    def logits(self, outputs: NDArray[Any], *, are_logits: bool) -> NDArray[np.float64]:
        """Turn outputs of the forward pass into logits of shape (n, units)."""
        outputs = np.asarray(outputs, dtype=np.float64)
        outputs = outputs.reshape(len(outputs), self.units)
        if are_logits:
            return outputs
        p = outputs.clip(_EPSILON, 1 - _EPSILON)
        if self.link == SIGMOID:
            return np.asarray(np.log(p) - np.log1p(-p))
        return np.asarray(np.log(p))

    def outputs(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn logits (n, units) into what a network that answers with probabilities would say."""
        return np.asarray(expit(logits) if self.link == SIGMOID else softmax(logits, axis=1))

    def decision(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn logits into scores: (n,) for binary targets, else (n, n_classes)."""
        if self.target_type != BINARY:
            return logits if self.link == SIGMOID else np.asarray(log_softmax(logits, axis=1))
        return logits[:, 0] if self.units == 1 else logits[:, 1] - logits[:, 0]

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn logits into probabilities of shape (n, n_classes)."""
        if self.units == 1:
            probabilities = np.empty((len(logits), 2))
            np.negative(logits[:, 0], out=probabilities[:, 0])
            probabilities[:, 1] = logits[:, 0]
            return np.asarray(expit(probabilities, out=probabilities))
        return np.asarray(expit(logits) if self.link == SIGMOID else softmax(logits, axis=1))

    def codes(self, logits: NDArray[np.float64]) -> NDArray[np.intp]:
        """Turn logits into the codes of the most probable classes, or labels over one half."""
        if self.link == SIGMOID:
            yes = (logits > 0).astype(np.intp)
            return yes[:, 0] if self.target_type == BINARY else yes
        return logits.argmax(axis=1)


def resolve_head(
    output: Output, loss: Any, target_type: str, n_classes: int, *, one_hot: bool = False
) -> Head:
    """Return the head that an output, a loss and a target make, or refuse them.

    Parameters
    ----------
    output : Output
        What the network answers with.
    loss : None, str, callable or keras.losses.Loss
        What it was compiled with; None for the loss that fits (``loss="auto"``).
    target_type : {"binary", "multiclass", "multilabel-indicator"}
        The type of the target.
    n_classes : int
        How many classes or labels it has.
    one_hot : bool, default=False
        Whether the labels came as one-hot rows: what a loss that Keras does not know expects.

    Returns
    -------
    Head
        What is given to the loss, and how outputs are read.

    Raises
    ------
    ValueError
        If the three do not fit; the message says which line to change to what.

    Examples
    --------
    >>> resolve_head(Output(1, "sigmoid"), "binary_crossentropy", "binary", 2).encoding
    'column'
    >>> resolve_head(Output(2, "sigmoid"), "binary_crossentropy", "binary", 2)
    Traceback (most recent call last):
        ...
    ValueError: the last layer: 2 units with activation='sigmoid' on a binary target. ...
    """
    _check_output(output, target_type, n_classes)
    name = None if loss is None else _family(loss)
    link = SIGMOID if output.units == 1 or target_type == MULTILABEL else SOFTMAX
    from_logits = _check_from_logits(output, loss, name)
    _check_loss(output, name, link, target_type, n_classes)
    if link == SIGMOID:
        encoding = "column" if target_type == BINARY else "indicator"
    elif name is None or name in _SPARSE_LOSSES:
        encoding = "codes"
    else:  # Keras' other losses compare each output with a target of its own
        encoding = "one_hot" if hasattr(keras.losses, name) or one_hot else "codes"
    return Head(target_type, n_classes, output.units, link, from_logits, encoding)


def _cure(target_type: str, n_classes: int) -> str:
    if target_type == BINARY:
        return (
            "Make it Dense(1, activation='sigmoid') (or Dense(2, activation='softmax')), or let "
            "output_layer(meta) choose."
        )
    activation = SIGMOID if target_type == MULTILABEL else SOFTMAX
    return (
        f"Make it Dense({n_classes}, activation='{activation}'), or let output_layer(meta) choose."
    )


def _check_output(output: Output, target_type: str, n_classes: int) -> None:
    """Refuse a number of units, or an activation, that cannot belong to the target."""
    cure = _cure(target_type, n_classes)
    units, activation = output.units, output.activation
    plural = "s" if units != 1 else ""
    what = f"{output.layer}: {units} unit{plural} with activation={activation!r}"
    fitting = {1, 2} if target_type == BINARY else {n_classes}
    if activation == SOFTMAX and units == 1:
        raise ValueError(
            f"{what} answers 1.0 for every row, whatever it learns: a softmax needs two units or "
            f"more. {cure}"
        )
    if units not in fitting:
        things = "labels" if target_type == MULTILABEL else "classes"
        raise ValueError(f"{what}, but the {target_type} target has {n_classes} {things}. {cure}")
    if target_type == MULTILABEL and activation == SOFTMAX:
        raise ValueError(
            f"{what} on a multilabel target: a softmax lets one label push down the others, "
            f"though a row may have several. {cure}"
        )
    if target_type != MULTILABEL and units > 1 and activation == SIGMOID:
        raise ValueError(
            f"{what} on a {target_type} target. The classes exclude each other, but independent "
            f"sigmoids do not sum to one and count every row {units} times. {cure}"
        )
    if activation not in (None, SIGMOID, SOFTMAX, LINEAR):
        raise ValueError(f"{what} gives neither probabilities nor logits. {cure}")


def _check_from_logits(output: Output, loss: Any, name: str | None) -> bool:
    """Return whether the network answers with logits; refuse a loss that believes otherwise."""
    declared = from_logits_of(loss)
    if output.activation is None and name is None:
        raise ValueError(
            "loss='auto' could not tell what the last layer answers with (probabilities or "
            "logits). Give the loss, e.g. loss=keras.losses.BinaryCrossentropy(from_logits=True)."
        )
    if output.activation is None:
        if not declared and not output.like_probabilities:
            raise ValueError(
                f"The loss {name} takes probabilities, or does not say what it takes, but what "
                f"{output.layer} answers with are none. End the network in a Dense layer with "
                "an activation, or give a loss with from_logits=True."
            )
        return bool(declared)
    answers_logits = output.activation == LINEAR
    if declared is None:
        return answers_logits
    if declared and not answers_logits:
        raise ValueError(
            f"The loss {name} has from_logits=True, but {output.layer} ends in "
            f"activation={output.activation!r}, so its outputs are probabilities already. Take "
            "the activation out of the layer, or from_logits=True out of the loss."
        )
    if answers_logits and not declared:
        activation = SIGMOID if name in _BINARY_LOSSES else SOFTMAX
        raise ValueError(
            f"The loss {name} has from_logits=False, but {output.layer} has no activation, so its "
            f"outputs are logits. Give the layer activation='{activation}', or the loss "
            "from_logits=True (loss__from_logits=True), or leave both to loss='auto'."
        )
    return answers_logits


def _check_loss(
    output: Output, name: str | None, link: str, target_type: str, n_classes: int
) -> None:
    """Refuse a loss of another family than the head's."""
    cure = _cure(target_type, n_classes)
    units = f"{output.units} unit{'s' if output.units != 1 else ''}"
    if link == SIGMOID and name in _SPARSE_LOSSES | _ONE_HOT_LOSSES:
        raise ValueError(
            f"The loss {name} wants one probability for each class, but {output.layer} has "
            f"{units} for a {target_type} target. Use loss='binary_crossentropy' or "
            f"loss='auto'. {cure}"
        )
    if link == SOFTMAX and name in _BINARY_LOSSES and output.activation != SOFTMAX:
        raise ValueError(
            f"The loss {name} on {units} without a softmax trains {output.units} independent "
            f"sigmoids on a {target_type} target, whose classes exclude each other. Use "
            f"loss='auto'. {cure}"
        )
    if name in _REGRESSION_LOSSES and output.activation == LINEAR:
        raise ValueError(
            f"The loss {name} with no activation at the end fits a regression; its outputs are "
            f"neither probabilities nor logits. {cure}"
        )


def loss_name(loss: Any) -> str:
    """Return a loss' name in snake case, as ``keras.losses`` spells its functions.

    Parameters
    ----------
    loss : str, callable, class or keras.losses.Loss
        A loss in any form that ``compile`` accepts.

    Returns
    -------
    str
        E.g. ``"binary_crossentropy"``.

    Examples
    --------
    >>> loss_name("BinaryCrossentropy"), loss_name("bce")
    ('binary_crossentropy', 'binary_crossentropy')
    """
    if isinstance(loss, str):
        known = keras.losses.get(loss)
        return loss_name(known)
    if isinstance(loss, keras.losses.Loss):
        function = getattr(loss, "fn", None)
        if function is not None and type(loss).__module__.startswith("keras."):
            return str(getattr(function, "__name__", loss.name))
        return _snake(type(loss).__name__)
    if isinstance(loss, type):
        return _snake(loss.__name__)
    return str(getattr(loss, "__name__", _snake(type(loss).__name__)))


def _family(loss: Any) -> str:
    """Return the name of the loss of Keras' own that a loss is, or that its class extends."""
    kind = loss if isinstance(loss, type) else type(loss)
    for ancestor in kind.__mro__ if issubclass(kind, keras.losses.Loss) else ():
        if hasattr(keras.losses, ancestor.__name__) and ancestor is not keras.losses.Loss:
            return _snake(ancestor.__name__)
    return loss_name(loss)


def _snake(name: str) -> str:
    # A word starts at a capital after a small letter, or before one: KLDivergence is kl_divergence.
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def from_logits_of(loss: Any) -> bool | None:
    """Return whether a loss expects logits, or None where it does not say.

    Keras' named cross-entropies and their functions take probabilities; instances and functions
    of others say so if they have a ``from_logits``.
    """
    if loss is None:
        return None
    declared = getattr(loss, "from_logits", None)
    if isinstance(loss, keras.losses.Loss):
        config = loss.get_config() if _has_config(loss) else {}
        declared = config.get("fn_kwargs", config).get("from_logits", declared)
    else:
        name = loss_name(loss)
        if "crossentropy" in name and hasattr(keras.losses, name):
            declared = False
    return None if declared is None else bool(declared)


def _has_config(loss: keras.losses.Loss) -> bool:
    try:
        loss.get_config()
    except NotImplementedError:
        return False
    return True


def output_layer(
    meta: Mapping[str, Any], *, logits: bool = False, normalized: bool = False, **kwargs: Any
) -> Any:
    """Return the last layer that fits the target.

    Parameters
    ----------
    meta : mapping
        What the estimator hands to a builder that has an argument ``meta``.
    logits : bool, default=False
        Whether to leave the activation out.
    normalized : bool, default=False
        Whether to answer with cosines instead, without bias and activation: for ``loss="ldam"``
        with ``loss__scale=30``, as in its paper.
    **kwargs
        For the layer, e.g. ``kernel_regularizer``.

    Returns
    -------
    keras.layers.Dense or NormalizedDense
        One sigmoid unit for a binary target, as many softmax units as classes for a multiclass
        one, as many sigmoid units as labels for a multilabel one.

    Examples
    --------
    >>> layer = output_layer({"target_type_": "multiclass", "n_classes_": 4})
    >>> layer.units, layer.activation.__name__
    (4, 'softmax')
    """
    target_type, n_classes = meta["target_type_"], meta["n_classes_"]
    units = 1 if target_type == BINARY else n_classes
    if normalized:
        return NormalizedDense(units, **kwargs)
    activation = SOFTMAX if target_type not in (BINARY, MULTILABEL) else SIGMOID
    return keras.layers.Dense(units, activation=None if logits else activation, **kwargs)
