"""A model that people use, SmolLM2-135M-Instruct, through all three decoders."""
