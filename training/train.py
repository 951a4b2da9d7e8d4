"""Training: every story is used once; Muon for the matrices, Adam for the rest."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training import llama, vocabulary
from training.tales import tell
from training.teller import draw

BOS = 1
#: Number of threads, each with a part of the batch.
THREADS = 2
#: Number of held-out stories for measuring the loss.
TEST_STORIES = 200

Ids = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`steps` batches of `rows` texts of `length` tokens; if `whole`, each begins with a story."""

    steps: int
    rows: int
    length: int
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Stages with one optimizer. Its rates rise over `warmup` steps, and fall to the share `final`
    over the last part, `cooldown`, of all steps."""

    stages: tuple[Stage, ...]
    muon: float
    adam: float
    warmup: int
    cooldown: float
    final: float = 0.0

    @property
    def steps(self) -> int:
        """The number of steps of all stages."""
        return sum(stage.steps for stage in self.stages)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All parameters of a training; `decay` is the weight decay relative to the rate of a step."""

    seed: int = 1
    sizes: llama.Sizes = field(default_factory=llama.Sizes)
    decay: float = 0.1
    # Most is learned from pieces of stories; coherence, from whole stories.
    phases: tuple[Phase, ...] = (
        Phase(
            stages=(
                Stage(steps=5000, rows=16, length=256, whole=False),
                Stage(steps=1500, rows=16, length=512, whole=True),
            ),
            muon=0.02,
            adam=0.005,
            warmup=50,
            cooldown=0.35,
        ),
    )


def quick(plan: Plan) -> Plan:
    """`plan` with a few small steps, as a smoke test."""
    stages = (Stage(steps=2, rows=2, length=16, whole=True),)
    phases = tuple(
        dataclasses.replace(phase, stages=stages, warmup=1, cooldown=0.5) for phase in plan.phases
    )
    return dataclasses.replace(plan, phases=phases)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Weights rounded to bfloat16.

    `loss` is that of `tested` held-out stories, in nats per token, and `floor` its lower bound.
    `stories` and `tokens` are the numbers trained on.
    """

    weights: dict[str, NDArray[np.float32]]
    tokenizer: Tokenizer
    loss: float
    floor: float
    tested: int
    stories: int
    tokens: int


def train(plan: Plan, report: Callable[[str], None]) -> Trained:
    """Train by `plan`; `report` gets lines about the progress."""
    jax.config.update("jax_num_cpu_devices", THREADS)
    texts = (draw(tell, f"{plan.seed}/vocabulary/{n}")[0] for n in range(vocabulary.STORIES))
    tokenizer = vocabulary.train(texts)
    test, floor = _test_rows(plan, tokenizer)
    weights = llama.initial(plan.sizes, plan.seed)
    count = sum(values.size for values in weights.values())
    report(f"{count:,} weights; the lower bound of the loss is {floor:.4f} nats per token")
    stories = _Stories(plan, tokenizer)
    begin, done, tokens = time.monotonic(), 0, 0
    for phase in plan.phases:
        optimizer = _optimizer(phase, plan.decay, weights)
        state = optimizer.init(weights)
        step = _step(optimizer, plan.sizes)
        for stage in phase.stages:
            for rows in itertools.islice(stories.batches(stage), stage.steps):
                weights, state, loss = step(weights, state, rows)
                done, tokens = done + 1, tokens + rows[:, 1:].size
                if done % 50 == 0:
                    spent = time.monotonic() - begin
                    report(f"step {done:5d}  loss {loss:.4f}  {tokens / spent:,.0f} tokens/s")
    rounded = {
        name: values.astype(jnp.bfloat16).astype(jnp.float32) for name, values in weights.items()
    }
    loss = _test_loss(rounded, test, plan.sizes)
    report(
        f"loss on held-out stories, in bfloat16: {loss:.4f} nats per token, at least {floor:.4f}"
    )
    return Trained(
        weights={name: np.asarray(values) for name, values in rounded.items()},
        tokenizer=tokenizer,
        loss=loss,
        floor=floor,
        tested=len(test),
        stories=stories.drawn,
        tokens=tokens,
    )


def _step(optimizer: optax.GradientTransformation, sizes: llama.Sizes) -> Callable[..., Any]:
    """A function (weights, state, rows) -> (weights, state, loss)."""
    kind = jax.sharding.AxisType.Auto
    threads = jax.make_mesh((THREADS,), ("rows",), axis_types=(kind,))
    everywhere, split = jax.P(), jax.P("rows")

    @partial(
        jax.shard_map, mesh=threads, in_specs=(everywhere, split), out_specs=everywhere,
        check_vma=False,
    )  # fmt: skip
    def slopes_of(weights: llama.Weights, rows: Ids) -> tuple[jax.Array, llama.Weights]:
        loss_and_slopes = jax.value_and_grad(
            lambda weights: llama.losses(weights, rows, sizes).mean()
        )
        return jax.lax.pmean(loss_and_slopes(weights), "rows")

    def step(weights: llama.Weights, state: Any, rows: Ids) -> tuple[llama.Weights, Any, jax.Array]:
        loss, slopes = slopes_of(weights, rows)
        updates, state = optimizer.update(slopes, state, weights)
        return optax.apply_updates(weights, updates), state, loss

    return jax.jit(step)


def _optimizer(phase: Phase, decay: float, weights: llama.Weights) -> optax.GradientTransformation:
    cooldown = round(phase.cooldown * phase.steps)

    def schedule(peak: float) -> optax.Schedule:
        return optax.join_schedules(
            [
                optax.linear_schedule(0.0, peak, phase.warmup),
                optax.constant_schedule(peak),
                optax.linear_schedule(peak, peak * phase.final, cooldown),
            ],
            [phase.warmup, max(phase.warmup, phase.steps - cooldown)],
        )

    kinds = {
        name: "muon" if name.endswith("_proj") else "decayed" if name == "embed_tokens" else "norm"
        for name in weights
    }
    matrices = optax.contrib.MuonDimensionNumbers(reduction_axis=2, output_axis=1)
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.partition(
            {
                "muon": optax.contrib.muon(
                    schedule(phase.muon),
                    weight_decay=decay,
                    muon_weight_dimension_numbers=lambda tree: jax.tree.map(
                        lambda _: matrices, tree
                    ),
                ),
                "decayed": optax.adamw(schedule(phase.adam), b2=0.98, weight_decay=decay),
                "norm": optax.adam(schedule(phase.adam), b2=0.98),
            },
            kinds,
        ),
    )


class _Stories:
    """A sequence of stories, as ids with BOS in front of each; `drawn` counts them."""

    def __init__(self, plan: Plan, tokenizer: Tokenizer) -> None:
        self._plan, self._tokenizer = plan, tokenizer
        self.drawn = 0

    def _next(self) -> list[int]:
        text, _ = draw(tell, f"{self._plan.seed}/{self.drawn}")
        self.drawn += 1
        return list(self._tokenizer.encode(text).ids)

    def batches(self, stage: Stage) -> Iterator[Ids]:  # (rows, length + 1) each
        left: list[int] = []
        size = stage.length + 1
        while True:
            rows: list[list[int]] = []
            while len(rows) < stage.rows:
                while len(left) < size:
                    left += self._next()
                rows.append(left[:size])
                left = [] if stage.whole else left[stage.length :]
            yield np.array(rows, np.int32)


def _test_rows(plan: Plan, tokenizer: Tokenizer) -> tuple[Ids, float]:
    """Stories with the BOS that ends them, padded with -1; and the bound of the loss per token."""
    drawn = [draw(tell, f"{plan.seed}/test/{n}") for n in range(TEST_STORIES)]
    rows = np.full((TEST_STORIES, plan.sizes.context + 1), -1, np.int32)
    for row, (text, _) in zip(rows, drawn, strict=True):
        ids = [*tokenizer.encode(text).ids, BOS][: len(row)]
        row[: len(ids)] = ids
    return rows, sum(nats for _, nats in drawn) / int((rows[:, 1:] >= 0).sum())


def _test_loss(weights: llama.Weights, rows: Ids, sizes: llama.Sizes) -> float:
    compute = jax.jit(lambda weights, rows: llama.losses(weights, rows, sizes))
    total = 0.0
    for batch in np.array_split(rows, len(rows) // 20 or 1):
        losses = np.asarray(compute(weights, np.maximum(batch, 0)))
        total += float(losses[batch[:, 1:] >= 0].sum())
    return total / int((rows[:, 1:] >= 0).sum())
