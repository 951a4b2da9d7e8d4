"""``python -m design``: list the configurations, export Verilog."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from design.decoder import multipliers
from design.export import cache_bits, to_verilog
from design.options import cache_option, lanes_option, rope_option, with_options
from spec.config import CONFIGS, named
from spec.derived import derive
from tools.cli import Cli
from tools.errors import BadInput
from tools.files import check_writable, write_atomically


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
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--config", "name", help="A named configuration, see --list, in place of MODEL.")
@lanes_option
@cache_option
@rope_option
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option(
    "--tokenizer", type=click.Path(path_type=Path),
    help="In place of the one in or beside MODEL: the testbench prints text.",
)  # fmt: skip
@click.option("--prompt", default="", help="Text that the testbench begins with.")
@click.option("--tokens", type=click.IntRange(1), default=16, show_default=True, help="Of its run.")
def export(
    model: Path | None,
    name: str | None,
    lanes: str | None,
    cache: str | None,
    rope: str | None,
    output: Path,
    tokenizer: Path | None,
    prompt: str,
    tokens: int,
) -> None:
    """Write what a board needs for MODEL, a checkpoint or a weight image, into a folder.

    With --config instead, write that decoder as one Verilog file, the same from run to run.
    """
    if (model is None) == (name is None):
        raise BadInput("name either a MODEL or --config NAME")
    if model is not None:
        # Quantising and simulating are for rooms above this one, of which only the command knows.
        from board.command import export_model

        export_model(model, lanes, cache, rope, output, tokenizer, prompt, tokens)
        return
    assert name is not None
    config = with_options(named(name), lanes, cache, rope)
    check_writable(output, "--output")
    write_atomically(output, to_verilog(config))
    click.echo(f"{output}: {config.describe()}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m design")
