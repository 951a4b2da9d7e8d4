"""The programs of the engines, all from PyPI wheels, and their launcher."""
