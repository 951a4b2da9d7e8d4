"""``python -m training``: draw stories, train the model on them, judge the stories it tells."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from tools.cli import Cli
from tools.errors import BadInput
from tools.files import write_atomically
from training.judge import Told, share
from training.judge import stories as stories_of
from training.tales import tell
from training.teller import draw

_stderr = Console(stderr=True, highlight=False)
#: Temperatures of the model card, and the number of stories at each.
TEMPERATURES, JUDGED = (0.5, 1.0), 40


@click.group(cls=Cli)
def main() -> None:
    """Make the default model of the repository."""


@main.command()
@click.option("--count", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="As in training.")
def stories(count: int, seed: int) -> None:
    """Print the first stories of a training with this seed."""
    for number in range(count):
        text, nats = draw(tell, f"{seed}/{number}")
        click.echo(f"{text}\n({nats:.1f} nats)\n")


@main.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A folder.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--quick", is_flag=True, help="Only a few steps, as a smoke test.")
def train(output: Path, seed: int, quick: bool) -> None:
    """Train the model, and write it with its card as a Hugging Face folder.

    The same seed gives the same stories and vocabulary; the weights also depend on the order of
    additions on the machine.
    """
    try:
        from training.train import Plan, train
        from training.train import quick as shortened
    except ModuleNotFoundError as error:
        raise BadInput(f"training needs {error.name}: pip install --group training") from None
    from training.card import Judged, render
    from training.folder import write_folder

    if output.exists() and not output.is_dir():
        raise BadInput(f"--output = {str(output)!r} is not a folder")
    plan = shortened(Plan(seed=seed)) if quick else Plan(seed=seed)
    trained = train(plan, click.echo)
    write_folder(output, trained, plan.sizes)
    count = 4 if quick else JUDGED
    judged = Judged(
        greedy=_told(output, 1, 0.0)[0],
        sampled={temperature: _told(output, count, temperature) for temperature in TEMPERATURES},
    )
    write_atomically(output / "README.md", render(output, plan, trained, judged))
    click.echo(f"{output}: loss {trained.loss:.4f}, at least {trained.floor:.4f}")


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--count", type=int, default=JUDGED, show_default=True)
@click.option("--temperature", type=float, default=1.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the first story.")
@click.option("--show", type=int, default=0, show_default=True, help="Stories to print.")
def judge(model: Path, count: int, temperature: float, seed: int, show: int) -> None:
    """Let MODEL tell stories, and report how many are whole stories of the grammar.

    For each other story, prints the position where it leaves the grammar.
    """
    told = _told(model, count, temperature, seed)
    for number, story in enumerate(told):
        if number < show:
            click.echo(f"{story.text}\n({story.tokens} tokens)\n")
        if not story.whole:
            before = story.text[max(0, story.good - 60) : story.good]
            after = story.text[story.good : story.good + 30]
            click.echo(f"story {number}: {before!r} | {after!r}")
    lengths = [story.tokens for story in told]
    click.echo(
        f"{share(told):.1%} of {count} stories at temperature {temperature} are whole;"
        f" {len({story.text for story in told})} different,"
        f" {min(lengths)} to {max(lengths)} tokens"
    )


def _told(model: Path, count: int, temperature: float, seed: int = 1) -> list[Told]:
    bar = iter(track(range(1 << 20), "telling", console=_stderr, transient=True))
    return stories_of(model, count, temperature, seed, progress=lambda _: next(bar, None))


if __name__ == "__main__":
    main(prog_name="python -m training")
