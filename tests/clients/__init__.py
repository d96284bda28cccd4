"""Applications: their secrets and the overlap of a rotation."""
