"""Known models in compiled RTL: their text byte for byte, their values bit for bit."""

import json

from click.testing import CliRunner

from gate.manifest import STORY_VALUES
from sim.__main__ import main
from tests.story import STORIES, TALES

#: One model in the widest RTL, which takes long to compile: stories260K if available.
KNOWN = [*STORIES, TALES][0]


def run(*arguments: str):
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def test_the_rtl_tells_the_story(tmp_path):
    known = KNOWN
    stats = tmp_path / "stats.json"
    options = ["--steps", str(known.steps), "--lanes", "64", "--stats", str(stats)]
    assert run("generate", str(known.model), *options).stdout_bytes == known.text
    figures = json.loads(stats.read_text())
    assert (figures["lanes"], figures["multipliers"]) == (64, 67)
    # Weights, and attention over all positions so far, of every token. The token that ends a text
    # is not printed.
    printed = figures["tokens"]
    done = printed if printed == known.steps else printed + 1
    assert figures["macs"] == done * 259_328 + 640 * sum(range(1, done + 1))
    assert figures["array_utilisation"] == figures["macs"] / (64 * figures["cycles"]) >= 0.6

    options = ["--steps", str(len(known.first) - 1 or 1), "--lanes", "64", "--ids"]
    ids = json.loads(run("generate", str(known.model), *options).stdout)
    assert tuple(ids[: len(known.first)]) == known.first


def test_every_value_of_some_tokens_under_stalls():
    result = run("compare", str(KNOWN.model), "--steps", "6", "--lanes", "64", "--stalls", "11")
    assert "no difference" in result.output


def test_without_a_model_the_own_one_is_told_and_compared(tmp_path):
    """As `nox -s story` does, whose build this is."""
    stats = tmp_path / "stats.json"
    options = ["--text", "--steps", "40", "--lanes", "8", "--stats", str(stats)]
    text, _, rest = run("compare", *options).stdout.partition("\n\n")
    assert TALES.text.decode().startswith(text) and len(text) > 60
    assert "no difference" in rest
    figures = json.loads(stats.read_text())
    assert (figures["tokens"], figures["equal"]) == (40, True)
    assert figures["values"] > 40 * STORY_VALUES


def test_a_prompt_is_continued():
    text = run("generate", "--backend", "float", "--prompt", "Once upon a time").stdout
    assert text.startswith("Once upon a time") and len(text) > 400
