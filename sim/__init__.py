"""Compiled cycle-accurate simulation of the decoder, and its comparison with golden."""

from tools import sources as sources  # first, so that all later imports are digested
