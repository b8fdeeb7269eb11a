"""Reference pages that are made from the code, so that they cannot say anything else.

The Markdown that GitHub shows keeps its tables, which tests hold against the code; here they become entries of
their own, which can be linked and read on a small screen.
"""

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

from flask_permjwt import errors, oauth_errors, signals
from flask_permjwt.settings.load import PREFIX, Settings

_ROW = re.compile(r"^\| `(PERMJWT_[A-Z_]+)` \|.*$", re.MULTILINE)
_HEAD = re.compile(r"^\| key \| default \| meaning \|\n\|---\|---\|---\|\n", re.MULTILINE)
_PROXY = re.compile(r"^\.\. proxy:: (\w+)$", re.MULTILINE)
_MODULES = (errors.__name__, oauth_errors.__name__)
_BASES = (
    *(errors.AuthError, errors.UnauthenticatedError, errors.RetryLaterError, errors.AccountError),
    oauth_errors.OAuthError,
)
"""What others derive from, and nobody is answered with."""

_NAME = re.compile(r"(?<![`\w])(PERMJWT_[A-Z_]*[A-Z])(?!\w)")


def settings_page(text: str) -> str:
    """Put an entry of its own, made from the setting, in the place of each row."""
    entries = {PREFIX + one.name.upper(): one for one in fields(Settings)}

    def entry(found: re.Match[str]) -> str:
        one = entries.pop(found[1])
        default = "" if one.default is MISSING else f":default: `{one.default!r}`\n"
        meaning = _NAME.sub(r"`\1`", one.metadata["doc"])
        return f":::{{confval}} {found[1]}\n{default}\n{meaning}\n:::\n"

    made = _ROW.sub(entry, _HEAD.sub("", text))
    if entries:
        raise ValueError(f"the page of settings lacks {', '.join(entries)}")
    return made


def error_classes(kind: type[errors.PermJWTError] = errors.PermJWTError) -> Iterator[type[errors.PermJWTError]]:
    """Yield a class of errors and all below it that stand in modules of errors."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ in _MODULES:
            yield from error_classes(below)


def errors_page(text: str) -> str:
    """Add what clients are answered, and then every class with its docstring."""
    codes: dict[tuple[int, str], list[str]] = {}
    for one in error_classes(errors.AuthError):
        if one in _BASES:
            continue
        link = f"{{py:exc}}`{one.__name__} <{one.__module__}.{one.__name__}>`"
        codes.setdefault((one.status, one.error), []).append(link)
    table = "\n".join(
        f"| {status} | `{code}` | {', '.join(links)} |" for (status, code), links in sorted(codes.items())
    )
    classes = "\n".join(
        f".. autoexception:: {one.__module__}.{one.__name__}\n   :show-inheritance:\n" for one in error_classes()
    )
    return (
        f"{text}\n## What is answered\n\n| status | `error` | class |\n|---|---|---|\n{table}\n\n"
        f"## The classes\n\n```{{eval-rst}}\n{classes}```\n"
    )


def events_page(text: str) -> str:
    """Add every signal, with what its event says."""
    events = [one for one in vars(signals).values() if isinstance(one, type) and issubclass(one, signals.Event)]
    classes = "\n".join(
        f".. autoclass:: flask_permjwt.signals.{one.__name__}\n   :no-members:\n" for one in events
    )
    table = "\n".join(
        f"| `signals.{one.name}` | {{py:class}}`{one.__name__} <flask_permjwt.signals.{one.__name__}>` |"
        for one in events
        if one is not signals.Event
    )
    return (
        f"{text}\n## The signals\n\n| signal | event |\n|---|---|\n{table}\n\n"
        f"## The events\n\n```{{eval-rst}}\n{classes}```\n"
    )


def python_page(text: str) -> str:
    """Put what the source says of an object that stands for another one in the place of its mark."""
    said = ModuleAnalyzer.for_module("flask_permjwt.web.identity").find_attr_docs()

    def entry(found: re.Match[str]) -> str:
        lines = "\n".join(f"   {line}".rstrip() for line in said["", found[1]])
        return f".. py:data:: flask_permjwt.{found[1]}\n\n{lines}\n"

    return _PROXY.sub(entry, text)


PAGES = {
    "settings": settings_page,
    "reference/errors": errors_page,
    "reference/events": events_page,
    "reference/python": python_page,
}


def _read(app: Sphinx, name: str, source: list[str]) -> None:  # noqa: ARG001  # Sphinx's signature
    if name in PAGES:
        source[0] = PAGES[name](source[0])


def _code_may_change(app: Sphinx, env: object, added: set[str], changed: set[str], removed: set[str]) -> list[str]:  # noqa: ARG001  # Sphinx's signature
    """What these are made from is no file that Sphinx watches."""
    return list(PAGES)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _code_may_change)
    return {"parallel_read_safe": True}
