"""The default model of the repository: its stories, its vocabulary, its training."""
