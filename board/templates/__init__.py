"""Jinja templates of the files for a board."""

from pathlib import Path

import jinja2

from tools.templates import environment

_environment = environment(
    Path(__file__).parent,
    keep_trailing_newline=True,
    autoescape=jinja2.select_autoescape(["html", "html.j2"]),
)


def template(name: str) -> jinja2.Template:
    """The template `name` of this folder."""
    return _environment.get_template(name)
