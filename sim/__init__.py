"""Compiled cycle-accurate simulation of the decoder, and its comparison with the golden one."""
