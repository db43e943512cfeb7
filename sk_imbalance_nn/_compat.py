"""The few private names of other libraries that this one needs, in one place.

Each name here has a reason beside it, and a test that fails when the other library moves it.
Imports of Keras and TensorFlow happen inside the functions, so that importing this file is free.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils import _safe_indexing as rows_of
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_method_params as rows_of_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks."""

    def with_callbacks(method: Any) -> Any:  # type: ignore[misc]
        """Return the method as it is."""
        return method


try:
    from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
except ImportError:  # before scikit-learn 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock as VisualBlock


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "RealNotInt",
    "StrOptions",
    "VisualBlock",
    "arguments_held",
    "check_sample_weight",
    "compile_arguments",
    "direction_of",
    "expand_outputs",
    "has_callbacks",
    "layers_within",
    "learning_rate_schedule",
    "logits_of",
    "names_from_the_start",
    "one_operation_at_a_time",
    "rows_of",
    "rows_of_params",
    "run_on_variables",
    "scorer_parts",
    "seeded",
    "spares_from_weight_decay",
    "tensorflow_has_run",
    "traced",
    "tuned_pos_label",
    "validate_parameter_constraints",
    "variables_trained_by",
    "with_argument",
    "with_callbacks",
]


def has_callbacks(estimator: Any) -> bool:
    """Say whether callbacks of scikit-learn's hear of a fit, or of one within it.

    They stand in a private attribute, those of a meta-estimator around it among them.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return False
    return any(
        getattr(part, "_skl_callbacks", None)
        for part in (estimator, *estimator.get_params().values())
    )


def scorer_parts(scorer: Any) -> tuple[Any, int, dict[str, Any], Any] | None:
    """Return a scorer's function, sign, arguments and response method; None for other callables.

    scikit-learn's scorers have no public way to ask what they compute.
    """
    if not isinstance(scorer, _BaseScorer):
        return None
    return scorer._score_func, scorer._sign, dict(scorer._kwargs), scorer._response_method


def with_argument(scorer: Any, name: str, value: Any) -> Any:
    """Return a copy of a scorer that calls its function with one more argument.

    ``make_scorer`` would lose the metadata that the scorer asks for.
    """
    copied = copy(scorer)
    copied._kwargs = {**scorer._kwargs, name: value}
    return copied


# Python's and NumPy's generators belong to the process, so only one thread may seed them at a time.
_SEEDING = threading.RLock()


# Whether a seeded block has drawn from TensorFlow's eager generator: builders rarely do.
_DRAWN = threading.Event()


def _seed_tensorflow(eager: Any, seed: int) -> None:
    """Set the seed that eager random operations and new traces read."""
    if _DRAWN.is_set():
        # Such an operation goes on where it stood the last time that it had the same seed.
        eager.clear_kernel_cache()
    vars(eager).update(_seed=_Watched(seed), _rng=random.Random(seed))


class _Watched(int):
    """A seed that tells when a random operation makes its own seed of it."""

    def __mod__(self, other: int) -> int:
        _DRAWN.set()
        return int(self) % other


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every global generator that building or tracing a network reads, then put all back.

    Keras draws the seeds of its initialisers and of its dropout layers from Python's ``random``
    when a layer is made, and ``keras.random`` functions without a seed share one global
    generator; TensorFlow's own random operations read a global seed when they are traced.
    ``keras.utils.set_random_seed`` sets all four, but nothing public reads them back, and it makes
    TensorFlow forget how to run every traced function, which costs more than many a fit.
    """
    from keras.src.backend.common import global_state
    from tensorflow.python.eager import context

    keras_names = ("global_random_seed", "global_seed_generator")
    with _SEEDING:
        eager = context.context()
        saved_tf = {name: vars(eager).get(name) for name in ("_seed", "_rng")}
        saved_keras = {name: global_state.get_global_attribute(name) for name in keras_names}
        saved_python, saved_numpy = random.getstate(), np.random.get_state()
        try:
            random.seed(seed)
            np.random.seed(seed)
            # The shared generator begins anew from the seed when it is next asked for.
            for name, value in zip(keras_names, (seed, None), strict=True):
                global_state.set_global_attribute(name, value)
            _seed_tensorflow(eager, seed)
            yield
        finally:
            random.setstate(saved_python)
            np.random.set_state(saved_numpy)
            for name, value in saved_keras.items():
                global_state.set_global_attribute(name, value)
            vars(eager).update(saved_tf)


def compile_arguments(model: Any) -> dict[str, Any]:
    """Return what ``model.compile`` was called with, the objects themselves.

    ``model.get_compile_config()`` is public but serialises them, which loses functions and
    classes that are not registered with Keras.
    """
    return dict(model._compile_config.config)


def logits_of(outputs: Any) -> Any:
    """Return the logits that a sigmoid or softmax activation left on its output, or None.

    Keras' own cross-entropies read the same attribute to stay exact where probabilities
    saturate at 0 and 1.
    """
    return getattr(outputs, "_keras_logits", None)


@contextmanager
def names_from_the_start() -> Iterator[None]:
    """Let Keras count the names that it gives to layers, optimizers and metrics from the start.

    So equal networks are named alike whatever was built before. It also bounds memory: TensorFlow
    keeps a kernel for each name that a variable ever had. Whatever is named afterwards gets a
    number that nothing has yet. (``keras.backend.reset_uids`` cannot be undone.)
    """
    from keras.src.backend.common import global_state

    counters = "object_name_uids"
    earlier = global_state.get_global_attribute(counters) or {}
    global_state.set_global_attribute(counters, None)
    try:
        yield
    finally:
        used = global_state.get_global_attribute(counters) or {}
        merged = defaultdict(int, earlier)
        merged.update({name: max(count, merged[name]) for name, count in used.items()})
        global_state.set_global_attribute(counters, merged)


def expand_outputs(outputs: Any) -> Any:
    """Add a last axis to a network's outputs, and to the logits that they carry."""
    import keras

    expanded = keras.ops.expand_dims(outputs, -1)
    logits = logits_of(outputs)
    if logits is not None:
        expanded._keras_logits = keras.ops.expand_dims(logits, -1)
    return expanded


def variables_trained_by(optimizer: Any) -> list[Any]:
    """Return the variables that a built Keras optimizer keeps moments for, in its own order.

    They differ from the trainable variables of its model where layers were frozen after the
    optimizer was built, and nothing public lists them.
    """
    return list(optimizer._trainable_variables)


def direction_of(metric: Any) -> str | None:
    """Return ``"up"`` or ``"down"``: which way a Keras metric improves.

    Callbacks with ``mode="auto"`` read the same attribute of the metric that they monitor.
    """
    return getattr(metric, "_direction", None)


def layers_within(model: Any) -> list[Any]:
    """Return a network and all layers in it, however deep; ``model.layers`` shows the first level.

    Wrappers and recurrent layers keep others in attributes of their own.
    """
    return list(model._flatten_layers(include_self=True, recursive=True))


def arguments_held(part: Any) -> Any:
    """Return what a loss or metric hands to its function; some is missing from configurations."""
    return getattr(part, "_fn_kwargs", None)


def learning_rate_schedule(optimizer: Any) -> Any:
    """Return an optimizer's schedule, if it has one; ``learning_rate`` shows only its value."""
    return getattr(optimizer, "_learning_rate", None)


def spares_from_weight_decay(optimizer: Any) -> bool:
    """Say whether ``exclude_from_weight_decay`` was called; no configuration mentions it."""
    names = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    return any(getattr(optimizer, name, None) for name in names)


def tuned_pos_label(tuner: Any) -> Any:
    """Return the class whose scores scikit-learn's fitted ``TunedThresholdClassifierCV`` cuts.

    It asks the same attribute when it predicts, and shows it nowhere.
    """
    return tuner._curve_scorer._get_pos_label()


def traced(function: Any) -> Any:
    """Trace a ``tf.function`` of one signature.

    What the public ``get_concrete_function`` returns is never freed, by intention; with a trace
    for each network that cannot be shared, that is megabytes a fit.
    """
    return function._get_concrete_function_garbage_collected()


def run_on_variables(concrete: Any, tensors: list[Any], variables: list[Any]) -> Any:
    """Run a traced function on other variables than those it was traced with.

    A traced function takes the variables that it reads as hidden arguments, after its tensors.
    Nothing public lets a caller say which; so one trace would serve one network only.
    """
    return concrete.inference_fn.call_preflattened([*tensors, *variables])


@contextmanager
def one_operation_at_a_time() -> Iterator[None]:
    """Trace and run functions in this thread without handing operations from thread to thread.

    For operations as small as those of a network of some thousand weights, the handing over costs
    more than the work. Sessions had a public option for it (``executor_type``); eager TensorFlow
    has not. Work within an operation is still divided among threads. A loop or a branch keeps its
    thread waiting for its body, though, which needs another: see `Program` for who may nest what.
    """
    from tensorflow.python.eager import context

    with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
        yield


def tensorflow_has_run() -> bool:
    """Say whether TensorFlow has started its threads in this process."""
    import sys

    if "tensorflow.python.eager.context" not in sys.modules:
        return False
    from tensorflow.python.eager import context

    return bool(getattr(context.context(), "_initialized", False))
