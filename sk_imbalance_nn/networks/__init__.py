"""What learns: the default network, heads, and how networks are written down."""
