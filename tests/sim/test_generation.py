"""Printing of text and figures."""

import io

import pytest

from sim import generation


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
    ("terminal", "expected"), [(True, "a\\x1b[2Jb\n\tc\\x07é\\x9b".encode()), (False, TEXT)]
)
def test_control_characters_do_not_reach_a_terminal(monkeypatch, terminal, expected):
    output = Output(terminal)
    monkeypatch.setattr("sys.stdout", output)
    printer = generation.Printer(Stream())
    printer.put(ord("x"), silent=True)
    for byte in TEXT:
        printer.put(byte)
    printer.end()
    assert output.buffer.getvalue() == expected


def test_half_a_character_is_shown_at_the_end(monkeypatch):
    output = Output(terminal=True)
    monkeypatch.setattr("sys.stdout", output)
    printer = generation.Printer(Stream())
    printer.put(0xC3)
    printer.end()
    assert output.buffer.getvalue().decode() == "\N{REPLACEMENT CHARACTER}"


def test_a_sentence_omits_missing_figures():
    figures = generation.figures(4, 2.0, None, None)
    assert generation.sentence(figures) == "4 tokens, 2.0 tokens/s"
    assert generation.sentence(generation.figures(0, 0.0, None, None)) == "0 tokens"
