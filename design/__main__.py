"""``python -m design``: list the configurations, export Verilog."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from design.cli import Cli, cache_option, describe, lanes_option, with_geometry
from design.config import CONFIGS, named
from design.decoder import multipliers
from design.derived import derive
from design.export import cache_bits, to_verilog
from design.files import check_writable, write_atomically


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the named configurations and leave."""
    if not wanted or context.resilient_parsing:
        return
    table = Table(
        "name", "dim", "hidden", "layers", "heads", "kv heads", "vocab", "seq len", "lanes",
        "multipliers", "accumulator", "KV Mbit", "cache",
    )  # fmt: skip
    for config in CONFIGS.values():
        shape = config.shape
        sizes = (
            shape.dim, shape.hidden, shape.layers, shape.heads, shape.kv_heads, shape.vocab,
            shape.seq_len, config.geometry.lanes, multipliers(config), derive(config).acc_width,
        )  # fmt: skip
        table.add_row(
            config.name,
            *map(str, sizes),
            f"{cache_bits(config) / 2**20:.2f}",
            config.geometry.cache.value,
        )
    Console(width=140).print(table)
    context.exit()


@click.group(cls=Cli)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list,
    help="List the named configurations.",
)  # fmt: skip
def main() -> None:
    """The decoder: its configurations and its Verilog."""


@main.command()
@click.option("--config", "name", required=True, help="A named configuration, see --list.")
@lanes_option
@cache_option
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def export(name: str, lanes: str | None, cache: str | None, output: Path) -> None:
    """Write the decoder as one Verilog file, the same from run to run."""
    config = with_geometry(named(name), lanes, cache)
    check_writable(output, "--output")
    write_atomically(output, to_verilog(config))
    click.echo(f"{output}: {describe(config)}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m design")
