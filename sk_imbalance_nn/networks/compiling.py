"""Compiling: a network, its target and its compile arguments are brought together once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import compile_arguments
from sk_imbalance_nn.balancing.balance import Balance
from sk_imbalance_nn.balancing.priors import binary_output_bias, softmax_output_bias
from sk_imbalance_nn.data.targets import MULTILABEL
from sk_imbalance_nn.networks.head_losses import HeadCrossentropy, HeadLoss, LabelWeighted
from sk_imbalance_nn.networks.heads import SIGMOID, Head, Output, loss_name, resolve_head
from sk_imbalance_nn.networks.metrics import metrics_for_head

# At the minimum of these an output is not the share of a class.
_NO_POSTERIORS = {
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
}
# Layers that may stand behind the one that holds the output's bias.
_WITHOUT_WEIGHTS = (
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Softmax,
)


def compile_arguments_of(model: keras.Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network is to be compiled with.

    Parameters
    ----------
    model : keras.Model
        If its builder compiled it, that stands.
    given : mapping
        Else these.

    Returns
    -------
    dict
        Arguments for ``model.compile``.

    Raises
    ------
    ValueError
        If there is no optimizer.
    """
    arguments = compile_arguments(model) if model.compiled else dict(given)
    if not arguments.get("optimizer"):
        raise ValueError("You must provide an optimizer or a compiled model: optimizer='adam'.")
    return arguments


def compile_for_target(
    model: keras.Model,
    output: Output,
    arguments: Mapping[str, Any],
    target_type: str,
    n_classes: int,
    balance: Balance,
    *,
    one_hot: bool = False,
) -> Head:
    """Check the head of a network and compile it for the target.

    Parameters
    ----------
    model : keras.Model
        Built; compiled in place.
    output : Output
        What was seen of its output.
    arguments : mapping
        For ``compile``, as `compile_arguments_of` returns them.
    target_type : {"binary", "multiclass", "multilabel-indicator"}
        The type of the target.
    n_classes : int
        Its classes or labels.
    balance : Balance
        What classes weigh: of multilabel targets that is part of the loss. And their priors, for
        losses that go by them.
    one_hot : bool, default=False
        Whether the labels came as one-hot rows.

    Returns
    -------
    Head
        The head.

    Raises
    ------
    ValueError
        If output, loss and target do not fit together.
    """
    loss = single_loss(arguments.get("loss"))
    automatic = loss is None or isinstance(loss, HeadCrossentropy)
    # A continued fit meets the wrapper that an earlier one put around the loss.
    loss = loss.loss if isinstance(loss, LabelWeighted) else loss
    own = isinstance(loss, HeadLoss)
    head = resolve_head(
        output, None if automatic else loss, target_type, n_classes, one_hot=one_hot and not own
    )
    several, plain = target_type == MULTILABEL, bool(np.all(balance.weights == 1))
    if own:
        _refuse_weights_of_its_own(loss)
        weights = relative_weights(balance)
        # One that defers weights keeps a place for those of later calls.
        takes = loss.defers or (several and not plain)
        loss = loss.fitted_to(
            head, balance.mass, balance.training_prior, weights if takes else None
        )
    else:
        loss = HeadCrossentropy(head) if automatic else loss
        if several and not plain:
            loss = LabelWeighted(_as_object(loss), balance.weights)
    changed = {
        "loss": loss,
        "metrics": metrics_for_head(arguments.get("metrics"), head),
        "weighted_metrics": metrics_for_head(arguments.get("weighted_metrics"), head),
    }
    model.compile(**{**arguments, **changed})
    return head


def relative_weights(balance: Balance) -> NDArray[np.float64]:
    """Return the class weights that a loss takes itself, with a mean of one over an epoch.

    Parameters
    ----------
    balance : Balance
        Of the training.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_labels, 2)
        Those of labels as they are.
    """
    if balance.weights.ndim == 2:
        return balance.weights
    return np.asarray(balance.row_factors / balance.plain_factors)


def _refuse_weights_of_its_own(loss: HeadLoss) -> None:
    if loss.class_weight is not None and "class_weight" not in loss.left_open:
        raise ValueError(
            f"{type(loss).__name__} was given class_weight={loss.class_weight}, which only Keras "
            "alone should need: give it to the classifier, class_weight=..., which counts what "
            "weights make of the classes' frequencies."
        )


def own_loss(model: keras.Model) -> HeadLoss | None:
    """Return the loss that a network was compiled with if it is one of this package's.

    Parameters
    ----------
    model : keras.Model
        Compiled or not.

    Returns
    -------
    HeadLoss or None
        None for the plain cross-entropy and for others' losses.
    """
    loss = single_loss(getattr(model, "loss", None))
    return loss if isinstance(loss, HeadLoss) else None


def takes_class_weights(model: keras.Model) -> bool:
    """Say whether a network's loss weighs the classes, so that rows do not."""
    loss = own_loss(model)
    return loss is not None and loss.defers


def check_can_be_corrected(model: keras.Model) -> None:
    """Refuse to correct the probabilities of a loss that no posterior can be read from.

    Parameters
    ----------
    model : keras.Model
        Compiled for its target.

    Raises
    ------
    ValueError
        For Keras' focal, hinge and absolute losses and for smoothed labels: at their minimum the
        outputs are not the posteriors.
    """
    loss = single_loss(getattr(model, "loss", None))
    loss = loss.loss if isinstance(loss, LabelWeighted) else loss
    if loss is None or isinstance(loss, HeadLoss | HeadCrossentropy):
        return
    name = loss_name(loss)
    if "focal" in name:
        raise ValueError(
            f"correct_prior cannot read posteriors from Keras' {name}, whose minimum lies "
            "elsewhere; use loss='focal', which knows the way back, or correct_prior=False."
        )
    if "hinge" in name or name in _NO_POSTERIORS:
        raise ValueError(
            f"correct_prior needs probabilities, which the loss {name} does not learn; use a "
            "cross-entropy (loss='auto'), or correct_prior=False."
        )
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    if config.get("label_smoothing"):
        raise ValueError(
            f"correct_prior needs probabilities, which label_smoothing={config['label_smoothing']} "
            "shifts; leave out label_smoothing, or correct_prior."
        )


def can_be_corrected(model: keras.Model) -> bool:
    """Say whether `check_can_be_corrected` has nothing against a network.

    Parameters
    ----------
    model : keras.Model
        Compiled for its target.

    Returns
    -------
    bool
        True if posteriors can be read from its outputs.
    """
    try:
        check_can_be_corrected(model)
    except ValueError:
        return False
    return True


def check_same_loss(requested: Any, compiled: Any) -> None:
    """Refuse a network that its builder compiled with another loss than the estimator's.

    Parameters
    ----------
    requested, compiled : None, str, callable, keras.losses.Loss or container of them
        The estimator's loss, and the network's.

    Raises
    ------
    ValueError
        If both are given and their names differ.
    """
    requested, compiled = single_loss(requested), single_loss(compiled)
    if requested is None or requested == "auto" or compiled is None:
        return
    if isinstance(requested, type) and isinstance(compiled, requested):
        return
    if any(isinstance(loss, Mapping | list | tuple) for loss in (requested, compiled)):
        return
    if loss_name(requested) != loss_name(compiled):
        raise ValueError(
            f"loss={requested} but model compiled with {compiled}. Data may not match loss "
            "function! Leave the loss to one of the two: loss='auto', or a builder that does not "
            "compile."
        )


def start_at_prior(model: keras.Model, head: Head, prior: NDArray[np.float64]) -> None:
    """Set the bias of the output layer so that the first predictions are the prior.

    Without it the first epochs go into learning that the class is rare (TensorFlow's tutorial
    on imbalanced data). A bias that the builder initialised to something else is left alone, and
    so is an output whose layer has none.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    head : Head
        Its head.
    prior : ndarray of shape (n_classes,)
        Shares of the classes, or of the positives of each label, as training will see them.

    Notes
    -----
    A loss that adds the log prior to the logits itself starts without it.
    """
    layer = _output_layer_of(model)
    bias = getattr(layer, "bias", None)
    # Of an ensemble's head each member has a row.
    if bias is None or bias.shape[-1] != head.units or np.any(np.asarray(bias)):
        return
    if head.target_type != MULTILABEL and not np.all(prior):
        return  # a first partial fit that has not met every class yet
    if head.link == SIGMOID:
        start = np.atleast_1d(
            binary_output_bias(prior if head.target_type == MULTILABEL else prior[1])
        )
    else:
        start = softmax_output_bias(prior)
    loss = own_loss(model)
    if loss is not None:
        start = loss.start(start)
    bias.assign(np.broadcast_to(start, bias.shape).astype(np.float32))


def shift_answers(model: keras.Model, shift: NDArray[np.float64]) -> None:
    """Add to the bias of the output layer, so that the answers refer to another prior.

    Parameters
    ----------
    model : keras.Model
        With a bias in its last layer; changed in place.
    shift : ndarray of shape (units,)
        What is added to each logit.
    """
    bias = _output_layer_of(model).bias
    bias.assign_add(np.broadcast_to(shift, bias.shape).astype(np.float32))


def output_layer_name(model: keras.Model) -> str:
    """Return how messages call the layer that a network ends in."""
    if isinstance(model, keras.Sequential) and model.layers:
        names = [model.layers[-1].name]
    else:
        names = getattr(model, "output_names", None)
    return f"the output layer {names[0]!r}" if names else "the last layer"


def _output_layer_of(model: keras.Model) -> Any:
    """Return the layer with the output's bias, where the order of the layers is known."""
    if isinstance(model, keras.Sequential):
        layers = list(model.layers)
    elif len(getattr(model, "output_names", None) or []) == 1:
        layers = _path_to(model, model.get_layer(model.output_names[0]))
    else:
        return None
    while layers and isinstance(layers[-1], _WITHOUT_WEIGHTS):
        layers.pop()
    if not layers:
        return None
    return _output_layer_of(layers[-1]) if isinstance(layers[-1], keras.Model) else layers[-1]


def _path_to(model: keras.Model, layer: Any) -> list[Any]:
    """Return a layer, after those without weights before it and the first one with weights."""
    path = [layer]
    while isinstance(path[0], _WITHOUT_WEIGHTS):
        before = [part for part in model.layers if part.output is path[0].input]
        if len(before) != 1:
            return []
        path.insert(0, before[0])
    return path


def single_loss(loss: Any) -> Any:
    """Return the loss of the only output out of the list or dict that may hold it.

    Parameters
    ----------
    loss : object
        As ``compile`` takes it.

    Returns
    -------
    object
        The one loss, or what was given if it holds several or is none.
    """
    if isinstance(loss, Mapping):
        loss = list(loss.values())
    return loss[0] if isinstance(loss, list | tuple) and len(loss) == 1 else loss


def _as_object(loss: Any) -> Any:
    return keras.losses.get(loss) if isinstance(loss, str) else loss
