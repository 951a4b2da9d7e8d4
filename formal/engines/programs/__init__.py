"""The programs behind the engines, all from PyPI wheels, and how they are started."""
