"""Jinja templates of a folder, with the settings that all of ours have."""

from pathlib import Path
from typing import Any

import jinja2


def environment(folder: Path, **settings: Any) -> jinja2.Environment:
    """The templates in `folder`: a name that is missing is an error, and lines that only have
    statements leave no trace. `settings` are further ones of Jinja."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **settings,
    )
