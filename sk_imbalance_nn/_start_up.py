"""Start-up: loading TensorFlow, and XLA, without the messages that they write meanwhile.

They go to the file descriptor of stderr, some before any setting is read, and tell of instructions
that could be used and of GPUs that are not there. What is written meanwhile is kept, the lines that
are known are left out, and the rest is passed on. Where there is a GPU, so is all that concerns it.
Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` gets what they asked for.
"""

from __future__ import annotations

import glob
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_SETTING = "TF_CPP_MIN_LOG_LEVEL"
# The sources of messages on oneDNN and on the processor's instructions.
_OF_PROCESSORS = "port|cpu_feature_guard"
# On missing CUDA, on its plugins registered twice, on missing TensorRT.
_OF_GPUS = (
    "cudart_stub|cuda_stub|cuda_platform|cuda_driver|cuda_diagnostics|cuda_dnn|cuda_fft|cuda_blas"
    "|computation_placer|py_utils"
)
# On the start of XLA, which is no news to whoever fits.
_OF_XLA = "service|device_compiler|dump_mlir_util"
# File descriptors belong to the process: one thread would take another's file for stderr.
_LOCK = threading.RLock()


def load_tensorflow() -> None:
    """Import TensorFlow, if nobody has.

    Where there is no GPU it looks for one here, or it would complain in its first operation. Where
    there is one, that is left for later: users may still hide it.
    """
    with _LOCK:
        if "tensorflow" not in sys.modules:
            with _without_known_messages():
                import tensorflow

                if not _has_gpu():
                    tensorflow.config.list_physical_devices()


_xla_is_loaded = False


def load_xla() -> None:
    """Let XLA compile something small, if it has not in this process: the first time it talks."""
    global _xla_is_loaded
    with _LOCK:
        if not _xla_is_loaded:
            import tensorflow

            with _without_known_messages(), tensorflow.init_scope():
                # What fuses more than one operation has a message of its own.
                fused = tensorflow.function(
                    lambda x: tensorflow.exp(x) + x, jit_compile=True, autograph=False
                )
                fused(tensorflow.ones(4))
            _xla_is_loaded = True


def _has_gpu() -> bool:
    return bool(glob.glob("/dev/nvidia*"))


@contextmanager
def _without_known_messages() -> Iterator[None]:
    """Pass on what is written to the file descriptor of stderr, but for known lines."""
    if _SETTING in os.environ:
        yield
        return
    try:
        written = tempfile.TemporaryFile()
    except OSError:  # nowhere to keep it
        yield
        return
    with written:
        try:
            stderr = os.dup(2)
        except OSError:  # there is none
            yield
            return
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            with suppress(OSError):  # nobody reads it
                _pass_on(written)


def _pass_on(written: Any) -> None:
    sources = f"{_OF_PROCESSORS}|{_OF_XLA}"
    sources = sources if _has_gpu() else f"{sources}|{_OF_GPUS}"
    known = re.compile(
        r"WARNING: All log messages before absl::InitializeLog\(\)"
        rf"|[^\]]*\b({sources})\.(cc|h):\d+\]"
        r"|To enable the following instructions:"
    )
    for line in written:
        if not known.match(line.decode(errors="replace")):
            os.write(2, line)
