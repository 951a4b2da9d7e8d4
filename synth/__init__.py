"""What the decoder costs on real devices, and how its memories lie on them."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
