"""What runs in the process of a mutant: only names, numbers and text leave it."""
