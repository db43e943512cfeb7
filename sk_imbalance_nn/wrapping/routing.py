"""Routing: which parameter goes to the builder, to ``compile``, to ``fit`` or to a callback.

The rules are SciKeras': a name with a prefix (``model__``, ``optimizer__``, ``loss__``,
``metrics__``, ``callbacks__``, ``compile__``, ``fit__``, ``predict__``) goes there, a bare name
that the estimator does not know goes to the builder. Unlike there, a name that nothing accepts
is an error. This file alone knows SciKeras.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import keras
from scikeras.wrappers import BaseWrapper

from sk_imbalance_nn.losses import NAMED_LOSSES
from sk_imbalance_nn.networks.compiling import single_loss
from sk_imbalance_nn.networks.default import DEFAULT
from sk_imbalance_nn.networks.head_losses import HeadCrossentropy, HeadLoss
from sk_imbalance_nn.networks.mlp import MLP
from sk_imbalance_nn.networks.recipe import Recipe
from sk_imbalance_nn.networks.serialization import copy_model, copy_object

FIT_OPTIONS = (
    "batch_size",
    "callbacks",
    "epochs",
    "initial_epoch",
    "shuffle",
    "steps_per_epoch",
    "validation_batch_size",
    "validation_data",
    "validation_freq",
    "validation_split",
    "verbose",
)
PREDICT_OPTIONS = ("batch_size", "callbacks", "steps", "verbose")
_COMPILE_OPTIONS = (
    "auto_scale_loss",
    "jit_compile",
    "loss",
    "loss_weights",
    "metrics",
    "optimizer",
    "run_eagerly",
    "steps_per_execution",
    "weighted_metrics",
)
_BUILDER_EXTRAS = {"meta", "compile_kwargs", "params", "self"}
_OPTIMIZER_EXTRAS = {"steps_per_epoch", "epochs", "decays", "**"}
# What a builder may ask for by an argument of this name, if nobody gives it another value.
_ENCODING = "encoding"
NAMED_NETWORKS = {"mlp": MLP}


class RoutedWrapper(BaseWrapper):
    """SciKeras' routing, with copies instead of shared objects and with checked names."""

    # SciKeras forgets that callbacks and scorers can be searched over too.
    _routing_prefixes = frozenset({*BaseWrapper._routing_prefixes, "callbacks", "sampler", "score"})

    @classmethod
    def mro(cls) -> list[type]:
        """Return the classes whose tags scikit-learn is to read.

        SciKeras' base still defines ``_more_tags``, which scikit-learn 1.6 would mix into the
        tags of today's kind, and which later versions refuse. Inheritance itself goes by
        ``__mro__`` and is not touched.
        """
        return [klass for klass in cls.__mro__ if klass is not BaseWrapper]

    @property
    def _given_model(self) -> Any:
        """The parameter ``model``, or what SciKeras once called ``build_fn``."""
        return getattr(self, "build_fn", None) if self.model is None else self.model

    def _check_model_param(self) -> Callable[..., keras.Model]:
        """Return the function that builds the network."""
        model = self._given_model
        if self._recipe is not None:
            return self._recipe.build
        if model is None:
            return self._keras_build_fn
        if isinstance(model, keras.Model):
            return lambda: copy_model(model)
        if not callable(model):
            raise TypeError(
                f"model={model!r} is neither a function that builds a network, nor a "
                f"keras.Model, nor one of {sorted(NAMED_NETWORKS)}, nor None."
            )
        if hasattr(self, "_keras_build_fn"):
            raise ValueError(
                f"{type(self).__name__} builds its network in _keras_build_fn; leave out the "
                "parameter `model`."
            )
        return model

    @property
    def _recipe(self) -> Recipe | None:
        """How to build and train the network, if it is one of this package's."""
        model = self._given_model
        if model is None:
            return None if hasattr(self, "_keras_build_fn") else DEFAULT
        return NAMED_NETWORKS.get(model) if isinstance(model, str) else None

    @property
    def _has_default_network(self) -> bool:
        return self._recipe is DEFAULT

    @property
    def _reads_raw_tables(self) -> bool:
        """Whether the builder asks for a `TableEncoding`, which nobody else has given."""
        if not callable(self._given_model) and not self._has_default_network:
            return False
        builder = self._check_model_param()
        if _ENCODING in self._builder_arguments:
            return False
        parameter = _parameters_of(builder).get(_ENCODING)
        return parameter is not None and parameter.default is parameter.empty

    def _get_compile_kwargs(self) -> dict[str, Any]:
        """Return the arguments for ``compile``, with a placeholder for ``loss="auto"``."""
        params = self.get_params(deep=False)
        loss = params["loss"]
        if _is_auto(loss):
            params["loss"] = HeadCrossentropy()
        elif balancing_loss(loss) is not None:
            params["loss"] = balancing_loss(loss)
        elif isinstance(loss, str):
            _check_loss_name(loss)
            if any(name.startswith("loss__") for name in params):
                params["loss"] = _loss_class(loss)
        metrics = params["metrics"]
        if self._recipe is not None and params["optimizer"] == "auto":
            # The recipe makes one, of a class that need not be the one that stands in here.
            params = {
                name: value for name, value in params.items() if not name.startswith("optimizer__")
            }
        if isinstance(params["optimizer"], keras.optimizers.Optimizer):
            params["optimizer"] = copy_object(params["optimizer"])
        else:
            params["optimizer"] = _optimizer_class(params["optimizer"])
        # A wrapper of SciKeras' own, as the one that reads a parameter set: nothing of this
        # estimator is touched while the placeholders stand in for its parameters.
        kwargs = BaseWrapper(**params)._get_compile_kwargs()
        kwargs = {name: value for name, value in kwargs.items() if name in _COMPILE_OPTIONS}
        routed = any(name.startswith("metrics__") for name in params)
        kwargs["metrics"] = _plain_names_kept(metrics, kwargs.get("metrics"), routed)
        return kwargs

    def _initialize_callbacks(self) -> None:
        """Make the callbacks of this fit; instances are copied, so that each fit has its own."""
        super()._initialize_callbacks()
        memo: dict[int, Any] = {}
        self._fit_callbacks = copied_callbacks(self._fit_callbacks, memo)
        self._predict_callbacks = copied_callbacks(self._predict_callbacks, memo)

    def set_params(self, **params: Any) -> RoutedWrapper:
        """Set parameters, those of the builder by their bare names too.

        Parameters
        ----------
        **params : dict
            As for the constructor.

        Returns
        -------
        RoutedWrapper
            Itself.

        Raises
        ------
        ValueError
            For a bare name that neither the estimator nor the builder knows.
        """
        if "model" in params:
            self.model = params.pop("model")
        known = self.get_params(deep=False)
        unknown = [name for name in params if "__" not in name and name not in known]
        accepted = _accepted_by(self._check_model_param()) - _BUILDER_EXTRAS if unknown else set()
        for name in unknown:
            if name not in accepted and "**" not in accepted:
                own = _declared_parameters(type(self))
                refusal = self._refusal_of_name(name, own, self._accepted_names())
                raise ValueError(f"Invalid parameter: {refusal}")
            setattr(self, name, params.pop(name))
            self._user_params = {*getattr(self, "_user_params", ()), name}
        super().set_params(**params)
        return self

    def _check_parameter_names(self) -> None:
        """Refuse the parameters that nothing accepts.

        Raises
        ------
        TypeError
            Names the parameter and the nearest one that is accepted.
        """
        accepted = self._accepted_names()
        if getattr(self, "build_fn", None) is not None:
            warnings.warn("build_fn was renamed: give the builder as model=...", stacklevel=4)
        own = _declared_parameters(type(self))
        for name in self.get_params(deep=False):
            prefix, _, rest = name.partition("__")
            if name in own or self._is_routed(prefix, rest, accepted):
                continue
            raise TypeError(self._refusal_of_name(name, own, accepted))

    def _accepted_names(self) -> dict[str, set[str]]:
        """Return what parameters each receiver takes, without their prefix."""
        accepted = {
            "model": self._accepted_by_builder(),
            "optimizer": self._accepted_by_optimizer(),
            "sampler": _parameters_of_sampler(self.sampler),
            "fit": set(FIT_OPTIONS),
            "predict": set(PREDICT_OPTIONS),
            "compile": set(_COMPILE_OPTIONS),
        }
        kind = balancing_loss(self.loss)
        if kind is not None:
            accepted["loss"] = _accepted_by(kind) - kind.fixed
        return accepted

    def _accepted_by_optimizer(self) -> set[str]:
        names = _accepted_by(_optimizer_class(self.optimizer))
        if self._recipe is None or self.optimizer != "auto":
            return names
        return names | (_names_of(self._recipe.optimizer) - _OPTIMIZER_EXTRAS)

    def _accepted_by_builder(self) -> set[str]:
        names = _accepted_by(self._check_model_param()) - _BUILDER_EXTRAS
        return names - {_ENCODING} if self._has_default_network else names

    def _is_routed(self, prefix: str, rest: str, accepted: Mapping[str, set[str]]) -> bool:
        """Say whether a parameter that is not the estimator's own has somebody who takes it."""
        if not rest:
            return bool({prefix, "**"} & accepted["model"])
        refusal = self._refusal_of_routing(prefix)
        if refusal:
            raise TypeError(f"{prefix}__{rest} has no receiver: {refusal}")
        if prefix not in accepted:
            return prefix in ("loss", "metrics", "callbacks", "score")
        routed_to = rest.partition("__")[0]
        return bool({routed_to, "**"} & accepted[prefix]) or routed_to.isdigit()

    def _refusal_of_name(self, name: str, own: set[str], accepted: Mapping[str, set[str]]) -> str:
        """Return the message about a parameter that nobody takes."""
        prefix, _, rest = name.partition("__")
        routed = {f"{to}__{known}" for to, names in accepted.items() for known in names}
        of_prefix = {known for known in routed if known.startswith(f"{prefix}__")}
        # A bare name may lack its prefix, but resembles few names of others by more than chance.
        lacking = {known for known in routed if known.partition("__")[2] == name}
        candidates = of_prefix if rest else lacking or own | accepted["model"]
        message = unknown_name(type(self).__name__, name, candidates or own | routed)
        if message.endswith("accepts.") and accepted["model"] and not rest:
            message += f" The network's builder takes {sorted(accepted['model'])}."
        return message

    def _warn_of_unused_parameters(self) -> None:
        """Say which parameters a network that came compiled has no use for."""
        builder = self._check_model_param()
        if {"compile_kwargs", "params", "**"} & _accepted_by(builder):
            return
        defaults = {"optimizer": "auto", "metrics": None}
        unused = [name for name, default in defaults.items() if getattr(self, name) is not default]
        prefixes = ("optimizer__", "loss__", "metrics__", "compile__")
        unused += [name for name in self.get_params(deep=False) if name.startswith(prefixes)]
        if unused:
            warnings.warn(
                f"The network came compiled, so these are not used: {', '.join(unused)}. Return "
                "it uncompiled, or let the builder take compile_kwargs.",
                stacklevel=2,
            )

    @property
    def _builder_arguments(self) -> dict[str, Any]:
        """What the builder is given by name, with the prefix or without."""
        bare = {name: getattr(self, name) for name in getattr(self, "_user_params", ())}
        return {**bare, **self._routed_to("model")}

    def _routed_to(self, destination: str) -> dict[str, Any]:
        """Return the parameters with a prefix, without it."""
        prefix = f"{destination}__"
        return {
            name.removeprefix(prefix): value
            for name, value in self.get_params(deep=False).items()
            if name.startswith(prefix)
        }

    def _refusal_of_routing(self, destination: str) -> str:
        """Say why parameters with a prefix cannot be passed on; nothing if they can."""
        target = getattr(self, destination, None)
        if destination == "loss" and _is_auto(target):
            return "loss='auto' takes no parameters; name a loss."
        if destination == "sampler" and target is None:
            return "sampler=None; name a sampler."
        if destination == "loss" and isinstance(target, keras.losses.Loss):
            return "loss is an instance; give its name or class."
        if destination == "callbacks" and target is None:
            return "callbacks=None; give a callback's class."
        if destination == "optimizer" and isinstance(target, keras.optimizers.Optimizer):
            return "optimizer is an instance; give its name or class."
        return ""

    def _routed(self, destination: str, name: str, given: Mapping[str, Any], default: Any) -> Any:
        """Return an option: from the call, by its prefix, by its bare name, or the default."""
        if name in given:
            return given[name]
        return getattr(self, f"{destination}__{name}", getattr(self, name, default))


def check_options(where: str, given: Iterable[str], accepted: Iterable[str]) -> None:
    """Refuse the options of a call that it does not know.

    Parameters
    ----------
    where : str
        The method, for the message.
    given, accepted : iterable of str
        Names of options.

    Raises
    ------
    TypeError
        Names the option and the nearest one that is accepted.
    """
    for name in set(given) - set(accepted):
        raise TypeError(unknown_name(where, name, accepted))


def unknown_name(where: str, name: str, accepted: Iterable[str]) -> str:
    """Return the message about a name that nothing accepts.

    Parameters
    ----------
    where : str
        Who was given the name.
    name : str
        The name.
    accepted : iterable of str
        Names that would have been accepted.

    Returns
    -------
    str
        With the nearest accepted name, if one is near.

    Examples
    --------
    >>> unknown_name("fit", "epoch", ["epochs", "verbose"])
    "fit got the parameter 'epoch', which nothing accepts; did you mean 'epochs'?"
    """
    candidates = sorted(set(accepted) - {"**"})
    longer = [other for other in candidates if other.startswith(name)]
    initials = [other for other in candidates if _initials(other) == name]
    near = longer or initials or get_close_matches(name, candidates, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{where} got the parameter {name!r}, which nothing accepts{hint}"


def _initials(name: str) -> str:
    """Shorten ``"optimizer__learning_rate"`` to ``"optimizer__lr"``, as users do."""
    prefix, separator, rest = name.rpartition("__")
    return prefix + separator + "".join(word[:1] for word in rest.split("_"))


def balancing_loss(loss: Any) -> Any:
    """Return the class of this package's losses that a parameter ``loss`` stands for, or None."""
    kind = _named_or_given(loss)
    return kind if isinstance(kind, type) and issubclass(kind, HeadLoss) else None


def balances(loss: Any) -> bool:
    """Say whether a parameter ``loss`` makes up for the classes' frequencies by itself."""
    return bool(getattr(_named_or_given(loss), "balances", False))


def _named_or_given(loss: Any) -> Any:
    loss = single_loss(loss)
    return NAMED_LOSSES.get(loss) if isinstance(loss, str) else loss


def _parameters_of_sampler(sampler: Any) -> set[str]:
    if isinstance(sampler, type):
        raise TypeError(
            f"sampler is the class {sampler.__name__}; give an instance, {sampler.__name__}()."
        )
    return set(sampler.get_params()) if hasattr(sampler, "get_params") else {"sampling_strategy"}


def _is_auto(loss: Any) -> bool:
    return loss is None or (isinstance(loss, str) and loss == "auto")


def _check_loss_name(name: str) -> None:
    try:
        keras.losses.get(name)
    except ValueError as error:
        known = [*NAMED_LOSSES, *(other for other in dir(keras.losses) if other[0].isupper())]
        alike = [other for other in known if name.lower() in other.lower()]
        near = alike or get_close_matches(name, known, n=1)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
        raise ValueError(f"loss={name!r} is no loss of Keras{hint}") from error


def _loss_class(name: str) -> Any:
    """Return the class behind a loss' name: only classes take ``loss__`` parameters."""
    class_name = "".join(word.capitalize() for word in name.split("_"))
    return getattr(keras.losses, class_name, name)


# Keras tells the class behind a name by making an optimizer, which takes milliseconds.
_NAMED_OPTIMIZERS: dict[str, type] = {}


def _optimizer_class(optimizer: Any) -> Any:
    optimizer = "adam" if optimizer == "auto" else optimizer
    if not isinstance(optimizer, str):
        return optimizer
    known = _NAMED_OPTIMIZERS.get(optimizer)
    if known is None:
        known = type(keras.optimizers.get(optimizer))
        if known.__module__.startswith("keras."):  # others' names may be given to other classes
            _NAMED_OPTIMIZERS[optimizer] = known
    return known


def _accepted_by(target: Any) -> set[str]:
    """Return the parameter names of a callable; ``"**"`` where it takes any."""
    if not callable(target):
        return set()
    if not isinstance(target, type):
        return _names_of(target)
    names: set[str] = set()
    for klass in target.__mro__:
        if "__init__" in vars(klass):
            names |= _names_of(klass.__init__) - {"self"}
            if "**" not in names:
                break
            names.discard("**")
    return names


def _parameters_of(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # of builtins
        return {}


def _names_of(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return names | {"**"} if any(p.kind is p.VAR_KEYWORD for p in parameters) else names


def _declared_parameters(estimator: type) -> set[str]:
    """Return the parameters that an estimator's class, or a parent of it, spells out."""
    found = [_names_of(klass.__init__) for klass in estimator.__mro__ if "__init__" in vars(klass)]
    return set().union(*found) - {"self", "args", "kwargs", "**"}


def _plain_names_kept(given: Any, resolved: Any, routed: bool) -> Any:
    """Keep metrics that were given as strings as strings, so that the head can set them up.

    Strings with parameters of their own (``metrics__0__curve="PR"``) have become instances.
    """
    if not routed:
        return _instantiated(given)
    if isinstance(given, Mapping):
        return {name: _plain_names_kept(given[name], resolved[name], routed) for name in given}
    if isinstance(given, list | tuple):
        return [_plain_names_kept(*pair, routed) for pair in zip(given, resolved, strict=True)]
    if isinstance(given, str) and isinstance(resolved, str):
        return given
    if isinstance(given, type | str) and isinstance(resolved, keras.metrics.Metric):
        resolved.name = _stable_name(resolved)
    return resolved


def _instantiated(metrics: Any) -> Any:
    if isinstance(metrics, Mapping):
        return {name: _instantiated(metric) for name, metric in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_instantiated(metric) for metric in metrics]
    if isinstance(metrics, keras.metrics.Metric):
        return copy_object(metrics)
    if isinstance(metrics, type):
        metrics = metrics()
        metrics.name = _stable_name(metrics)
    return metrics


def _stable_name(metric: keras.metrics.Metric) -> str:
    """Return a metric's name without the number that Keras counts up in each process."""
    stem, _, number = metric.name.rpartition("_")
    return stem if number.isdigit() else metric.name


def copied_callbacks(callbacks: list[Any], memo: dict[int, Any]) -> list[Any]:
    """Copy callbacks, the same one once: training and prediction may share it.

    Parameters
    ----------
    callbacks : list of keras.callbacks.Callback, or of lists of them
        Of the user.
    memo : dict
        Copies made already, by the id of the original.

    Returns
    -------
    list of keras.callbacks.Callback
        In one level.
    """
    copies = []
    for callback in callbacks:
        if isinstance(callback, list | tuple):
            copies.extend(copied_callbacks(list(callback), memo))
            continue
        if id(callback) not in memo:
            memo[id(callback)] = copy_object(callback)
        copies.append(memo[id(callback)])
    return copies
