"""The image file: what is saved is loaded, and anything else is refused in one line."""

import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from design.config import config_to_dict, named
from design.errors import BadInput
from golden.checkpoint import random_checkpoint
from golden.image import FILE_VERSION, load, pack, save
from golden.quantise import quantise
from tests.fuzz.strategies import configs

NANO = named("nano")


@pytest.fixture(scope="module")
def model():
    return quantise(random_checkpoint(NANO.shape, 3), NANO)


@given(configs(), st.integers(0, 2**16))
def test_round_trip(tmp_path_factory, config, seed):
    path = tmp_path_factory.mktemp("image") / "any name"
    model = quantise(random_checkpoint(config.shape, seed), config)
    save(path, model)
    loaded, image = load(path)
    assert loaded == config
    assert image.dtype == pack(model).dtype
    np.testing.assert_array_equal(image, pack(model))


def test_same_model_same_bytes(tmp_path, model):
    paths = [tmp_path / name for name in ("first", "second")]
    for path in paths:
        save(path, model)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


def refused(path, raw: bytes, said: str) -> None:
    path.write_bytes(raw)
    with pytest.raises(BadInput) as info:
        load(path)
    message = str(info.value)
    assert message.startswith(f"{path}: ") and said in message
    assert "\n" not in message


def written(model, *, image=None, version=FILE_VERSION, config=None, name="image") -> bytes:
    """A file like that of `save`, with something changed."""
    values = config_to_dict(model.config) if config is None else config
    metadata = {"version": version, "config": json.dumps(values)}
    return safetensors.numpy.save({name: pack(model) if image is None else image}, metadata)


def test_the_parts_of_a_file(tmp_path, model):
    save(tmp_path / "saved", model)
    with safetensors.safe_open(tmp_path / "saved", "numpy") as file:
        assert list(file.keys()) == ["image"]
        metadata = file.metadata()
        np.testing.assert_array_equal(file.get_tensor("image"), pack(model))
    assert metadata.keys() == {"version", "config"}
    assert metadata["version"] == FILE_VERSION
    assert json.loads(metadata["config"]) == config_to_dict(NANO)


def test_other_images_are_refused(tmp_path, model):
    path, image = tmp_path / "bad", pack(model)
    refused(path, written(model, name="weights"), "image is missing, expected int16 (")
    refused(path, written(model, image=image[:-1]), f"image is int16 ({len(image) - 1}, 4)")
    refused(path, written(model, image=image.astype(np.int32)), "image is int32 (")
    refused(path, written(model, version="veridecode image 0"), "version = 'veridecode image 0'")
    refused(path, safetensors.numpy.save({"image": image}), "version = None is not")
    plain = safetensors.numpy.save({"image": image}, {"version": FILE_VERSION})
    refused(path, plain, "config is not readable ('config')")


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": {"dim": 8}},
        {"shape": config_to_dict(NANO)["shape"] | {"dim": "8"}},
        {"geometry": {"lanes": 3}},
        {"numerics": []},
        {"numerics": config_to_dict(NANO)["numerics"] | {"rounding": "up"}},
        {"numerics": config_to_dict(NANO)["numerics"] | {"q": 5}},
        {"numerics": config_to_dict(NANO)["numerics"] | {"q": {"i": 1, "f": 0}}},
    ],
)
def test_other_configurations_are_refused(tmp_path, model, changed):
    config = config_to_dict(NANO) | changed
    refused(tmp_path / "bad", written(model, config=config), "config is not readable (")
    refused(tmp_path / "bad", written(model, config=[]), "config is not readable (")


def test_other_lanes_are_another_image(tmp_path, model):
    config = config_to_dict(NANO.with_lanes(8))
    refused(tmp_path / "bad", written(model, config=config), "image is int16 (")


@given(data=st.data())
def test_truncated_and_damaged_files(tmp_path_factory, model, data):
    path = tmp_path_factory.mktemp("image") / "bad"
    raw = written(model)
    cut = data.draw(st.integers(0, len(raw) - 1))
    refused(path, raw[:cut], "is no safetensors file (")
    # A damaged header: refused, or by luck still a header of the same meaning; never a traceback.
    header = 8 + int.from_bytes(raw[:8], "little")
    at = data.draw(st.integers(0, header - 1))
    damaged = bytearray(raw)
    damaged[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    try:
        load(path)
    except BadInput as error:
        assert "\n" not in str(error)


def test_no_such_file(tmp_path):
    with pytest.raises(BadInput, match=r"none: cannot be read \(No such file or directory\)$"):
        load(tmp_path / "none")
    with pytest.raises(BadInput, match=r": is not a regular file$"):
        load(tmp_path)


def test_no_place_to_write(tmp_path, model):
    with pytest.raises(BadInput, match=r"cannot be written \(No such file or directory\)$"):
        save(tmp_path / "none" / "image", model)
    assert not list(tmp_path.iterdir())
