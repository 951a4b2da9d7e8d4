"""The proofs at random configurations, drawn anew every day."""
