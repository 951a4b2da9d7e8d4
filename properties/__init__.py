"""Theorems: one module per family, each written against a component's signature."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
