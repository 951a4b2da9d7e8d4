"""The output of the runner: console, files and pages."""
