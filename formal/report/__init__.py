"""What the runner prints and leaves behind."""
