"""The contract of golden decoder and RTL: the model, and its mapping onto the array."""

from tools import sources as sources  # first, so that all later imports are digested
