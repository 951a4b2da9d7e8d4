"""The model that comes with the repository: its stories, its vocabulary, its training."""
