"""Harnesses: each builds the model of one task from a configuration.

They alone may look inside a component, for what an induction needs and no port shows.
"""
