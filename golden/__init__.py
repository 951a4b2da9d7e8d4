"""The golden models: what the decoder must compute, in numpy."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
