"""The verdict over all jobs, and the requirements of a green one."""

from tools import sources as sources  # first, so that all later imports are digested
