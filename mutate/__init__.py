"""How much of the decoder the verification would miss: mutants, and what kills them."""
