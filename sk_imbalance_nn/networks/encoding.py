"""Encoding: the layer that makes of a raw table what dense layers learn well from."""

from __future__ import annotations

from typing import Any

import keras
from numpy.typing import ArrayLike

from sk_imbalance_nn.networks.bins_and_flags import MISSING, arrays_in, describe_columns

# A rare flag divided by its standard deviation would be the largest input there is.
_FLAG_HEIGHT = 0.4
_INTEGERS = ("bin_columns", "flag_columns")


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class TableEncoding(keras.layers.Layer):
    """Read a raw table: scores, bins and flags of its columns.

    A network learns poorly from columns as they are: tails rule its first layer, and what a tree
    cuts out of the middle of a column takes it long to find. This layer answers with two tensors.

    ``features``, of shape (n, n_binned + n_flags):

    - a *normal score* for each column of numbers with more than two values: its rank among the
      training rows, laid out on the normal distribution, linear between the edges of its bins;
    - a *flag*, 0.4 high and with a mean of 0, for the second of two values, for entries that are
      missing, for a value of many that is repeated as imputed ones are (1 % of the rows), and for
      each level of a categorical column. Levels of few rows, and those that were never seen,
      raise no flag.

    ``bins``, of shape (n, n_binned, n_bins): the piecewise-linear encoding of the same columns
    [1]_, with edges at their quantiles. For the bin from a to b it is (x - a) / (b - a), cut off
    at 0 and 1; at -1 below the first edge and at 2 above the last one. A missing entry is 0
    throughout. Values repeated so often that they would fill several bins count as one.

    `adapt` learns edges, scores and shares from the rows that train; it looks at no target. As
    weights that do not train they are saved, copied and restored with the network.

    Parameters
    ----------
    n_bins : int, default=32
        The most bins that a column is cut into; fewer with more than 128 columns, so that all
        have at most 4,096, but 4 each.
    n_binned, n_flags, n_features : int, default=None
        Sizes, which `adapt` finds.
    **kwargs
        For ``keras.layers.Layer``, e.g. ``name``.

    Raises
    ------
    ValueError
        If `n_bins` is below 1; if the layer is called before `adapt`, or on a table of another
        width.

    See Also
    --------
    BalancedKerasClassifier : Gives a builder with an argument ``encoding`` this layer, adapted.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Babenko (2022). On embeddings for numerical features in tabular
       deep learning. NeurIPS, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn import TableEncoding
    >>> X = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, np.nan], [4.0, 5.0]], dtype="float32")
    >>> encoding = TableEncoding().adapt(X)
    >>> features, bins = encoding(X)
    >>> np.asarray(bins)[:, 0, :3].tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    >>> np.asarray(features)[:, 1].round(2).tolist()  # what is missing in the second column
    [-0.10000000149011612, -0.10000000149011612, 0.30000001192092896, -0.10000000149011612]
    """

    def __init__(
        self,
        n_bins: int = 32,
        *,
        n_binned: int | None = None,
        n_flags: int | None = None,
        n_features: int | None = None,
        **kwargs: Any,
    ) -> None:
        # Values are compared exactly, which half a float32 could not.
        kwargs = {"dtype": "float32", **kwargs}
        super().__init__(trainable=False, **kwargs)
        if n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, found {n_bins!r}.")
        self.n_bins, self.n_binned, self.n_flags = int(n_bins), n_binned, n_flags
        self.n_features = n_features
        if n_binned is not None:
            self._make_weights()

    def adapt(
        self, X: Any, n_categories: ArrayLike | None = None, rows: Any = None
    ) -> TableEncoding:
        """Learn the columns; see `describe_columns`.

        Parameters
        ----------
        X : array, memory map or CSR matrix of shape (n, n_features)
            The rows that train; NaN is a missing entry.
        n_categories : array-like of shape (n_features,), default=None
            How many levels a categorical column has, whose entries are codes; 0 for numbers.
        rows : ndarray of shape (m,), default=None
            Which rows of X train; by default all.

        Returns
        -------
        TableEncoding
            Itself.

        Raises
        ------
        ValueError
            If X has no rows or columns, or the layer was adapted before.
        """
        if len(X.shape) != 2 or 0 in X.shape:
            raise ValueError(
                f"TableEncoding reads tables of shape (n >= 1, n_features >= 1), found {X.shape}."
            )
        if self.n_binned is not None:
            raise ValueError("This TableEncoding is adapted already; make a new one.")
        bins, flags = describe_columns(X, n_categories, self.n_bins, rows)
        self.n_binned, self.n_bins = bins.left.shape
        self.n_flags, self.n_features = len(flags.values), int(X.shape[1])
        self._make_weights()
        for kind, part in (("bin", bins), ("flag", flags)):
            for name, array in arrays_in(part).items():
                self._table_weights[f"{kind}_{name}"].assign(array)
        return self

    def _make_weights(self) -> None:
        shapes = {
            "bin_columns": (self.n_binned,),
            **{
                f"bin_{name}": (self.n_binned, self.n_bins)
                for name in ("left", "scale", "low", "high")
            },
            "bin_base": (self.n_binned,),
            "bin_rise": (self.n_binned, self.n_bins),
            **{f"flag_{name}": (self.n_flags,) for name in ("columns", "values", "means")},
        }
        self._table_weights = {
            name: self.add_weight(
                shape=shape,
                initializer="zeros",
                dtype="int32" if name in _INTEGERS else "float32",
                trainable=False,
                name=name,
            )
            for name, shape in shapes.items()
        }
        self.built = True

    def build(self, input_shape: Any) -> None:
        """Check the width of the table.

        Parameters
        ----------
        input_shape : tuple
            Of the table, (n, n_features).

        Raises
        ------
        ValueError
            Before `adapt`, or for a table of another width.
        """
        self._check(input_shape)

    def _check(self, input_shape: Any) -> None:
        if self.n_binned is None:
            raise ValueError(
                "This TableEncoding knows no columns yet: call adapt(X) on the rows that train, "
                "or let the builder take an argument `encoding`, which is adapted."
            )
        if input_shape[-1] != self.n_features:
            raise ValueError(
                f"This TableEncoding was adapted to {self.n_features} columns, found a table of "
                f"{input_shape[-1]}."
            )

    def call(self, table: Any) -> tuple[Any, Any]:
        """Return features and bins.

        Parameters
        ----------
        table : tensor of shape (n, n_features)
            Raw rows.

        Returns
        -------
        features : tensor of shape (n, n_binned + n_flags)
            Normal scores and flags.
        bins : tensor of shape (n, n_binned, n_bins)
            Piecewise-linear codes.
        """
        ops = keras.ops
        self._check(table.shape)
        read = {name: ops.convert_to_tensor(part) for name, part in self._table_weights.items()}
        column = ops.take(table, read["bin_columns"], axis=1)
        known = ops.cast(ops.logical_not(ops.isnan(column)), "float32")
        column = ops.where(ops.isnan(column), 0.0, column)
        steps = (ops.expand_dims(column, -1) - read["bin_left"]) * read["bin_scale"]
        bins = ops.clip(steps, read["bin_low"], read["bin_high"]) * ops.expand_dims(known, -1)
        scores = ops.sum(bins * read["bin_rise"], axis=-1) + read["bin_base"] * known
        compared = ops.where(ops.isnan(table), MISSING, table)
        compared = ops.take(compared, read["flag_columns"], axis=1)
        flags = ops.cast(ops.equal(compared, read["flag_values"]), "float32") - read["flag_means"]
        # A missing entry is no other value: where it has no flag of its own, nothing is said.
        is_value = ops.not_equal(read["flag_values"], MISSING)
        unsaid = ops.logical_and(ops.equal(compared, MISSING), is_value)
        flags = ops.where(unsaid, 0.0, flags) * _FLAG_HEIGHT
        return ops.concatenate([scores, flags], axis=-1), bins

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, Any]:
        """Return the shapes of features and bins.

        Parameters
        ----------
        input_shape : tuple
            Of the table.

        Returns
        -------
        tuple of two tuples
            See `call`.
        """
        self._check(input_shape)
        n = input_shape[0]
        return (n, self.n_binned + self.n_flags), (n, self.n_binned, self.n_bins)

    def get_config(self) -> dict[str, Any]:
        """Return what makes a layer of the same sizes.

        Returns
        -------
        dict
            Arguments of the constructor.
        """
        sizes = ("n_bins", "n_binned", "n_flags", "n_features")
        config = {**super().get_config(), **{name: getattr(self, name) for name in sizes}}
        config.pop("trainable", None)
        return config
