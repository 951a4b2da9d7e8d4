"""How cost grows with the shape: measured, fitted, and carried on to shapes nobody has built."""
