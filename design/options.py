"""Options of the commands that take a named configuration: what they can change of it."""

import click

from spec.config import LANES, CacheBacking, Config

lanes_option = click.option(
    "--lanes", type=click.Choice([str(n) for n in LANES]), help="Multipliers."
)
cache_option = click.option(
    "--cache",
    type=click.Choice([backing.value for backing in CacheBacking]),
    help="Where keys and values lie.",
)


def with_geometry(config: Config, lanes: str | None, cache: str | None) -> Config:
    """`config` with what the options above ask for."""
    if lanes is not None:
        config = config.with_lanes(int(lanes))
    return config if cache is None else config.with_cache(CacheBacking(cache))
