"""Compiled cycle-accurate simulation of the decoder, and its comparison with the golden one."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
