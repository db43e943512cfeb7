"""The tasks of a fit, as scikit-learn's callbacks hear of them: epochs, folds, the fit itself.

``sklearn.callback`` came with scikit-learn 1.9 and is experimental there. Where it is missing, or
nobody listens, a task is nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sk_imbalance_nn._compat import CallbackSupportMixin, has_callbacks, with_callbacks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["NOBODYS_TASK", "CallbackSupportMixin", "FitTask"]


@with_callbacks
def _tear_down(estimator: Any) -> None:
    """Tell callbacks that a fit is over, however it ended; the decorator does it.

    It could decorate ``fit`` itself, but then stood between a caller and the warnings of the fit.
    """


@dataclass(frozen=True)
class FitTask:
    """A task that callbacks hear of.

    Parameters
    ----------
    estimator : object or None
        Whose task it is.
    context : sklearn.callback.CallbackContext or None, default=None
        None where there are no callbacks.
    seen : mapping, default=None
        What callbacks are shown: ``X``, ``y`` and ``metadata``, if they ask for it.
    """

    estimator: Any = None
    context: Any = None
    seen: Mapping[str, Any] | None = None

    @classmethod
    @contextmanager
    def fit_of(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_subtasks: int | None,
        sample_weight: Any = None,
    ) -> Iterator[FitTask]:
        """Yield the whole fit of an estimator as a task."""
        if not has_callbacks(estimator):
            yield cls()
            return
        try:
            context = estimator._init_callback_context(max_subtasks=n_subtasks)
            task = cls(estimator, context).of_rows(X, y, sample_weight)
            task.begin()
            yield task
            task.end(predicts=True)
        finally:
            _tear_down(estimator)

    @property
    def is_heard(self) -> bool:
        """Whether there are callbacks."""
        return self.context is not None

    def part(
        self,
        name: str,
        n_subtasks: int | None = 0,
        *,
        number: int | None = None,
        in_order: bool = True,
    ) -> FitTask:
        """Return a part of the task, not begun.

        Parameters
        ----------
        name : str
            What it is called.
        n_subtasks : int or None, default=0
            How many parts it will have itself; None if that is not known.
        number : int, default=None
            Which of parts that are in no order; of others, the next one.
        in_order : bool, default=True
            Whether its own parts come one after another.

        Returns
        -------
        FitTask
            Nothing where nobody listens.
        """
        if self.context is None:
            return self
        context = self.context.subcontext(
            task_name=name, task_id=number, max_subtasks=n_subtasks, sequential_subtasks=in_order
        )
        return FitTask(self.estimator, context)

    def of_rows(self, X: Any, y: Any, sample_weight: Any = None) -> FitTask:
        """Return the same task with the rows that it is about."""
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return FitTask(self.estimator, self.context, {"X": X, "y": y, "metadata": metadata})

    def begin(self) -> None:
        """Tell callbacks that it begins."""
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.seen or {})

    def end(self, *, predicts: bool = False) -> bool:
        """Tell callbacks that it has ended; return whether one of them wants to stop.

        Parameters
        ----------
        predicts : bool, default=False
            Whether the estimator as it stands predicts, as if fit ended here; callbacks may then
            ask for a copy of it.

        Returns
        -------
        bool
            False where nobody listens.
        """
        if self.context is None:
            return False
        missing = dict if predicts else None
        return bool(
            self.context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=missing, **self.seen or {}
            )
        )

    @contextmanager
    def around(self, inner: Any) -> Iterator[None]:
        """Fit another estimator as this task, whose own tasks then are parts of it."""
        within: AbstractContextManager[Any] = nullcontext()
        if self.context is not None:
            within = self.context.propagate_callback_context(inner)
        with within:
            self.begin()
            yield
        self.end()


NOBODYS_TASK = FitTask()
