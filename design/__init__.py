"""The decoder in Amaranth, its configuration, its weight schedule and its Verilog export."""
