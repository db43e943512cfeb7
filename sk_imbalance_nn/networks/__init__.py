"""What learns: the default network, heads, and how networks are written down."""

from sk_imbalance_nn._start_up import load_tensorflow

load_tensorflow()
