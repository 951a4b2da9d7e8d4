"""A planted bug of the registry."""

from dataclasses import dataclass

from tools.planting import PlantedBug


@dataclass(frozen=True)
class Planted:
    """`bug` must be caught by the task `caught_by` at the configuration `config`."""

    bug: PlantedBug
    caught_by: str
    config: str


def planted(config: str, caught_by: str, *bug: str) -> Planted:
    """A `PlantedBug` of these arguments."""
    return Planted(PlantedBug(*bug), caught_by, config)
