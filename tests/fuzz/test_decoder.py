"""Golden trace = RTL trace, value for value, on random models, tokens and stalls."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from design.config import Config, Shape
from golden.fixed_decoder import FixedDecoder
from golden.image import pack, save
from golden.quantise import Model
from sim.compare import compare
from sim.rtl_decoder import RtlDecoder
from tests.fuzz.strategies import NUMERICS, configs, models, prompts, stall_seeds

#: Where the smallest failing case is left: a weight image that `sim` can replay.
FAILURES = Path(__file__).resolve().parents[2] / "build" / "fuzz"


def decoder(name: str, lanes: int, *sizes: int, numerics: str = "default") -> Config:
    names = [field.name for field in dataclasses.fields(Shape)]
    shape = Shape(**dict(zip(names, sizes, strict=True)))
    return Config(name=name, shape=shape, numerics=NUMERICS[numerics]).with_lanes(lanes)


#: Quite different shapes: dim, hidden, layers, heads, kv heads, vocab, seq len.
SHAPES = (
    decoder("mha", 8, 16, 11, 2, 4, 4, 13, 9),
    decoder("mqa", 4, 12, 7, 2, 6, 1, 10, 11, numerics="int8"),
    decoder("group4", 16, 32, 20, 1, 8, 2, 17, 12, numerics="half even"),
    decoder("one-lane", 1, 4, 3, 3, 2, 1, 5, 6, numerics="wide"),
    decoder("head-size-2", 32, 10, 13, 2, 5, 5, 9, 7, numerics="narrow"),
    decoder("least", 1, 2, 1, 1, 1, 1, 2, 1),
    decoder("odd", 2, 18, 23, 2, 3, 3, 11, 20, numerics="truncate"),
)


def check(config: Config, model: Model, prompt: list[int], steps: int, stalls: int | None) -> int:
    """Compare `steps` tokens; returns the number of values that were equal."""
    golden = FixedDecoder(model)
    values = 0
    with RtlDecoder(config, pack(model), "quick", stalls, quiet=True) as rtl:
        for progress in compare(golden, rtl, prompt, steps):
            values = progress.values
            if progress.difference is not None:
                FAILURES.mkdir(parents=True, exist_ok=True)
                # Shrinking overwrites it: what stays is the smallest case.
                image = FAILURES / f"failure-{config.name}.safetensors"
                save(image, model)
                note(f"image: {image}, prompt: {prompt}, stalls: {stalls}")
                pytest.fail(str(progress.difference), pytrace=False)
    return values


@pytest.mark.parametrize("config", SHAPES, ids=lambda config: config.name)
def test_chosen_shapes(config: Config, fuzz_record) -> None:
    """Many models and texts on a few shapes, which are built once."""

    @given(st.data())
    def run(data: st.DataObject) -> None:
        model = data.draw(models(config), label="model")
        prompt = data.draw(prompts(config), label="prompt")
        stalls = data.draw(stall_seeds, label="stalls")
        # Past the end of the context, so that a restart is part of every case.
        steps = data.draw(st.integers(1, config.shape.seq_len + 3), label="steps")
        fuzz_record(check(config, model, prompt, steps, stalls), steps)

    run()


def test_random_shapes(fuzz_record, building_settings) -> None:
    """Few models on many shapes: each is a design of its own, compiled for it."""

    @building_settings
    @given(st.data())
    def run(data: st.DataObject) -> None:
        config = data.draw(configs(), label="config")
        for _ in range(data.draw(st.integers(1, 3), label="models")):
            model = data.draw(models(config), label="model")
            prompt = data.draw(prompts(config), label="prompt")
            stalls = data.draw(stall_seeds, label="stalls")
            steps = config.shape.seq_len + 2
            fuzz_record(check(config, model, prompt, steps, stalls), steps)

    run()
