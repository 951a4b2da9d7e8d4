"""A public model, SmolLM2-135M-Instruct, in all three decoders."""
