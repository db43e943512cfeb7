"""How it learns: the epoch loop, the forward pass, early stopping."""

import sk_imbalance_nn.networks  # noqa: F401 - loads TensorFlow quietly, before Keras does
