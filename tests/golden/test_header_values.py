"""Any value for any key of a header is either valid or refused in one sentence."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest

from golden.checkpoint import random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.formats.gguf import read_header
from golden.tokenizers import load_tokenizer
from tests.golden import test_checkpoint_gguf as ggufs
from tests.golden import test_checkpoint_huggingface as folders
from tests.golden.folders import byte_level, write_folder
from tests.golden.gguf_files import add_byte_level, write_gguf
from tools.errors import BadInput

#: One value of every type in a file.
VALUES = {
    "a text": "x",
    "an empty text": "",
    "a number": 7,
    "zero": 0,
    "a negative number": -1,
    "a fraction": 0.5,
    "true": True,
    "numbers": [1, 2, 3],
    "texts": ["a", "b"],
    "nothing of all": [],
}


def refusals_of(use: Callable[[], object], where: Path) -> int:
    """1 if `use` is refused with a valid message, 0 if it succeeds."""
    try:
        use()
    except BadInput as error:
        assert str(where) in str(error) and "\n" not in str(error)
        return 1
    return 0


# The package writes no empty arrays.
@pytest.mark.parametrize("kind", [kind for kind in VALUES if VALUES[kind] != []])
def test_any_value_in_a_gguf_file(tmp_path, kind):
    value = VALUES[kind]
    shape = dataclasses.replace(ggufs.SHAPE, vocab=264, bos=0, end_ids=(2,))
    checkpoint = random_checkpoint(shape, 1)
    add = add_byte_level(
        byte_level(264, [("h", "e")]), "smollm", bos_token_id=0, add_bos_token=True,
        chat_template="{{messages}}", eot_token_id=2,
    )  # fmt: skip
    keys = list(read_header(write_gguf(tmp_path / "x.gguf", checkpoint, add_vocabulary=add)).values)
    assert len(keys) > 20
    refused = 0
    for key in keys:

        def change(writer: gguf.GGUFWriter, key: str = key) -> None:
            writer.kv_data[0][key] = gguf.gguf_writer.GGUFValue(
                value=value, type=gguf.GGUFValueType.get_type(value)
            )  # fmt: skip

        path = tmp_path / "model.gguf"
        write_gguf(path, checkpoint, add_vocabulary=add, change=change)
        refused += refusals_of(lambda path=path: load_checkpoint(path).in_memory(), path)
        refusals_of(lambda path=path: load_tokenizer(path, 264).encode("he"), path)
    assert refused > 5


@pytest.mark.parametrize("kind", [*VALUES, "an object", "null"])
def test_any_value_in_a_config(tmp_path, kind):
    value = VALUES.get(kind, {"x": 1} if kind == "an object" else None)
    checkpoint = random_checkpoint(folders.SHAPES["scaled"], 1)
    config = json.loads((write_folder(tmp_path, checkpoint) / "config.json").read_text())
    refused = 0
    for key in (*config, "rope_parameters", "quantization_config", "layer_types", "head_dim"):
        write_folder(tmp_path, checkpoint, changes={key: value})
        refused += refusals_of(lambda: load_checkpoint(tmp_path).in_memory(), tmp_path)
    for key in config["rope_scaling"]:
        changes = {"rope_scaling": config["rope_scaling"] | {key: value}}
        write_folder(tmp_path, checkpoint, changes=changes)
        refusals_of(lambda: load_checkpoint(tmp_path).in_memory(), tmp_path)
    assert refused > 5


@pytest.mark.parametrize("kind", [*VALUES, "an object", "null"])
def test_any_value_in_a_tokenizer(tmp_path, kind):
    value = VALUES.get(kind, {"x": 1} if kind == "an object" else None)
    whole = json.loads(byte_level(264, [("h", "e")]).to_str())
    parts = [(), *((part,) for part in whole if isinstance(whole[part], dict)), ("added_tokens", 0)]
    path = tmp_path / "tokenizer.json"
    for part in parts:
        for key in _inside(whole, part):
            changed = json.loads(json.dumps(whole))
            _inside(changed, part)[key] = value
            path.write_text(json.dumps(changed))
            refusals_of(lambda: load_tokenizer(path, 264).encode("he"), path)
    path.write_text(json.dumps(whole))
    settings = {"chat_template": value, "bos_token": value, "eos_token": {"content": value}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = load_tokenizer(path, 264)
    assert tokenizer.has_chat == isinstance(value, str)


def _inside(values, keys):
    for key in keys:
        values = values[key]
    return values
