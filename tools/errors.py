"""The exception for invalid user input."""


class BadInput(ValueError):
    """Invalid user input. The message is one sentence naming file, field and value.

    Every command line turns it into ``error: <sentence>`` on stderr and exit code 2.
    """
