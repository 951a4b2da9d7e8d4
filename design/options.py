"""Options of the commands that take a named configuration: what they can change of it."""

import click

from spec.config import LANES, CacheBacking, Config, RopeBy

lanes_option = click.option(
    "--lanes", type=click.Choice([str(n) for n in LANES]), help="Multipliers."
)
cache_option = click.option(
    "--cache",
    type=click.Choice([backing.value for backing in CacheBacking]),
    help="Where keys and values lie.",
)
rope_option = click.option(
    "--rope",
    type=click.Choice([rope_by.value for rope_by in RopeBy]),
    help="Where the angles of RoPE come from.",
)


def with_options(
    config: Config, lanes: str | None = None, cache: str | None = None, rope: str | None = None
) -> Config:
    """`config` with what the options above ask for."""
    if lanes is not None:
        config = config.with_lanes(int(lanes))
    if cache is not None:
        config = config.with_cache(CacheBacking(cache))
    return config if rope is None else config.with_rope(RopeBy(rope))
