"""The proof engines, and the programs that they run."""
