"""The verdict of all jobs, and what must have happened for a green one."""

from tools import sources as sources  # first, so that all others are loaded as they are digested
