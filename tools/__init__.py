"""What serves several rooms and is about none of them."""

from design import sources as sources  # first, so that all others are loaded as they are digested
