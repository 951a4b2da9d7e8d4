"""The decoder in Amaranth, its configuration, its weight schedule and its Verilog export."""

from design import sources as sources  # from here on, modules are loaded as they are digested
