"""Pictures of the documentation are made of the design, and up to date."""

import xml.etree.ElementTree as ElementTree

import pytest

from board.picture import drawn
from design.decoder import Decoder
from design.options import with_options
from docs import diagram, timing
from docs.connections import connections
from docs.layers import layers
from gate.story import PROMPT
from golden.image import pack
from golden.quantise import quantise
from golden.sampler import Sampler
from sim.generation import fixed_tokens
from sim.models import configure, open_model, open_tokenizer, prompt_ids
from spec.config import named
from synth import page
from tests.docs import pages
from tools.sources import ROOT


def test_the_block_diagram_is_up_to_date():
    text = diagram.PICTURE.read_text("utf-8")
    assert text == diagram.picture(), "python -m docs blocks --write"
    assert len(text) < 30_000
    ElementTree.fromstring(text)


@pytest.mark.parametrize("cache", [None, "external"])
def test_every_part_and_stream_is_connected(cache):
    config = with_options(named("nano"), cache=cache)
    decoder = Decoder(config)
    found = connections(decoder)
    shown = {each.source for each in found} | {each.target for each in found}
    assert shown >= decoder.parts.keys() | {"i_token", "i_weights", "o_token", "o_logits"}
    bits = {(each.source, each.target): each.bits for each in found}
    assert bits["i_weights", "issue"] == config.geometry.lanes * config.numerics.weight_bits
    assert bits["layer_sequencer", "score"] == 0
    assert ("i_kv_words" in shown) is (cache is not None)


def test_layers_cut_cycles_and_keep_apart():
    edges = [("i", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("a", "c"), ("a", "d")]
    placed = layers(edges, width=10, gap=2)
    assert placed.back == [("c", "a")]
    point = (("a", "c"), 2)
    assert [set(row) for row in placed.ranks] == [{"i"}, {"a"}, {"b", "d", point}, {"c"}]
    assert placed.forward["a", "c"] == ["a", point, "c"]
    assert abs(placed.x["b"] - placed.x["d"]) >= 12


def test_timing_diagrams_show_the_passages():
    checkpoint, _ = open_model(None, timing.SIZES, timing.SEED)
    config = configure(checkpoint, None, "default").with_lanes(timing.LANES)
    samples = timing.simulate(config, pack(quantise(checkpoint, config)))
    for passage in timing.PASSAGES.values():
        lines = {wave.name: wave.values for wave in timing.waves(passage, samples)}
        assert lines[passage.begins][passage.before] == 1
        assert all(any(values) for values in lines.values()), "a line in which nothing happens"
        first = timing.first_cycle(passage, samples)
        ElementTree.fromstring(drawn(timing.waves(passage, samples), first))
    # The tensors of attention come in the order of the data.
    attention = timing.waves(timing.PASSAGES["attention"], samples)
    traced = next(wave.values for wave in attention if wave.name == "trace")
    order = [traced.index(name) for name in ("Q", "K", "V", "WEIGHT", "RECIPROCAL", "ATTENTION")]
    assert order == sorted(order)


def test_the_story_of_the_readme_is_what_the_decoder_writes():
    story = next(pages.blocks(ROOT / "README.md", "text"))
    checkpoint, path = open_model(None, None, 0)
    tokenizer = open_tokenizer(None, path, checkpoint.shape)
    ids = prompt_ids(PROMPT, lambda: tokenizer, checkpoint.shape)
    model = quantise(checkpoint, configure(checkpoint, None, "default"))
    greedy = Sampler(checkpoint.shape.vocab, 0.0, 0.9, 1)
    stream, text = tokenizer.stream(), b""
    for token in (ids[0], *fixed_tokens(model, ids, 100, greedy)):
        text += stream.put(token)
    assert " ".join(story.split()) in " ".join(text.decode().split())


def test_the_cost_page_is_up_to_date():
    assert page.PAGE.read_text("utf-8") == page.page(), "python -m synth table --write"
