"""The cache of folders: made once, whole or not at all, and again when they cannot be used."""

from pathlib import Path

import pytest

from tools import cache


def _load(folder: Path) -> int:
    return int((folder / "value").read_text())


def _make(value: int, calls: list[int]):
    def make(folder: Path) -> None:
        calls.append(value)
        (folder / "value").write_text(str(value))

    return make


def test_a_folder_is_made_once_and_read_from_then_on(tmp_path):
    calls: list[int] = []
    folder = tmp_path / "below" / "entry"
    assert cache.made(folder, _make(5, calls), _load) == (5, False)
    assert cache.made(folder, _make(6, calls), _load) == (5, True)
    assert cache.made(folder, _make(7, calls), _load, fresh=True) == (7, False)
    assert calls == [5, 7]
    assert [path.name for path in folder.parent.iterdir()] == ["entry"]


@pytest.mark.parametrize("content", [None, "no number"])
def test_what_cannot_be_read_is_made_again(tmp_path, content):
    folder = tmp_path / "entry"
    folder.mkdir()
    if content is not None:
        (folder / "value").write_text(content)
    assert cache.made(folder, _make(5, []), _load) == (5, False)
    assert cache.made(folder, _make(6, []), _load) == (5, True)


def test_a_failure_leaves_nothing(tmp_path):
    def fails(folder: Path) -> None:
        (folder / "value").write_text("5")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        cache.made(tmp_path / "entry", fails, _load)
    assert list(tmp_path.iterdir()) == []


def test_a_parallel_run_that_was_faster_counts(tmp_path):
    folder = tmp_path / "entry"

    def overtaken(scratch: Path) -> None:
        cache.made(folder, _make(5, []), _load)
        (scratch / "value").write_text("6")

    assert cache.made(folder, overtaken, _load) == (5, False)


def test_keys_tell_parts_apart():
    assert len({cache.key("a", "b"), cache.key("ab"), cache.key("a", "b", ""), cache.key()}) == 4
