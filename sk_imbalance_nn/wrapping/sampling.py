"""Sampling: what the parameter ``sampler`` makes of the rows that train."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from sk_imbalance_nn.balancing.epochs import PickedRows, sampled_rows
from sk_imbalance_nn.balancing.resampling import RedrawnRows, redraws, resample, weights_after
from sk_imbalance_nn.data.inputs import n_rows
from sk_imbalance_nn.data.targets import MULTILABEL
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.routing import RoutedWrapper


class SamplingWrapper(RoutedWrapper):
    """From the rows that train to the rows of an epoch."""

    def _sample(self, data: Data, *, partial: bool = False) -> Data:
        """Return the rows that train with what an epoch is made of.

        This comes after the split: no repeated or synthetic row ever validates.
        """
        if self.sampler is None:
            return data
        if not self._own_target:
            raise ValueError(
                "A sampler needs the classes of y, which a target_encoder of your own keeps to "
                "itself; give sampler=None, or resample before fit."
            )
        codes = data.of(data.y)
        if partial and codes.ndim == 1 and len(np.unique(codes)) < 2:
            return data  # a part of a training may hold one class only
        routed = self._routed_to("sampler")
        if isinstance(self.sampler, str):
            drawn = sampled_rows(self.sampler, codes, classes=self.classes_, **routed)
            return replace(data, sampled=drawn)
        sampler = self._positioned(clone(self.sampler).set_params(**routed))
        return self._sample_by_imblearn(data, self._advanced(sampler), codes)

    def _positioned(self, sampler: Any) -> Any:
        """Name categorical columns by position: samplers are shown an array."""
        columns = sampler.get_params().get("categorical_features")
        if isinstance(columns, str) and columns == "auto" and self._leveled_columns():
            return sampler.set_params(categorical_features=self._leveled_columns())
        names = list(getattr(self, "feature_names_in_", []))
        if not (isinstance(columns, list | tuple) and set(columns) & set(names)):
            return sampler
        places = [names.index(column) if column in names else column for column in columns]
        return sampler.set_params(categorical_features=places)

    def _advanced(self, sampler: Any) -> Any:
        """Let a sampler with a seed of its own draw other rows in a call that continues."""
        seed = sampler.get_params().get("random_state")
        if not isinstance(seed, Integral) or not self.initialized_:
            return sampler
        steps = int(self.model_.optimizer.iterations)
        sequence = np.random.SeedSequence([int(seed), steps])
        return sampler.set_params(random_state=int(sequence.generate_state(1)[0] >> 1))

    def _check_levels_are_whole(self, X: Any, sampler: Any) -> None:
        """Refuse rows that were made between the levels of a categorical column."""
        for at in self._leveled_columns():
            codes = np.asarray(X[:, at], dtype=np.float64)
            if np.any(codes[~np.isnan(codes)] % 1):
                names = getattr(self, "feature_names_in_", range(self.n_features_in_))
                raise ValueError(
                    f"{type(sampler).__name__} makes rows between others, and between the levels "
                    f"of the column {names[at]!r} there is nothing: use SMOTENC("
                    "categorical_features=[...]), which names such columns, or sampler='over'."
                )

    def _leveled_columns(self) -> list[int]:
        """Return the positions of the categorical columns of a raw table."""
        found = getattr(self, "categories_", [])
        return [at for at, levels in enumerate(found) if levels is not None]

    def _sample_by_imblearn(self, data: Data, sampler: Any, codes: Any) -> Data:
        labels = codes if self.target_type_ == MULTILABEL else self.classes_[codes]
        seed = int(self._rng.integers(2**31 - 1))
        if redraws(sampler):
            return replace(data, sampled=RedrawnRows(sampler, labels, seed))
        made = resample(sampler, data.of(data.X), labels, seed)
        if made.index is not None:
            return replace(data, sampled=PickedRows(made.index, len(codes)))
        self._check_levels_are_whole(made.X, sampler)
        y = self.classes_.searchsorted(made.labels).astype(codes.dtype)
        weight = data.of(data.weight)
        return replace(
            data,
            X=made.X,
            x=self.feature_encoder_.transform(made.X),
            labels=made.labels,
            y=y,
            strata=y,
            weight=weights_after(made, labels, weight),
            rows=np.arange(n_rows(made.X), dtype=data.rows.dtype),
            mass=np.bincount(codes, weight, self.n_classes_).astype(np.float64),
        )
