"""Theorems: one module per family, each written against a component's signature."""
