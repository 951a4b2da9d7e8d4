"""``python -m docs``: the site, and the picture of the README."""

import sys
from pathlib import Path

import click

from tools.cli import Cli
from tools.errors import BadInput
from tools.files import write_atomically
from tools.sources import ROOT

BUILD = ROOT / "build" / "docs"
_FRONT = '<!DOCTYPE html><meta http-equiv="refresh" content="0; url=docs/index.html">\n'


@click.group(cls=Cli)
def main() -> None:
    """The documentation: the site, and its pictures."""


@main.command()
@click.option("--write", is_flag=True, help="Update docs/decoder.svg.")
def blocks(write: bool) -> None:
    """Print the block diagram as SVG, drawn from what the decoder connects."""
    from docs.diagram import PICTURE, picture

    if write:
        write_atomically(PICTURE, picture())
    else:
        click.echo(picture(), nl=False)


@main.command()
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SPHINX OPTIONS]")
def build(arguments: tuple[str, ...]) -> int:
    """Build the site in build/docs/html; a warning, such as a broken local link, is an error."""
    try:
        from sphinx.cmd.build import main as sphinx
    except ImportError:
        raise BadInput("Sphinx is not installed: pip install --group docs") from None
    from docs.tree import assemble

    assemble(BUILD / "source")
    # All is read anew (-E): a page that was read before would not warn again.
    options = ["-E", "-a", "-q", "-W", "--keep-going", "-n", "-c", str(ROOT / "docs"), *arguments]
    folders = [str(BUILD / name) for name in ("doctrees", "source", "html")]
    code = sphinx([*options, "-d", *folders])
    html = Path(folders[-1])
    (html / "index.html").write_text(_FRONT, "utf-8")
    click.echo(f"{'RED' if code else 'built'}: {html.relative_to(ROOT)}/index.html")
    return code


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m docs"))
