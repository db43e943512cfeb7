"""How it learns: the epoch loop, the forward pass, early stopping."""
