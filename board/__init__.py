"""What a board needs around a decoder: Verilog, weight image, description, testbench, a page."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
