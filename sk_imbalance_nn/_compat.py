"""The few private names of other libraries that this one needs, in one place.

Each name here has a reason beside it, and a test that fails when the other library moves it.
Imports of Keras and TensorFlow happen inside the functions, so that importing this file is free.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "check_sample_weight",
    "compile_arguments",
    "direction_of",
    "expand_outputs",
    "logits_of",
    "seeded",
    "variables_trained_by",
]

# Python's and NumPy's generators belong to the process, so only one thread may seed them at a time.
_SEEDING = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every global generator that building or tracing a network reads, then put all back.

    Keras draws the seeds of its initialisers and of its dropout layers from Python's ``random``
    when a layer is made, and ``keras.random`` functions without a seed share one global
    generator; TensorFlow's own random operations read a global seed when they are traced.
    ``keras.utils.set_random_seed`` sets all four, but nothing public reads them back.
    """
    import keras
    from keras.src.backend.common import global_state
    from tensorflow.python.eager import context

    keras_names = ("global_random_seed", "global_seed_generator")
    with _SEEDING:
        eager = context.context()
        saved_tf = {name: vars(eager).get(name) for name in ("_seed", "_rng")}
        saved_keras = {name: global_state.get_global_attribute(name) for name in keras_names}
        saved_python, saved_numpy = random.getstate(), np.random.get_state()
        try:
            keras.utils.set_random_seed(int(seed))
            # Older versions of Keras let the shared generator go on from where it stood.
            global_state.set_global_attribute("global_seed_generator", None)
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
