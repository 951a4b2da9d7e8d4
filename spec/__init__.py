"""The contract that golden decoder and RTL share: what a model is, how it lies on the array."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
