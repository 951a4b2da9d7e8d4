"""``python -m formal explain``: all details of a property, from the table and the source."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from formal.engines.table import Engine
from formal.report.statements import place, statements
from formal.runner import Runner
from formal.tasks.configs import PROOF_CONFIGS
from formal.tasks.task import Task
from properties.dialect import Statement


def explain(console: Console, task: Task, runner: Runner) -> None:
    """Print theorem, configurations, engines, bound, assumptions, claims, covers, planted bug."""
    config = PROOF_CONFIGS[task.all_configs[0]]
    model = task.harness(config, **task.arguments)
    all_statements = statements(model)
    console.print(f"[bold]{task.id}[/]  ({task.family})", highlight=False)
    console.print(f"theorem         {escape(task.theorem.sentence())}", highlight=False)
    for name, value in _facts(task, runner):
        console.print(f"{name:<15} {escape(value)}", highlight=False)
    for title, kind in (("assumptions", "assume"), ("claims", "assert"), ("covers", "cover")):
        of_kind = (statement for statement in all_statements if statement.kind == kind)
        _section(console, title, of_kind)
    if model.outputs:
        console.print("\n[bold]outputs[/] that the engine reads")
        for port in model.outputs:
            console.print(f"  {port}", highlight=False)


def _within(depth: int, engine: Engine) -> str:
    unbounded = engine.name == "explore"
    return "any number of cycles from reset" if unbounded else f"within {depth} cycles of reset"


def _facts(task: Task, runner: Runner) -> Iterable[tuple[str, str]]:
    engines = runner.engines_for(task)
    engine, second = engines["proof"], engines.get("confirmation")
    yield "stated in", f"{task.theorem.__module__.replace('.', '/')}.py"
    arguments = ", ".join(f"{name} = {value}" for name, value in task.arguments.items())
    yield "harness", f"{task.harness.__module__}.{task.harness.__name__}({arguments})"
    yield "configurations", ", ".join(task.configs) or "none"
    yield "  with --all", ", ".join(task.wide) or "none"
    for name, why in task.unproved.items():
        yield f"  {name}", why
    yield "claimed for", task.domain.words
    yield "engine", engine.name
    if second:
        yield "confirmed by", f"{second.name}, within {task.confirm_timeout} s"
    else:
        yield "unconfirmed", task.unconfirmed or engine.alone
    yield "bound", _bound(task, engine)
    yield "obligations", str(task.obligations)
    yield "witnesses", f"{_within(task.cover_depth, engines['cover'])}, {engines['cover'].name}"
    if task.search:
        narrowed = ", ".join(f"{name} = {value}" for name, value in task.search.items())
        yield "searched with", f"{narrowed} (witnesses and bug only)"
    bug = task.bug
    yield "planted bug", f"{bug.name}, {_within(task.bug_depth, engines['bug'])}"
    yield "  in", f"{bug.module}, {bug.function}"
    yield "  instead of", " ".join(bug.node.split())
    yield "  replaced by", " ".join(bug.replacement.split()) or "nothing"


def _bound(task: Task, engine: Engine) -> str:
    if task.mode == "bmc":
        return f"bounded, {task.depth} cycles: {task.reason}"
    if engine.induction:
        return (
            f"none: k-induction, k = {task.depth}; no claim fails in the first {task.depth} "
            f"cycles, or after {task.depth} good cycles from any state"
        )
    return f"none: {engine.argument}"


def _section(console: Console, title: str, listed: Iterable[Statement]) -> None:
    rows = list(listed)
    if not rows:
        return
    console.print(f"\n[bold]{title}[/]")
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 2))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True, style="dim")
    for statement in rows:
        table.add_row(statement.name, escape(statement.text), place(statement))
    console.print(table, highlight=False)
