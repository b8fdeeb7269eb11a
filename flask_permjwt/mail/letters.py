"""Letters: templates made into messages. An app has its own by a template of the same name.

``permjwt/mail/<kind>.txt`` begins with the subject, in a line of its own; the body follows.
``permjwt/mail/<kind>.html`` is the same as HTML, if the app has one.
"""

import logging
import unicodedata
from collections.abc import Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from flask import Flask, current_app
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    PackageLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    select_autoescape,
)

from flask_permjwt.mail.checks import check_pages
from flask_permjwt.mail.message import Message
from flask_permjwt.mail.outbox import Outbox

_log = logging.getLogger("flask_permjwt.mail")

_FOLDER: Final = "permjwt/mail"
_PLACE: Final = "{token}"
_MAX_NAME: Final = 64
"""Characters of a user name in a letter: a stranger who registers somebody else's address chooses them."""

_BREAKS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_UNITS: Final = (("day", 24 * 3600), ("hour", 3600), ("minute", 60))


class Letters:
    """Writes letters and posts them.

    Args:
        outbox: takes the messages.
        urls: the page for each kind of letter that carries a token, with ``{token}`` in it; a letter without
            one shows the token as a code.

    Raises:
        ConfigurationError: a page has no ``{token}`` in it, or has it in its host.
    """

    def __init__(self, outbox: Outbox, *, urls: Mapping[str, str]) -> None:
        check_pages(urls)
        self._outbox: Final = outbox
        self._urls: Final = dict(urls)

    def send(self, kind: str, to: str | None, **values: object) -> None:
        """Write a letter and post it, inside an application context.

        Strings lose line breaks and other controls, so that a user name is no line of its own. Templates are
        given these too: ``link``, or None; and ``expires_in_words``, such as ``"24 hours"``, when there is
        ``expires_in``, in seconds. Nothing else of Flask's goes in: no context processor runs, and no signal
        carries the token about.

        Args:
            kind: the template's name: verify, reset, registered_already, password_changed or the app's own.
            to: the address as it is stored, not as somebody typed it just now. None: the letter is written and
                thrown away, so that an answer takes the same time for an address that nobody has.
            values: what the template asks for.

        Raises:
            jinja2.TemplateError: there is no such template, or it is wrong.
        """
        given = self._prepare(kind, values)
        template = current_app.jinja_env.get_template(f"{_FOLDER}/{kind}.txt")
        subject, _, body = template.render(given).strip().partition("\n")
        page = _find(f"{_FOLDER}/{kind}.html")
        html = None if page is None else page.render(given)
        if to is None:
            return
        try:
            message = Message(to, _one_line(subject), body.strip("\n") + "\n", html)
        except ValueError:
            # As with every mail that fails: the answer does not tell.
            _log.error("mail %s not sent: the recipient is not one plain e-mail address", kind)
            return
        self._outbox.put(current_app._get_current_object(), message)  # type: ignore[attr-defined]  # noqa: SLF001

    def _prepare(self, kind: str, values: Mapping[str, object]) -> dict[str, object]:
        given = {name: _one_line(value) if isinstance(value, str) else value for name, value in values.items()}
        username, token, seconds = given.get("username"), values.get("token"), given.get("expires_in")
        if isinstance(username, str) and len(username) > _MAX_NAME:
            given["username"] = username[: _MAX_NAME - 1] + "…"
        url = self._urls.get(kind)
        given["link"] = None
        if url is not None and isinstance(token, str):
            given["link"] = url.replace(_PLACE, quote(token, safe=""))
        if isinstance(seconds, int | float):
            given["expires_in_words"] = _in_words(seconds)
        return given


def register_templates(app: Flask) -> None:
    """Let the app find our templates where neither it nor a blueprint has one of the same name.

    The environment is not created by this, which would freeze the app's settings for it, and whatever loads
    templates by then is asked first.
    """
    if "jinja_env" in vars(app):
        _ask_last(app.jinja_env, _Defaults())
        return
    create = app.create_jinja_environment

    def create_with_defaults() -> Any:
        environment = create()
        _ask_last(environment, _Defaults())
        return environment

    app.create_jinja_environment = create_with_defaults  # type: ignore[method-assign]


class _Defaults(PackageLoader):
    """Our own templates, compiled by our own rules.

    The app may have given its templates other delimiters (``jinja_options``): ours would be sent unfilled.
    """

    def __init__(self) -> None:
        super().__init__("flask_permjwt")
        self._environment: Final = Environment(
            loader=PackageLoader("flask_permjwt"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def load(
        self,
        environment: Environment,  # noqa: ARG002  # Jinja's signature
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002, ARG002  # as above
    ) -> Template:
        return self._environment.get_template(name)


def _ask_last(environment: Environment, defaults: BaseLoader) -> None:
    own = environment.loader
    environment.loader = defaults if own is None else ChoiceLoader([own, defaults])


def _find(name: str) -> Template | None:
    try:
        return current_app.jinja_env.get_template(name)
    except TemplateNotFound:
        return None


def _one_line(text: str) -> str:
    characters = (
        " " if unicodedata.category(one) in _BREAKS else one
        for one in text
        # With these, the text after them could be made to read backwards (UAX #9).
        if unicodedata.bidirectional(one) not in _BIDI
    )
    return " ".join("".join(characters).split())


def _in_words(seconds: float) -> str:
    """Name a time in the largest unit of which there are two or more, rounded down: never later than true."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}s"
    return "1 second" if int(seconds) == 1 else f"{int(seconds)} seconds"
