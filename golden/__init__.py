"""The golden models: what the decoder must compute, in numpy."""
