"""``nox -s check``: what a designer runs after each edit. It stops at the first objection."""
