"""Bitwuzla as an SMT-LIB solver on stdin and stdout, using its Python extension.

The wheel has no command line. smtbmc recognises this one by `--lang` in the help text. Commands are
passed to the parser in batches that end with a command with an answer: passing them one by one
takes longer than solving.
"""

import sys

import bitwuzla

HELP = "usage: bitwuzla [--help] [--version] --lang smt2 < commands"
ANSWERING = ("check-sat", "check-sat-assuming", "get-value", "get-model", "get-unsat-assumptions")


def commands(lines):
    """The commands of a stream, each a string with balanced parentheses."""
    pending: list[str] = []
    depth = 0
    for line in lines:
        depth += line.count("(") - line.count(")")
        pending.append(line)
        if depth == 0:
            command = "".join(pending).strip()
            pending.clear()
            if command:
                yield command


def serve(lines) -> None:
    """Answer commands until the end of the stream or an ``(exit)``."""
    terms = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    parser = bitwuzla.Parser(terms, options, "smt2", 2)
    batch: list[str] = []

    def flush() -> None:
        if batch:
            parser.parse("\n".join(batch), parse_file=False)
            batch.clear()

    for command in commands(lines):
        word, *arguments = command.strip("()").split()
        if word in ("push", "pop"):
            # The parser counts levels only within one parse call, so it would refuse a later pop.
            flush()
            getattr(parser.bitwuzla(), word)(int(arguments[0]) if arguments else 1)
        elif word == "exit":
            break
        else:
            batch.append(command)
            if word in ANSWERING:
                flush()


def main(arguments: list[str]) -> None:
    """The program `bitwuzla` for smtbmc."""
    if "--help" in arguments:
        print(HELP)
    elif "--version" in arguments:
        print(bitwuzla.version())
    else:
        serve(sys.stdin)
