"""Text as its tokens come."""

import io

import pytest

from sim import telling


class Stream:
    """Each token is the byte of its number."""

    def put(self, token: int) -> bytes:
        return bytes([token])

    def end(self) -> bytes:
        return b""


class Output(io.TextIOWrapper):
    def __init__(self, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


TEXT = "a\x1b[2Jb\n\tc\x07é\x9b".encode()


@pytest.mark.parametrize(
    ("terminal", "told"), [(True, "a\\x1b[2Jb\n\tc\\x07é\\x9b".encode()), (False, TEXT)]
)
def test_control_characters_do_not_reach_a_terminal(monkeypatch, terminal, told):
    output = Output(terminal)
    monkeypatch.setattr("sys.stdout", output)
    printer = telling.Printer(Stream())
    printer.put(ord("x"), silent=True)
    for byte in TEXT:
        printer.put(byte)
    printer.end()
    assert output.buffer.getvalue() == told


def test_half_a_character_is_shown_at_the_end(monkeypatch):
    output = Output(terminal=True)
    monkeypatch.setattr("sys.stdout", output)
    printer = telling.Printer(Stream())
    printer.put(0xC3)
    printer.end()
    assert output.buffer.getvalue().decode() == "\N{REPLACEMENT CHARACTER}"


def test_a_sentence_has_what_there_is():
    told = telling.figures(4, 2.0, None, None)
    assert telling.sentence(told) == "4 tokens, 2.0 tokens/s"
    assert telling.sentence(telling.figures(0, 0.0, None, None)) == "0 tokens"
