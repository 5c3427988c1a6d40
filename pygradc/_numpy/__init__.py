"""NumPy on traced values: the two protocols, and a module for each family."""
