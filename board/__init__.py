"""Exports a decoder for a board: Verilog, weight image, description, testbench, HTML page."""

from tools import sources as sources  # first, so that all later imports are digested
