"""Chat templates: Jinja programs that come with a model, run in Jinja's sandbox with limits.

They get the functions of Hugging Face Transformers, `utils/chat_template_utils.py`.
"""

import contextlib
import datetime
import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox

from tools.errors import BadInput

#: Longest template, and longest rendered text, in characters.
LONGEST = 1 << 18
#: Most lines of compiled template per rendering; real ones run a few hundred for each message.
MOST_LINES = 200_000
#: Most seconds of CPU time: whether a template is refused does not depend on what else is running.
MOST_SECONDS = 10
#: Most additional memory of a rendering.
MOST_BYTES = 1 << 26


class _Refused(Exception):
    """The template refuses its input, or exceeds a limit."""


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with bounded operands of the operators that can make huge values."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(value, int | float) and abs(value) < 1e6 for value in (left, right)):
            raise _Refused(f"operator {operator} with operands that are not small numbers")
        return super().call_binop(context, operator, left, right)


class ChatTemplate:
    """A chat template with the special tokens that it may use (``bos_token`` and so on)."""

    def __init__(self, source: str, specials: Mapping[str, str]) -> None:
        self.source = source
        self.specials = dict(specials)

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text of `messages`, each with role and content, up to where the model answers.

        Raises :class:`BadInput` for a template that is invalid, refuses the messages, fails, or
        exceeds a limit.
        """
        values = {**self.specials, "messages": [dict(message) for message in messages]}
        template = self._compiled()
        try:
            with _Budget():
                parts, length = [], 0
                for part in template.generate(**values, add_generation_prompt=True):
                    parts.append(part)
                    length += len(part)
                    if length > LONGEST:
                        raise _Refused(f"more than {LONGEST} characters")
        except Exception as error:  # an untrusted program may raise anything
            raise BadInput(f"chat template failed ({_line(error)})") from None
        return "".join(parts)

    def _compiled(self) -> jinja2.Template:
        if len(self.source) > LONGEST:
            raise BadInput(f"chat template has {len(self.source)} characters, above {LONGEST}")
        environment = _Environment(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        try:
            return environment.from_string(self.source)
        except (jinja2.TemplateError, SyntaxError, RecursionError, ValueError) as error:
            raise BadInput(f"chat template cannot be read ({_line(error)})") from None


class _Budget:
    """Ends the body with an exception when it exceeds a limit: Jinja's sandbox has no limits."""

    def __init__(self) -> None:
        self._left = MOST_LINES
        self._end = time.thread_time() + MOST_SECONDS
        self._limits = resource.getrlimit(resource.RLIMIT_AS)

    def __enter__(self) -> None:
        self._outer = sys.gettrace()
        with contextlib.suppress(OSError, ValueError):  # no limit on systems without this file
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + MOST_BYTES
            soft, hard = self._limits
            if soft == resource.RLIM_INFINITY or soft > most:
                resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        sys.settrace(self._count)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._outer)
        resource.setrlimit(resource.RLIMIT_AS, self._limits)

    def _count(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _Refused(f"more than {MOST_LINES} lines")
        if time.thread_time() > self._end:
            raise _Refused(f"more than {MOST_SECONDS} s")
        return self._count


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _refuse(message: str) -> str:
    raise _Refused(message)


def _now(form: str) -> str:
    return datetime.datetime.now().strftime(form)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_: Any) -> str:
    # Jinja's own filter escapes HTML, but these texts are not HTML.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
