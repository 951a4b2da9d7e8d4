"""The golden decoder made fast: float64 matrix products and compiled loops, equal to the page."""
