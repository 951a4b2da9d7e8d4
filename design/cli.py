"""What every command line of the project shares: bad input is one sentence and exit code 2."""

import os
import sys
from typing import Any

import click

from design.config import LANES, CacheBacking, Config
from design.errors import BadInput

#: What commands that take a configuration can change of its geometry; see `with_geometry`.
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


def describe(config: Config) -> str:
    """Name and geometry of `config`, for a line of output."""
    cache = ", external cache" if config.geometry.cache is CacheBacking.EXTERNAL else ""
    return f"{config.name}, {config.geometry.lanes} lanes{cache}"


class Cli(click.Group):
    """A click group that turns :class:`BadInput` into ``error: <sentence>`` and exit code 2.

    Wrong options, and files that the system refuses, are told the same way. Every other exception
    is a bug of ours and keeps its traceback.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command and leave with its exit code."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
        try:
            code = super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message())
        except BadInput as error:
            _fail(str(error))
        except BrokenPipeError:
            # The reader of our output left; there is nobody to tell. Keep Python's exit quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        except click.Abort:
            click.echo("aborted", err=True)
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    sentence = " ".join(message.split())
    click.echo(f"error: {sentence}", err=True)
    sys.exit(2)
