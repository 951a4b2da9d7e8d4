"""A planted bug of the registry."""

from dataclasses import dataclass

from formal.canary import Canary


@dataclass(frozen=True)
class Planted:
    """`bug` must be caught by the task `caught_by` at the configuration `config`."""

    bug: Canary
    caught_by: str
    config: str


def planted(config: str, caught_by: str, name: str, module: str, old: str, new: str) -> Planted:
    """The bug `name`: in `module`, `old` becomes `new`."""
    return Planted(Canary(name, module, old, new), caught_by, config)
