"""Proofs for random configurations, with a new seed every day."""
