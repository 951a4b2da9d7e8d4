"""``python -m gate.report``: write build/report/index.html."""

import argparse
import datetime
import sys
from pathlib import Path

from gate import history
from gate.report.page import page
from gate.report.records import read
from tools.errors import BadInput
from tools.evidence import BUILD
from tools.files import write_atomically


def main(argv: list[str] | None = None) -> int:
    """Write the page; exit code 2 if it cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m gate.report", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=BUILD, help="folder to read")
    parser.add_argument("-o", "--output", type=Path, help="default: BUILD/report/index.html")
    parser.add_argument("--history", type=Path, default=history.FILE, help="file of earlier gates")
    parser.add_argument(
        "--viewer",
        type=Path,
        help="mutation-test-elements.js, the viewer of mutants, to be put into the page;"
        " default: that in node_modules/, if it was installed",
    )
    parser.add_argument("--now", type=datetime.datetime.fromisoformat, help="time of the report")
    args = parser.parse_args(argv)
    output = args.output or args.build / "report" / "index.html"
    now = args.now or datetime.datetime.now(datetime.UTC)
    try:
        if args.viewer and not args.viewer.is_file():
            raise BadInput(f"--viewer {str(args.viewer)!r} is no file")
        if not args.output:
            output.parent.mkdir(parents=True, exist_ok=True)
        records = read(args.build, now.astimezone(datetime.UTC), args.history)
        write_atomically(output, page(records, viewer=args.viewer))
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(f"report: {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
