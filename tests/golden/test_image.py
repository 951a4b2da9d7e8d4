"""The image file: saved images are loaded, and anything else is refused in one line."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from golden.case import Case, Feed
from golden.checkpoint import random_checkpoint
from golden.image import FILE_VERSION, load, load_case, pack, save, unpack
from golden.quantise import quantise
from spec.config import RopeBy, config_to_dict, named
from tests.fuzz.strategies import cases, models
from tests.strategies import configs
from tools.errors import BadInput

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


def assert_same_rows(actual, expected):
    np.testing.assert_array_equal(actual.weights, expected.weights)
    np.testing.assert_array_equal(actual.shift, expected.shift)


@given(st.data())
def test_a_reproducer_holds_the_model_and_the_case(tmp_path_factory, data):
    config = data.draw(configs())
    model, case = data.draw(models(config)), data.draw(cases(config, st.integers(1, 99)))
    path = tmp_path_factory.mktemp("image") / "reproducer"
    save(path, model, case)
    actual, found_case = load_case(path)
    assert (actual.config, found_case) == (config, case)
    assert_same_rows(actual.embedding, model.embedding)
    assert_same_rows(actual.classifier, model.classifier)
    assert len(actual.layers) == len(model.layers)
    for layer, expected in zip(actual.layers, model.layers, strict=True):
        assert layer.keys() == expected.keys()
        for op in layer:
            assert_same_rows(layer[op], expected[op])
    np.testing.assert_array_equal(load(path)[1], pack(model))


@given(st.data())
def test_unpack_takes_what_pack_makes_and_nothing_else(data):
    """Any one number changed: another model, which packs to just that, or refused."""
    config = data.draw(configs())
    packed = pack(data.draw(models(config)))
    at = data.draw(st.integers(0, packed.size - 1))
    info = np.iinfo(packed.dtype)
    packed.flat[at] = data.draw(st.integers(int(info.min), int(info.max)))
    try:
        model = unpack(config, packed)
    except BadInput as error:
        assert str(error).startswith("image has padding that is not zero in")
    else:
        np.testing.assert_array_equal(pack(model), packed)


@pytest.mark.parametrize(
    ("op", "beat", "lane", "value"),
    [
        ("EMBED", 0, -1, 1),  # the shift of a row beyond the matrix
        ("EMBED", 0, 0, 1 << 5),  # the shift of a pass beyond the matrix
        ("EMBED", 0, 0, 1 << 10),
        ("EMBED", 0, 0, -(1 << 15)),  # beyond three shifts
        ("EMBED", 1, -1, 1),  # a weight of a row beyond the matrix
        ("CLS", -5, 0, 1 << 5),  # a folded pass takes one shift
        ("CLS", -5, 32, 1),  # and that with the left half of its rows
        ("CLS", -1, 31, 1),
        ("CLS", -1, -1, 1),
    ],
)
def test_padding_is_checked(op, beat, lane, value):
    config = NANO.with_lanes(64)  # far wider than any matrix is high: all but two go folded
    bad = pack(quantise(random_checkpoint(config.shape, 3), config))
    bad[beat, lane] = value
    with pytest.raises(BadInput, match=f"^image has padding that is not zero in {op}$"):
        unpack(config, bad)


def test_another_number_of_lanes_is_refused(model):
    with pytest.raises(BadInput, match=r"^image is int16 \(\d+, 3\), expected int16"):
        unpack(NANO, pack(model)[:, 1:])


_FEED = {"token": 1, "first": False, "sample": True}


def _fed(feeds: object, steps: int = 1, prompt: Sequence[int] = ()) -> str:
    return json.dumps({"prompt": list(prompt), "steps": steps, "stalls": None, "feeds": feeds})


def test_a_host_of_its_own_is_kept(tmp_path, model):
    feeds = (Feed(3, False, True), Feed(1, True, False, reset=0), Feed(1, False, True, 7, 90))
    case = Case.of_feeds(feeds, stalls=5)
    save(tmp_path / "host", model, case)
    assert load_case(tmp_path / "host")[1] == case


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{", "case is not readable ("),
        ("[" * 100_000, "case is not readable ("),
        ("[]", "case is not readable (must hold prompt, steps, stalls, feeds)"),
        ('{"prompt": [1], "steps": 1}', "case is not readable (must hold"),
        ('{"prompt": 1, "steps": 1, "stalls": null}', "case.prompt = 1 must be a list"),
        ('{"prompt": [], "steps": 1, "stalls": null}', "case.prompt = [] must be token ids"),
        ('{"prompt": [1, -1], "steps": 1, "stalls": null}', "case.prompt = [1, -1] must"),
        ('{"prompt": [true], "steps": 1, "stalls": null}', "case.prompt = [True] must"),
        ('{"prompt": [1, 16], "steps": 1, "stalls": null}', "case.prompt holds 16, which is not"),
        ('{"prompt": [1,1,1,1,1,1,1,1,1], "steps": 1, "stalls": 1}', "case.prompt has 9 tokens"),
        ('{"prompt": [1], "steps": 0, "stalls": null}', "case.steps = 0 must"),
        ('{"prompt": [1], "steps": 2.5, "stalls": null}', "case.steps = 2.5 must"),
        ('{"prompt": [1], "steps": 1, "stalls": -1}', "case.stalls = -1 must"),
        ('{"prompt": [1], "steps": 1, "stalls": 1152921504606846976}', "case.stalls = 11529"),
        (_fed(3), "case.feeds = 3 must be a list"),
        (_fed([3]), "case.feeds = [3] must be feeds"),
        (_fed([{"token": 1}]), "must be feeds"),
        (_fed([_FEED | {"token": -1}]), "case.feeds[0] = Feed(token=-1"),
        (_fed([_FEED | {"first": 1}]), "must be an id and two truth values"),
        (_fed([_FEED | {"reset": -1}]), "reset=-1) must be an id and"),
        (_fed([_FEED | {"reset": False}]), "reset=False) must be an id and"),
        (_fed([_FEED | {"stalls": 1 << 60}]), "must be an id and two truth values, a seed of"),
        (_fed([_FEED | {"token": 16}]), "case.feeds holds 16, which is not"),
        (_fed([_FEED], steps=2), "case.steps = 2 must be the number of feeds"),
        (_fed([_FEED], prompt=[1]), "case.steps = 1 must be the number of feeds"),
    ],
)  # fmt: skip
def test_other_cases_are_refused(tmp_path, model, case, said):
    metadata = {"version": FILE_VERSION, "config": json.dumps(config_to_dict(NANO)), "case": case}
    refused(tmp_path / "bad", safetensors.numpy.save({"image": pack(model)}, metadata), said)


def test_a_weight_image_is_no_reproducer(tmp_path, model):
    save(tmp_path / "plain", model)
    with pytest.raises(BadInput, match=r"plain: case is missing"):
        load_case(tmp_path / "plain")
    bad = pack(model)
    bad[0, 0] = -1
    case = {"case": Case((1,), 1).to_json()}
    metadata = {"version": FILE_VERSION, "config": json.dumps(config_to_dict(NANO))} | case
    (tmp_path / "bad").write_bytes(safetensors.numpy.save({"image": bad}, metadata))
    with pytest.raises(BadInput, match=r"bad: image has padding that is not zero in EMBED"):
        load_case(tmp_path / "bad")


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
    assert metadata["config"] == json.dumps(config_to_dict(NANO))


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


def test_a_rope_that_does_not_exist_lists_those_that_do(tmp_path, model):
    config = config_to_dict(NANO)
    config["numerics"]["rope_by"] = "spline"
    names = ", ".join(each.value for each in RopeBy)
    sentence = f"config is not readable (Numerics.rope_by = 'spline' is not one of {names})"
    refused(tmp_path / "bad", written(model, config=config), sentence)


def test_other_lanes_are_another_image(tmp_path, model):
    config = config_to_dict(NANO.with_lanes(8))
    refused(tmp_path / "bad", written(model, config=config), "image is int16 (")


@given(data=st.data())
def test_truncated_and_damaged_files(tmp_path_factory, model, data):
    path = tmp_path_factory.mktemp("image") / "bad"
    raw = written(model)
    cut = data.draw(st.integers(0, len(raw) - 1))
    refused(path, raw[:cut], "is not a safetensors file (")
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
