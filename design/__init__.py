"""The decoder in Amaranth, and its Verilog export."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
