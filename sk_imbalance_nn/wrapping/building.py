"""Building: how long to train, and a network that is built, compiled and starts at the prior."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from numbers import Integral
from typing import Any

import keras
import numpy as np
from sklearn.utils import check_scalar

from sk_imbalance_nn._compat import learning_rate_schedule, names_from_the_start, seeded
from sk_imbalance_nn.balancing.balance import Balance
from sk_imbalance_nn.data.inputs import first_array, take_rows
from sk_imbalance_nn.networks.compiling import (
    check_can_be_corrected,
    check_same_loss,
    compile_arguments_of,
    compile_for_target,
    output_layer_name,
    own_loss,
    relative_weights,
    start_at_prior,
)
from sk_imbalance_nn.networks.cosine_decay import CosineDecayTo
from sk_imbalance_nn.networks.encoding import TableEncoding
from sk_imbalance_nn.networks.heads import Output
from sk_imbalance_nn.networks.mlp import MLP, adapt_normalization
from sk_imbalance_nn.networks.recipe import check_table
from sk_imbalance_nn.training.fingerprint import is_distributed
from sk_imbalance_nn.training.forward import ForwardPass, build, check_inputs, rows_at_once
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.preparing import PreparingWrapper
from sk_imbalance_nn.wrapping.routing import balances, balancing_loss

_DEFAULT_BATCH_SIZE, _DEFAULT_EPOCHS, _DEFAULT_PATIENCE = 32, 100, 10
_VALIDATION_BATCH_SIZE = 1024
_ROWS_LOOKED_AT = 256
# Keras lets these set the learning rate only where no schedule does.
_RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
_ALL_ROWS = 2**31 - 1


class BuildingWrapper(PreparingWrapper):
    """From weighted rows to a compiled network, and the schedule it trains by."""

    # The layer for a builder that asks for one, while it builds.
    _encoding: TableEncoding | None = None

    def _schedule(self, options: Mapping[str, Any], data: Data, initial_epoch: int) -> Schedule:
        def option(name: str, default: Any = None) -> Any:
            return self._routed("fit", name, options, default)

        def count(name: str, least: int, replacements: Mapping[Any, Any]) -> Any:
            value = option(name)
            if value in replacements:
                return replacements[value]
            return check_scalar(value, name, Integral, min_val=least)

        n, recipe = data.epoch.n_rows, self._recipe
        automatic = _DEFAULT_BATCH_SIZE if recipe is None else recipe.batch_size(n)
        batch_size = count("batch_size", 1, {None: automatic, -1: n})
        enough = self._epochs_for(n, batch_size)
        verbose = option("verbose", 0)
        return Schedule(
            epochs=initial_epoch + count("epochs", 0, {None: enough}),
            initial_epoch=initial_epoch,
            batch_size=batch_size,
            validation_batch_size=count(
                "validation_batch_size",
                1,
                {None: min(_VALIDATION_BATCH_SIZE, rows_at_once(data.x)), -1: _ALL_ROWS},
            ),
            shuffle=option("shuffle", True),
            steps_per_epoch=count("steps_per_epoch", 1, {None: None}),
            validation_freq=option("validation_freq", 1),
            verbose=1 if verbose == "auto" else int(verbose),
        )

    def _epochs_for(self, n_rows: int, batch_size: int) -> int:
        """Return what stands for ``epochs=None``."""
        if self._recipe is None:
            return _DEFAULT_EPOCHS
        return self._recipe.epochs(n_rows, batch_size, **self._builder_arguments)

    def _patience(self, epochs: int) -> int:
        """Return ``n_iter_no_change``, or what suits the network and the number of epochs."""
        if self.n_iter_no_change is not None:
            return self.n_iter_no_change
        return _DEFAULT_PATIENCE if self._recipe is None else self._recipe.patience(epochs)

    def _restart_schedule(self, schedule: Schedule, data: Data) -> None:
        """Let a rate that ends at zero do so at the end of the steps to come, and not before."""
        optimizer = self.model_.optimizer
        rate = learning_rate_schedule(optimizer)
        if isinstance(rate, CosineDecayTo) and rate.floor == 0:
            steps = schedule.n_batches(schedule.limited(data.epoch)) * schedule.n_epochs
            rate.restart(int(optimizer.iterations), max(steps, 1))

    def _build(
        self, data: Data, balance: Balance | None, schedule: Schedule, *, partial: bool = False
    ) -> None:
        """Build the network, compile it, and start it at the prior."""
        # Calls that train an epoch each are to go on for as long as the parameters say.
        epochs = self._routed("fit", "epochs", {}, None) if partial else schedule.n_epochs
        try:
            with names_from_the_start():
                model = self._new_network(data)
        except ValueError as error:
            if not re.search(r"should (have unique names|be unique)", str(error)):
                raise
            # The builder adds layers to some that were made elsewhere, whose names are taken.
            model = self._new_network(data)
        with model.distribute_strategy.scope(), names_from_the_start():
            self._compile(model, data, balance, schedule, epochs)
        if self._recipe is MLP:
            adapt_normalization(model, first_array(data.x), data.weight_of_used())

    def _wants_xla(self) -> Any:
        """Return ``jit_compile``; a builder that compiles decides what is left automatic."""
        if self.jit_compile == "auto" and getattr(self, "_builder_wants_xla", False):
            return True
        return self.jit_compile

    def _new_network(self, data: Data) -> keras.Model:
        with self._scope_of_given_model(), seeded(self._build_seed):
            self._encoding = self._adapted_encoding(data)
            try:
                model = self._build_keras_model()
            finally:
                del self._encoding
            if not isinstance(model, keras.Model):
                raise TypeError(
                    f"model=... returned {type(model).__name__}; expected a keras.Model. Does "
                    "the builder end with `return model`?"
                )
            check_inputs(model, data.x)
            build(model, data.x)
        return model

    def _adapted_encoding(self, data: Data) -> TableEncoding | None:
        """Return the layer that a builder with an argument ``encoding`` is given."""
        if not self._reads_raw_tables:
            return None
        check_table(self._get_metadata(), "default")
        if getattr(data.x, "shape", (0, 0))[1:] != self.X_shape_[1:]:
            raise ValueError(
                "A network that reads raw tables takes one table, with the columns of X; leave out "
                "inputs= and a feature_encoder of your own, or give a builder without `encoding`."
            )
        n_categories = [0 if levels is None else len(levels) for levels in self.categories_]
        return TableEncoding(name="encoding").adapt(data.x, np.array(n_categories), data.rows)

    def _check_model_param(self) -> Any:
        """Return the function that builds the network, with the encoding that it asks for."""
        builder = super()._check_model_param()
        return builder if self._encoding is None else partial(builder, encoding=self._encoding)

    def _scope_of_given_model(self) -> AbstractContextManager[Any]:
        """Return the scope that the copy of a given network is to be made in."""
        given = self._given_model
        if isinstance(given, keras.Model) and is_distributed(given):
            return given.distribute_strategy.scope()
        return nullcontext()

    def _compile(
        self,
        model: keras.Model,
        data: Data,
        balance: Balance | None,
        schedule: Schedule,
        epochs: int | None,
    ) -> None:
        self.model_ = model
        self._builder_wants_xla = bool(model.compiled and model.jit_compile)
        if model.compiled:
            self._warn_of_unused_parameters()
        arguments = compile_arguments_of(
            model, {} if model.compiled else self._compile_kwargs_for(data, schedule, epochs)
        )
        check_same_loss(balancing_loss(self.loss) or self.loss, arguments.get("loss"))
        self._forward = ForwardPass(model, logits=self._own_target)
        if balance is None:
            self._compile_as_given(model, arguments)
        else:
            self._compile_for_target(model, arguments, data, balance)

    def _compile_kwargs_for(
        self, data: Data, schedule: Schedule, epochs: int | None
    ) -> dict[str, Any]:
        kwargs, recipe = self._get_compile_kwargs(), self._recipe
        if recipe is not None and self.optimizer == "auto":
            n = data.epoch.n_rows
            epochs = self._epochs_for(n, schedule.batch_size) if epochs is None else epochs
            kwargs["optimizer"] = recipe.optimizer(
                schedule.n_batches(schedule.limited(data.epoch)),
                max(epochs, 1),
                decays=not any(isinstance(part, _RATE_SETTERS) for part in self._fit_callbacks),
                **self._routed_to("optimizer"),
            )
        return kwargs

    def _compile_as_given(self, model: keras.Model, arguments: Mapping[str, Any]) -> None:
        """Compile a network for outputs that only the user's own transformer knows."""
        expected, outputs = getattr(self, "n_outputs_expected_", None), model.outputs
        if expected and outputs and expected != len(outputs):
            raise ValueError(
                f"The target_encoder expects a network with {expected} outputs, but {model.name} "
                f"has {len(outputs)}."
            )
        if not model.compiled:
            model.compile(**arguments)
        loss = own_loss(model)
        if loss is not None and (loss.defers or loss.lacks_frequencies):
            raise ValueError(
                f"{type(loss).__name__} goes by the classes of y, which a target_encoder of your "
                "own keeps to itself: give the loss their frequencies (and reweight_after=None), "
                "or use another loss."
            )

    def _compile_for_target(
        self, model: keras.Model, arguments: Mapping[str, Any], data: Data, balance: Balance
    ) -> None:
        outputs = self._forward(take_rows(data.x, data.rows[:_ROWS_LOOKED_AT]))
        if not isinstance(outputs, np.ndarray) or outputs.size != len(outputs) * outputs.shape[-1]:
            raise ValueError(
                f"{model.name} does not answer with one row of units for each row of X, but with "
                f"{_described(outputs)}. Flatten or pool what comes before the last layer "
                "(return_sequences=False in a recurrent one); networks with several outputs need "
                "a target_encoder of your own."
            )
        output = Output(
            outputs.shape[-1],
            self._forward.activation,
            output_layer_name(model),
            like_probabilities=bool(np.all((outputs >= 0) & (outputs <= 1))),
        )
        self._head = compile_for_target(
            model,
            output,
            arguments,
            self.target_type_,
            self.n_classes_,
            balance,
            one_hot=self.target_encoder_.one_hot_,
        )
        self._check_compiled_loss()
        if self.output_bias == "auto" and not isinstance(self._given_model, keras.Model):
            start_at_prior(model, self._head, balance.training_prior)

    def _check_compiled_loss(self) -> None:
        """Refuse a loss that does not go with ``class_weight`` or ``correct_prior``."""
        loss = own_loss(self.model_)
        automatic = isinstance(self.class_weight, str) and self.class_weight == "auto"
        if automatic and loss is not None and loss.balances and not balances(self.loss):
            raise ValueError(
                f"The builder compiled the network with {type(loss).__name__}, which makes up for "
                "the classes' frequencies, and so does class_weight='auto' unless the loss is a "
                "parameter: give class_weight=None, or the loss as loss=... and a builder that "
                "does not compile."
            )
        if self._corrects:
            check_can_be_corrected(self.model_)

    def _adapt_loss(self, balance: Balance | None) -> None:
        """Tell a loss that goes by the classes' frequencies those of the rows that follow."""
        loss = own_loss(self.model_)
        if loss is not None and balance is not None:
            weights = relative_weights(balance) if loss.defers else None
            loss.adapt(balance.mass, balance.training_prior, weights)


def _described(outputs: Any) -> str:
    if isinstance(outputs, list | tuple | dict):
        return f"{len(outputs)} outputs"
    return f"an array of shape (n, {', '.join(map(str, outputs.shape[1:]))})"
