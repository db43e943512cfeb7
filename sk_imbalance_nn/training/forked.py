"""Forked processes: TensorFlow's threads do not survive a fork, and waiting for them hangs.

``joblib``'s default workers (loky) are new processes and threads are fine; what hangs is
``multiprocessing`` with the start method "fork" once TensorFlow has run in the parent.
"""

from __future__ import annotations

import os

from sk_imbalance_nn._compat import tensorflow_has_run

_STATE = {"parent_ran": False, "stranded": False}


def check_not_stranded() -> None:
    """Refuse to run TensorFlow where it would hang.

    Raises
    ------
    RuntimeError
        In a process that was forked after TensorFlow had run; names what to use instead.
    """
    if _STATE["stranded"]:
        raise RuntimeError(
            "This process was forked after TensorFlow had run in its parent; TensorFlow's threads "
            "do not survive a fork, and a fit or a prediction would hang. Use joblib's default "
            "workers (n_jobs with backend 'loky'), threads, or "
            "multiprocessing.set_start_method('spawn')."
        )


def _before() -> None:
    _STATE["parent_ran"] = tensorflow_has_run()


def _in_child() -> None:
    _STATE["stranded"] = _STATE["stranded"] or _STATE["parent_ran"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_in_child)
