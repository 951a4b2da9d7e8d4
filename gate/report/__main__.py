"""``python -m gate.report``: write build/report/index.html."""

import datetime
from pathlib import Path

import click

from gate import history
from gate.report.page import page
from gate.report.records import read
from tools.cli import CliCommand
from tools.errors import BadInput
from tools.evidence import BUILD
from tools.files import write_atomically

_PATH = click.Path(path_type=Path)


@click.command(cls=CliCommand)
@click.option("--build", type=_PATH, default=BUILD, help="The folder to read.")
@click.option("-o", "--output", type=_PATH, help="Default: report/index.html in that folder.")
@click.option("--history", "past", type=_PATH, default=history.FILE, help="File of earlier gates.")
@click.option(
    "--viewer", type=_PATH,
    help="mutation-test-elements.js, the viewer of mutants, to be put into the page. Default: that"
    " in node_modules/, if it was installed.",
)  # fmt: skip
@click.option("--now", type=click.DateTime(), help="Time of the report, UTC.")
def main(
    build: Path,
    output: Path | None,
    past: Path,
    viewer: Path | None,
    now: datetime.datetime | None,
) -> None:
    """Write one offline page of what the last runs left."""
    if viewer and not viewer.is_file():
        raise BadInput(f"--viewer {str(viewer)!r} is no file")
    if output is None:
        output = build / "report" / "index.html"
        output.parent.mkdir(parents=True, exist_ok=True)
    now = now.replace(tzinfo=datetime.UTC) if now else datetime.datetime.now(datetime.UTC)
    records = read(build, now, past)
    write_atomically(output, page(records, viewer=viewer))
    click.echo(f"report: {output}")


if __name__ == "__main__":
    main()
