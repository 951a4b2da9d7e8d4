"""Jinja templates of the files for a board."""

from pathlib import Path

import jinja2

_FOLDER = Path(__file__).parent
_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=jinja2.select_autoescape(["html", "html.j2"]),
)


def template(name: str) -> jinja2.Template:
    """The template `name` of this folder."""
    return _environment.get_template(name)
