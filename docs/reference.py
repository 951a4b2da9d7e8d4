"""Pages of the site that are generated: the API by docstrings, and what commands answer."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from tools.sources import ROOT

#: The rooms whose modules have API pages.
ROOMS = ("spec", "design", "golden", "sim", "properties", "formal", "tools")
#: The command lines: modules with a click command `main`.
COMMANDS = (
    "sim", "design", "golden", "formal", "synth", "mutate", "benchmarks", "training", "gate.check",
    "gate.report", "docs",
)  # fmt: skip


def command(module: str) -> click.Command:
    """The command that ``python -m module`` runs."""
    answer = importlib.import_module(f"{module}.__main__").main
    assert isinstance(answer, click.Command)
    return answer


def commands_page() -> str:
    """What each command prints for ``--help``, in Markdown."""
    parts = ["# Commands", "", "What `--help` prints.", ""]
    for module in COMMANDS:
        parts += [f"## python -m {module}", ""]
        for path, text in _helps(command(module), f"python -m {module}"):
            if path.count(" ") > 2:
                parts += [f"### {path.partition(' -m ')[2]}", ""]
            parts += ["```text", text, "```", ""]
    return "\n".join(parts)


def _helps(group: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """(words, help) of a command and of those below it."""
    context = click.Context(group, info_name=path, max_content_width=90, terminal_width=90)
    yield path, group.get_help(context)
    for name, below in getattr(group, "commands", {}).items():
        words = f"{path} {name}"
        inner = click.Context(below, info_name=words, max_content_width=90, terminal_width=90)
        yield words, below.get_help(inner)


def api_pages(root: Path = ROOT) -> Mapping[str, str]:
    """A page per package of `ROOMS`, in reStructuredText, by its dotted name."""
    packages = {
        ".".join(file.parent.relative_to(root).parts): file.parent
        for room in ROOMS
        for file in sorted((root / room).rglob("__init__.py"))
    }
    return {name: _api_page(name, folder, packages) for name, folder in packages.items()}


def _api_page(package: str, folder: Path, packages: Mapping[str, Path]) -> str:
    modules = [
        f"{package}.{file.stem}" for file in sorted(folder.glob("*.py")) if file.stem[0] != "_"
    ]
    names = {name.rpartition(".")[2] for name in (*modules, *packages)}
    lines = [package, "=" * len(package), "", f".. automodule:: {package}"]
    # A function may be named as the module that it comes from, which is documented below.
    lines += [f"   :exclude-members: {', '.join(sorted(names))}", ""]
    for module in modules:
        lines += [module, "-" * len(module), "", f".. automodule:: {module}", ""]
    below = [name for name in packages if name.rpartition(".")[0] == package]
    if below:
        lines += [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in below), ""]
        lines += [f"Below: {', '.join(f':doc:`{name}`' for name in below)}.", ""]
    return "\n".join(lines)
