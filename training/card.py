"""The model card: the files of a model, its origin, and the quality of its stories."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from training import llama
from training.folder import FILES
from training.judge import Told
from training.train import Plan, Trained

#: Text for a model that seldom tells a whole story.
LACKS = """
Its sentences are right, but names, pronouns and things change within a story: it was trained too
little to keep to them.
"""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Stories at temperature 0 (one), and sampled ones by their temperature."""

    greedy: Told
    sampled: dict[float, list[Told]]


def render(folder: Path, plan: Plan, trained: Trained, judged: Judged) -> str:
    """The text of the folder's README.md."""
    sizes = plan.sizes
    weights = sum(values.size for values in trained.weights.values())
    files = "\n".join(
        f"| `{name}` | {len(data):,} | `{hashlib.sha256(data).hexdigest()}` |"
        for name, data in ((name, (folder / name).read_bytes()) for name in FILES)
    )
    told = "\n".join(
        f"| {temperature} | {len(stories)} | {_percent(story.ended for story in stories)}"
        f" | {_percent(story.whole for story in stories)}"
        f" | {len({story.text for story in stories})} |"
        for temperature, stories in judged.sampled.items()
    )
    phases = "\n".join(
        f"| {number} | {stage.steps} | {stage.rows} x {stage.length} | {phase.muon} |"
        f" {phase.adam} |"
        for number, phase in enumerate(plan.phases, start=1)
        for stage in phase.stages
    )
    # Judged at the lowest temperature, where the model is best.
    coldest = judged.sampled[min(judged.sampled)]
    lacks = LACKS if sum(story.whole for story in coldest) < len(coldest) / 2 else ""
    return f"""---
license: mit
language: en
pipeline_tag: text-generation
tags: [llama, stories]
---

# {folder.name}

A Llama of {weights:,} parameters that tells small fairy tales, trained from nothing by
`python -m training train` in this repository, on stories that the repository draws itself from
`training/tales/`. It is the default model of `sim`, `golden` and `nox`. MIT, as all of the
repository: no text of anybody else went in.

dim {sizes.dim}, hidden {sizes.hidden}, {sizes.layers} layers, {sizes.heads} heads,
{sizes.kv_heads} KV heads, vocabulary {sizes.vocab} (byte-pair, with all bytes), context
{sizes.context}, RoPE base {llama.THETA:,.0f}, tied embedding: the sizes of stories260K, so that
what is proved at `stories260k` is proved at the sizes of this model. `<s>` (1) begins a text and
ends it.

| file | bytes | SHA-256 |
|---|---|---|
{files}

## Training

Seed {plan.seed}, {trained.stories:,} stories, each seen once, {trained.tokens:,} tokens. Muon for
the matrices, Adam for the rest, weight decay {plan.decay}; float32 in JAX on a CPU, rounded to
bfloat16 at the end.

| phase | steps | batch, rows x tokens | rate of Muon | of Adam |
|---|---|---|---|---|
{phases}

Loss on {trained.tested} stories never seen: **{trained.loss:.4f} nats a token** in bfloat16. The
stories leave {trained.floor:.4f} open (the choices of the grammar), which no model can beat.

## Quality

The grammar can read, too: it follows a text from its first word and says whether it is a whole
story. `python -m training judge models/{folder.name}`, sampled without top-p:

| temperature | stories | ended | whole stories of the grammar | different |
|---|---|---|---|---|
{told}
{lacks}
Greedy (`python -m sim generate`), {judged.greedy.tokens} tokens:

```text
{judged.greedy.text}
```

It knows only such tales: another beginning (`--prompt`) gets what fits best, a question no answer.
"""


def _percent(flags: object) -> str:
    values = list(flags)  # type: ignore[call-overload]
    return f"{sum(values) / len(values):.1%}"
