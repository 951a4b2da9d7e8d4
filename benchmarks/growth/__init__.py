"""The growth of cost with the shape: measured, fitted, and extrapolated to larger models."""
