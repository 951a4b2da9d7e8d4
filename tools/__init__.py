"""Helpers shared by several folders: command lines, files, source digests, external tools."""

from tools import sources as sources  # installs the loader that digests every later import
