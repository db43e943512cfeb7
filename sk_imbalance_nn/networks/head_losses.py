"""Losses that know the head: its own cross-entropy, weights for labels, the base of the others."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import (
    StrOptions,
    expand_outputs,
    validate_parameter_constraints,
)
from sk_imbalance_nn.networks.heads import SIGMOID, SOFTMAX, Head, loss_name
from sk_imbalance_nn.networks.loss_inputs import (
    check_length,
    checked_class_weight,
    logits_from,
    targets_like,
    weights_of_labels,
)


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class HeadCrossentropy(keras.losses.Loss):
    """Cross-entropy that fits a head: what ``loss="auto"`` stands for.

    Before the head is known (builders may compile with ``compile_kwargs["loss"]``) it is only a
    placeholder, which the estimator replaces once the network stands.

    Parameters
    ----------
    head : Head, dict or None
        The head; None for the placeholder.
    name, reduction, dtype : str, str, dtype
        As for ``keras.losses.Loss``.
    """

    def __init__(
        self,
        head: Head | Mapping[str, Any] | None = None,
        name: str = "crossentropy",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.head = Head(**head) if isinstance(head, Mapping) else head

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row."""
        if self.head is None:
            raise ValueError("loss='auto' is chosen once the network is built; none is yet.")
        if self.head.link == SIGMOID:
            function = keras.losses.binary_crossentropy
        else:
            function = keras.losses.sparse_categorical_crossentropy
        return function(y_true, y_pred, from_logits=self.head.from_logits)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss."""
        head = None if self.head is None else asdict(self.head)
        return {**super().get_config(), "head": head}


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class LabelWeighted(keras.losses.Loss):
    """A loss on single outputs, with a weight for each label's zeros and for its ones.

    Keras reduces a multilabel loss over the labels before weights can reach them, and its
    ``class_weight`` gives a whole row the weight of its first positive label.

    Parameters
    ----------
    loss : keras.losses.Loss or callable
        A loss that is a mean over single outputs, e.g. binary cross-entropy.
    weights : array-like of shape (n_labels, 2)
        The weight of a 0 and of a 1, a label.
    name, reduction, dtype : str, str, dtype
        As for ``keras.losses.Loss``.
    """

    held_in_variables = ("weights",)

    def __init__(
        self,
        loss: Any,
        weights: Any,
        name: str | None = None,
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        if isinstance(loss, Mapping):
            loss = keras.losses.deserialize(dict(loss))
        super().__init__(
            name=name or f"label_weighted_{loss_name(loss)}", reduction=reduction, dtype=dtype
        )
        self.loss = loss
        # A variable, so that networks that differ in their weights alone can share programs.
        self.weights = keras.Variable(
            np.asarray(weights, dtype=np.float32), trainable=False, name="label_weights"
        )

    @property
    def variables(self) -> list[Any]:
        """The variables that the loss reads."""
        return [self.weights]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the weighted loss of each row."""
        function = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        # One output an axis of its own keeps the loss from averaging over the labels.
        losses = function(keras.ops.expand_dims(y_true, -1), expand_outputs(y_pred))
        weights = keras.ops.convert_to_tensor(self.weights)
        negative, positive = weights[:, 0], weights[:, 1]
        weight = y_true * positive + (1 - y_true) * negative
        return keras.ops.mean(weight * losses, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss."""
        return {
            **super().get_config(),
            "loss": keras.losses.serialize(self.loss),
            "weights": np.asarray(self.weights).tolist(),
        }


class HeadLoss(keras.losses.Loss):
    """A loss that can be told about the head of the network and the frequencies of the classes.

    It is the cross-entropy itself; losses in `sk_imbalance_nn.losses` change what they need to.
    Everything is computed from logits. Numbers that differ between folds or in a grid search are
    held in variables, so that networks that differ in them alone can share programs.

    Parameters
    ----------
    link : {"sigmoid", "softmax"}, default=None
        What turns logits into probabilities. None: a sigmoid for one output, a softmax for
        several if the targets are codes of classes; for rows of zeros and ones it must be said.
    from_logits : bool, default=None
        Whether the network answers with logits; None counts as False. Logits that a Keras
        activation left on its output are used in any case.
    class_weight : array-like of shape (n_classes,), (n_labels,) or (n_labels, 2), default=None
        What each class weighs. Under a sigmoid a one-dimensional array holds the weights of each
        label's ones, or, for one output, those of zeros and ones.
    name, reduction, dtype : str, str, dtype
        As for ``keras.losses.Loss``.

    Attributes
    ----------
    balances : bool
        Whether the loss makes up for the classes' frequencies itself.
    defers : bool
        Whether it takes the class weights itself, to switch them on late.
    fixed : frozenset of str
        Arguments of a parent class that this one sets itself.
    held_in_variables : tuple of str
        Arguments that programs read from variables, or not at all, so that networks which differ
        in them alone can share programs.

    Notes
    -----
    A subclass changes `_shifted` to move the logits by class, or `_of_labels` and `_of_classes`
    to compute another loss from them. One that goes by frequencies names the argument that it
    wants (``"counts"`` or ``"prior"``) in `_statistic` and holds it in `_learn`.
    """

    balances: bool = False
    defers: bool = False
    fixed: frozenset[str] = frozenset()
    held_in_variables: tuple[str, ...] = ("class_weight", "left_open")
    _statistic: str | None = None
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "link": [StrOptions({SIGMOID, SOFTMAX}), None],
        "from_logits": ["boolean", None],
    }

    def __init__(
        self,
        *,
        link: str | None = None,
        from_logits: bool | None = None,
        class_weight: Any = None,
        name: str | None = None,
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        # A name without Keras' counter, so that equal losses have equal configurations.
        super().__init__(name=name or loss_name(self), reduction=reduction, dtype=dtype)
        self._check(link=link, from_logits=from_logits)
        self.link, self.from_logits = link, from_logits
        self._held: dict[str, keras.Variable] = {}
        # Arguments that the user left to the estimator.
        self._left_open: tuple[str, ...] = ()
        self.class_weight = self._hold("class_weight", checked_class_weight(class_weight))

    @property
    def variables(self) -> list[Any]:
        """The variables that the loss reads."""
        return list(self._held.values())

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row; under a sigmoid the mean over its labels."""
        units = y_pred.shape[-1]
        link = self._link_for(units)
        self._refuse_ambiguous(y_true, units)
        logits = logits_from(y_pred, link, bool(self.from_logits), self.dtype)
        y = targets_like(y_true, logits, link)
        logits = self._shifted(y, logits, link)
        weights = self._class_weights(logits.dtype)
        if link == SOFTMAX:
            losses = self._of_classes(y, logits)
            if weights is None:
                return losses
            check_length(weights, units, "class_weight")
            return losses * keras.ops.sum(y * weights, axis=-1)
        losses = self._of_labels(y, logits)
        if weights is not None:
            of_zeros, of_ones = weights_of_labels(weights, units)
            losses = losses * (y * of_ones + (1 - y) * of_zeros)
        return keras.ops.mean(losses, axis=-1)

    def fitted_to(self, head: Head, counts: Any, prior: Any, class_weight: Any = None) -> HeadLoss:
        """Return a loss like this one that knows what the user left open.

        Parameters
        ----------
        head : Head
            Gives ``link`` and ``from_logits``.
        counts : array-like of shape (n_classes,) or (n_labels, 2)
            Weighted rows of each class, or of each label's zeros and ones.
        prior : array-like of shape (n_classes,) or (n_labels,)
            Shares of the classes, or of each label's ones, as training sees them.
        class_weight : array-like of shape (n_classes,) or (n_labels, 2), default=None
            What the loss shall weigh classes with.

        Returns
        -------
        HeadLoss
            A new loss. What the user gave stays as it is; what an earlier call filled in counts
            as left open.

        Raises
        ------
        ValueError
            If the user gave a link that is not the head's.
        """
        if self.link not in (None, head.link):
            raise ValueError(
                f"{type(self).__name__} was given link={self.link!r}, but the network ends in a "
                f"{head.link} for the {head.target_type} target; leave link out."
            )
        offered = {
            "link": head.link,
            "from_logits": head.from_logits,
            "class_weight": class_weight,
            "counts": counts,
            "prior": prior,
        }
        config = self.get_config()
        self._check_complete(config)
        left_open = [
            name
            for name in offered
            if name in config and (config[name] is None or name in self._left_open)
        ]
        config.update({name: offered[name] for name in left_open}, left_open=left_open)
        return type(self).from_config(config)

    def adapt(self, counts: Any, prior: Any, class_weight: Any = None) -> None:
        """Renew what `fitted_to` filled in; what the user gave stays.

        Parameters
        ----------
        counts, prior : array-like
            As for `fitted_to`, of the same shapes as then.
        class_weight : array-like, default=None
            As for `fitted_to`; None keeps the last ones.
        """
        if self._statistic in self._left_open:
            self._learn({"counts": counts, "prior": prior}[self._statistic])
        if class_weight is not None and "class_weight" in self._held:
            self.class_weight = self._hold("class_weight", class_weight)

    @property
    def left_open(self) -> tuple[str, ...]:
        """Names of the arguments that `fitted_to` filled in."""
        return self._left_open

    @property
    def lacks_frequencies(self) -> bool:
        """Whether the loss goes by the classes' frequencies, and nobody has told it any."""
        return self._statistic is not None and getattr(self, self._statistic) is None

    def scores(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Return the logits that probabilities are read from, out of the network's.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with.

        Returns
        -------
        ndarray of shape (n, units)
            The same, unless the loss has a scale of its own.
        """
        return logits

    def posterior(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logits of the posteriors at which these outputs minimise the expected loss.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with, before `scores`.

        Returns
        -------
        ndarray of shape (n, units), float64
            Logits of posteriors under the distribution that training sees, weights included.
        """
        return np.asarray(logits, dtype=np.float64)

    def start(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Return the bias to start from, where the loss is to see the logits of the prior.

        Parameters
        ----------
        logits : ndarray of shape (units,)
            Log prior, or log odds under a sigmoid.

        Returns
        -------
        ndarray of shape (units,)
            The same, unless the loss shifts or scales logits.
        """
        return logits

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss."""
        config = {
            **super().get_config(),
            "dtype": self.dtype,
            "link": self.link,
            "from_logits": self.from_logits,
            "class_weight": self.class_weight,
        }
        return {**config, "left_open": list(self._left_open)} if self._left_open else config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> HeadLoss:
        """Return the loss that a configuration describes."""
        config = dict(config)
        left_open = tuple(config.pop("left_open", ()))
        loss = cls(**config)
        loss._left_open = left_open
        return loss

    def _check_complete(self, config: Mapping[str, Any]) -> None:
        """Refuse a subclass whose configuration would make another loss than itself."""
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        arguments = inspect.signature(type(self).__init__).parameters.values()
        names = [each.name for each in arguments if each.kind in kinds and each.name != "self"]
        missing = [name for name in names if name not in config]
        if missing:
            raise TypeError(
                f"get_config of {type(self).__name__} leaves out {missing}, so that no equal loss "
                "can be made for a fit; let it return all arguments of the constructor."
            )

    def _check(self, **given: Any) -> None:
        """Refuse arguments out of their ranges."""
        validate_parameter_constraints(self._parameter_constraints, given, type(self).__name__)

    def _hold(self, name: str, value: Any) -> Any:
        """Keep a number, or an array of them, in a variable; return it in plain Python."""
        if value is None:
            return None
        array = np.asarray(value, dtype=np.float64)
        if name not in self._held:
            self._held[name] = keras.Variable(
                array.astype(np.float32), trainable=False, dtype="float32", name=name
            )
        elif tuple(self._held[name].shape) != array.shape:
            raise ValueError(
                f"{name} has the shape {array.shape}, but {type(self).__name__} was made for "
                f"{tuple(self._held[name].shape)}; make a new loss for other classes."
            )
        else:
            self._held[name].assign(array.astype(np.float32))
        return array.tolist()

    def _value(self, name: str, dtype: Any) -> Any:
        """Return what a variable holds, as a tensor."""
        return keras.ops.cast(keras.ops.convert_to_tensor(self._held[name]), dtype)

    def _class_weights(self, dtype: Any) -> Any:
        return self._value("class_weight", dtype) if "class_weight" in self._held else None

    def _link_for(self, units: int) -> str:
        link = self.link or (SIGMOID if units == 1 else SOFTMAX)
        if link == SOFTMAX and units == 1:
            raise ValueError(
                f"{type(self).__name__} has link='softmax', but the network has one output, which "
                "a softmax makes 1.0 for every row; give it one output a class, or leave link out."
            )
        return link

    def _refuse_ambiguous(self, y_true: Any, units: int) -> None:
        """Refuse targets that may be one-hot rows, or labels, where nobody said which."""
        shape = tuple(getattr(y_true, "shape", None) or np.shape(y_true))
        if self.link is None and units > 1 and len(shape) == 2 and shape[1] == units:
            raise ValueError(
                f"{type(self).__name__} was given targets of the shape of the {units} outputs: "
                "say link='softmax' for one-hot rows of classes that exclude each other, or "
                "link='sigmoid' for labels that may occur together."
            )

    def _learn(self, statistic: Any) -> None:
        """Hold the frequencies that `_statistic` names."""

    def _shifted(self, y: Any, logits: Any, link: str) -> Any:
        """Return the logits that the loss is computed from."""
        return logits

    def _of_labels(self, y: Any, logits: Any) -> Any:
        """Return the loss of each output, from targets of the shape of the logits."""
        log_sigmoid = keras.ops.log_sigmoid
        return -(y * log_sigmoid(logits) + (1 - y) * log_sigmoid(-logits))

    def _of_classes(self, y: Any, logits: Any) -> Any:
        """Return the loss of each row, from one-hot targets."""
        return -keras.ops.sum(y * keras.ops.log_softmax(logits), axis=-1)
