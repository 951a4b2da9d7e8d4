"""What serves several rooms and is about none of them."""

from tools import sources as sources  # from here on, modules are loaded as they are digested
