"""Start-up: loading TensorFlow, and finding its devices, without the messages it writes meanwhile.

They go to the file descriptor of stderr, some before any setting is read, and say of a machine
without a GPU that all is well. What is written meanwhile is kept, the lines that are known are left
out, and the rest is passed on. Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` gets what they asked for.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SETTING = "TF_CPP_MIN_LOG_LEVEL"
# The sources of messages on: oneDNN, missing CUDA, CUDA's plugins registered twice, the
# processor's instructions, missing TensorRT.
_SOURCES = (
    "port|cudart_stub|cuda_stub|cuda_platform|cuda_driver|cuda_diagnostics|cuda_dnn|cuda_fft"
    "|cuda_blas|computation_placer|cpu_feature_guard|py_utils"
)
_KNOWN = re.compile(
    rf"WARNING: All log messages before absl::InitializeLog\(\)|[^\]]*\b({_SOURCES})\.cc:\d+\]"
    r"|To enable the following instructions:"
)
_STATE = {"devices_found": False}


def load_tensorflow() -> None:
    """Import TensorFlow, if nobody has."""
    if "tensorflow" not in sys.modules:
        with _without_known_messages():
            import tensorflow  # noqa: F401


def find_devices() -> None:
    """Have TensorFlow look for GPUs, which it does before it first runs, and complains if none is.

    This is not done on import: until it first runs, users may still hide devices.
    """
    if _STATE["devices_found"]:
        return
    import tensorflow

    with _without_known_messages():
        tensorflow.config.list_physical_devices()
    _STATE["devices_found"] = True


@contextmanager
def _without_known_messages() -> Iterator[None]:
    """Pass on what is written to the file descriptor of stderr, but for known lines."""
    if _SETTING in os.environ:
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            _pass_on(written)


def _pass_on(written: Any) -> None:
    for line in written:
        if not _KNOWN.match(line.decode(errors="replace")):
            os.write(2, line)
