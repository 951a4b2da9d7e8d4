"""The documentation: pages that are read here too, and the site that is made of them.

Imports all rooms.
"""

from tools import sources as sources  # first, so that all later imports are digested
