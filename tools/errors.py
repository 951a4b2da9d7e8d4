"""The one exception that means "the user gave us something we must refuse"."""


class BadInput(ValueError):
    """Bad input from outside. Its message is one sentence naming file, field and value.

    Every command line turns it into ``error: <sentence>`` on stderr and exit code 2.
    """
