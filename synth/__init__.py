"""Synthesis for real devices: resources and speed of the decoder, mapping of its memories."""

from tools import sources as sources  # first, so that all later imports are digested
