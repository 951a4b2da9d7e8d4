"""Speed, measured: nothing here is a test, since machines are noisy."""
