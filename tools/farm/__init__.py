"""Work on many machines: the same answers wherever, in whatever order, and whoever is killed.

What is spread must keep what it finds in files by content, written atomically: an item whose worker
dies is simply done again, by another.
"""

from tools.farm.farm import Farm, FarmError, named, spread

__all__ = ["Farm", "FarmError", "named", "spread"]
