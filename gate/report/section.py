"""A section of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Section:
    """A section: `template` draws `data`; `command` makes the record. Without data, the page says
    that it was not run. `made` is the provenance of the record."""

    id: str
    title: str
    command: str
    data: Mapping[str, Any] | None
    made: Mapping[str, Any] = field(default_factory=dict)
    why: str = "no record of it in build/"

    @property
    def template(self) -> str:
        """The template of its body."""
        return f"{self.id}.html.j2"
