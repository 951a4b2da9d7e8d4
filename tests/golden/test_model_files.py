"""Looking at models, and writing them in another format."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.numpy
from click.testing import CliRunner

from golden.__main__ import main
from golden.checkpoint import random_checkpoint
from golden.checkpoints import llama2c, load_checkpoint
from golden.checkpoints.writer import write_folder
from golden.tokenizers import tokenizer_of
from spec.config import named
from tests.golden import test_checkpoint_gguf as ggufs
from tests.golden import test_checkpoint_huggingface as folders
from tests.golden.folders import byte_level, state_dict
from tests.golden.folders import write_folder as written_by_others
from tests.golden.gguf_files import add_byte_level, write_gguf
from tools.errors import BadInput

NANO = named("nano").shape


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("error: ")


@pytest.mark.parametrize("kind", folders.SHAPES)
@pytest.mark.parametrize("shared", [True, False])
def test_a_written_folder_is_read_again_and_by_others(tmp_path, kind, shared):
    checkpoint = random_checkpoint(folders.SHAPES[kind], 2, shared=shared)
    write_folder(tmp_path / "out", checkpoint, "F32", {})
    if checkpoint.shape.bos is None:
        byte_level(300, bos=False).save(str(tmp_path / "out" / "tokenizer.json"))
    actual = load_checkpoint(tmp_path / "out")
    assert (actual.shape, actual.shared) == (checkpoint.shape, shared)
    for name, tensor in checkpoint.weights.items():
        np.testing.assert_array_equal(actual.weights[name], tensor, err_msg=name)
    others = safetensors.numpy.load_file(tmp_path / "out" / "model.safetensors")
    expected = state_dict(checkpoint)
    assert others.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(others[name], tensor, err_msg=name)


def test_bfloat16_rounds_to_the_nearest_even(tmp_path):
    checkpoint = random_checkpoint(folders.SHAPE, 2)
    one = np.array([0x3F800000, 0x3F808000, 0x3F808001, 0x3F818000, 0x3F807FFF, 0xBF808001])
    rounded = np.array([0x3F800000, 0x3F800000, 0x3F810000, 0x3F820000, 0x3F800000, 0xBF810000])
    checkpoint.weights["rms_final"][:] = one.astype(np.uint32).view(np.float32)
    write_folder(tmp_path / "out", checkpoint, "BF16", {})
    actual = np.asarray(load_checkpoint(tmp_path / "out").weights["rms_final"])
    np.testing.assert_array_equal(actual.view(np.uint32), rounded)


@pytest.mark.parametrize(("kind", "value"), [("F16", 65520.0), ("BF16", 3.4e38)])
def test_a_value_that_the_type_cannot_hold(tmp_path, kind, value):
    checkpoint = random_checkpoint(folders.SHAPE, 2)
    checkpoint.weights["w1"][1, 0, 0] = value
    with pytest.raises(
        BadInput, match=rf"1\.mlp\.gate_proj\.weight holds .*, out of range of {kind}"
    ):
        write_folder(tmp_path / "out", checkpoint, kind, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["v0", "v1", "v2"])
def test_there_and_back(tmp_path, form):
    checkpoint = random_checkpoint(NANO, 3, shared=False)
    llama2c.write(tmp_path / "model.bin", checkpoint)
    assert run("convert", tmp_path / "model.bin", tmp_path / "folder").exit_code == 0
    assert run("convert", tmp_path / "folder", tmp_path / "again", "--to", form).exit_code == 0
    if form == "v0":
        assert (tmp_path / "again").read_bytes() == (tmp_path / "model.bin").read_bytes()
    llama2c.write(tmp_path / "expected", checkpoint, int(form[1:]))
    assert (tmp_path / "again").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_converted_model_has_its_tokenizer(tmp_path):
    shape = dataclasses.replace(ggufs.SHAPE, vocab=280, bos=None, end_ids=(2,))
    library = byte_level(280, [("h", "e")], bos=False)
    add = add_byte_level(library, "gpt-2", eos_token_id=2, chat_template="{{messages[0].content}}")
    checkpoint = random_checkpoint(shape, 1)
    write_gguf(tmp_path / "model.gguf", checkpoint, add_vocabulary=add)
    assert run("convert", tmp_path / "model.gguf", tmp_path / "out", "--type", "BF16")
    assert load_checkpoint(tmp_path / "out").shape == shape
    actual, source = (tokenizer_of(tmp_path / name, 280) for name in ("out", "model.gguf"))
    for text in ("hello <|im_end|> é", ""):
        assert actual.encode(text) == source.encode(text) == library.encode(text).ids
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    chat = [{"role": "user", "content": "he"}]
    assert actual.chat(chat) == source.chat(chat)
    assert run("convert", tmp_path / "out", tmp_path / "twice").exit_code == 0
    assert tokenizer_of(tmp_path / "twice", 280).chat(chat) == source.chat(chat)


def test_what_cannot_be_converted(tmp_path):
    written_by_others(tmp_path / "in", random_checkpoint(folders.SHAPE, 1))
    out = tmp_path / "out.bin"
    assert "cannot express" in refused("convert", tmp_path / "in", out, "--to", "v1")
    assert "is not empty" in refused("convert", tmp_path / "in", tmp_path / "in")
    assert "does not exist" in refused("convert", tmp_path / "in", tmp_path / "no" / "x", "--to=v0")
    assert "cannot be written" in refused("convert", tmp_path / "in", tmp_path / "no" / "x")
    assert "cannot be read" in refused("convert", tmp_path / "none", out)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_inspect_lists_what_is_there(tmp_path):
    written_by_others(tmp_path, random_checkpoint(folders.SHAPE, 1), dtype="float16")
    result = run("inspect", tmp_path)
    assert result.exit_code == 0, result.output
    for words in (
        "Hugging Face folder (llama)", "rope_base", "50000.0", "the embedding",
        "model.layers.N.self_attn.q_proj.weight", "F16", "8 x 6", "tokenizer: none",
        "everything in it is supported",
    ):  # fmt: skip
        assert words in result.stdout, words


def test_inspect_says_what_is_not_built(tmp_path):
    changes = {"hidden_act": "relu", "qk_norm": [True]}
    written_by_others(tmp_path, random_checkpoint(folders.SHAPE, 1), changes=changes)
    byte_level(300).save(str(tmp_path / "tokenizer.json"))
    result = run("inspect", tmp_path / "config.json")
    assert result.exit_code == 0, result.output
    assert "hidden_act = 'relu' is not supported, only 'silu'" in result.stdout
    assert "'qk_norm' = [True] is unknown and may change the result" in result.stdout
    assert "tokenizer: 259 ids, without a chat template" in result.stdout
    assert "everything in it is supported" not in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\3\4" + bytes(60), "is a zip archive, as PyTorch checkpoints are"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "is an HTML page"),
        (b"<?xml version='1.0'?><Error>", "is an XML text"),
        (b"Entry not found, and more text", "is a text that begins with 'Entry not found"),
        (b"", "is an empty file"),
        (b"\x80\x02}q\0.", "is a Python pickle"),
        (bytes(257) + b"ustar\0" + bytes(300), "is a tar archive"),
        (json.dumps({"some": "json", "of": "no model"}).encode(), "is a text that begins with"),
        (b"FUGG\0\0\0\3", "is a big-endian GGUF file"),
    ],
)
def test_files_of_other_kinds_are_called_by_their_name(tmp_path, content, message):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    assert message in refused("inspect", path)
    assert message in refused("accuracy", path)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_pointer_within_a_folder_is_called_by_its_name(tmp_path, name):
    """What a clone without Git LFS has."""
    written_by_others(tmp_path, random_checkpoint(folders.SHAPE, 1))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    (tmp_path / name).write_bytes(pointer)
    message = refused("accuracy", tmp_path)
    assert message.startswith(f"{tmp_path / name}: is a Git LFS pointer")
