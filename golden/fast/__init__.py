"""A fast golden decoder: float64 matrix products and compiled loops, equal to `golden.decoder`."""
