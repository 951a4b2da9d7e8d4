"""The golden models: the specification of what the decoder computes."""

from tools import sources as sources  # first, so that all later imports are digested
