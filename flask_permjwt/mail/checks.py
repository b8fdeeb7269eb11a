"""Checks at the start: whether what is to be sent could be, and where its links lead."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from flask import Flask

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.mail.message import Mailer
from flask_permjwt.settings import Settings

_REMEDY: Final = (
    "write PermJWT(db=db, mailer=MailmanMailer()), from flask_permjwt.mail, with pip install 'flask-permjwt[mail]'"
)
_PLACE: Final = "{token}"


def check_mail(app: Flask, settings: Settings, mailer: Mailer | None) -> None:
    """Refuse settings that need a mailer where there is none, and a mailer that is none.

    Raises:
        ConfigurationError: there is none, or it cannot send, or a link would carry its token to a stranger.
    """
    if mailer is None:
        for name in ("require_verified", "password_reset", "reset_url", "verify_url"):
            if getattr(settings, name):
                raise ConfigurationError(
                    f"PERMJWT_{name.upper()} is about mails, and there is no mailer: {_REMEDY}"
                )
        return
    if isinstance(mailer, type):
        raise ConfigurationError(
            f"the mailer is the class {mailer.__name__} and not one of its objects: write "
            f"mailer={mailer.__name__}()"
        )
    if not callable(getattr(mailer, "send", None)):
        raise ConfigurationError(
            f"the mailer, a {type(mailer).__name__}, has no method send(message): {_REMEDY}, or implement "
            "flask_permjwt.mail.Mailer"
        )
    check = getattr(mailer, "check", None)
    if check is not None:
        check(app)


def check_pages(urls: Mapping[str, str]) -> None:
    """Refuse pages for letters that carry a token, unless they have ``{token}`` in path, query or fragment.

    Raises:
        ConfigurationError: it is missing, or stands where it would be looked up as the name of a host.
    """
    for kind, url in urls.items():
        try:
            before = "".join(urlsplit(url)[:2])
        except ValueError:
            raise ConfigurationError(f"The page for {kind!r} letters is no address.") from None
        if _PLACE not in url:
            raise ConfigurationError(f"The page for {kind!r} letters must have {_PLACE} in it; {url!r} has not.")
        if _PLACE in before:
            raise ConfigurationError(
                f"The page for {kind!r} letters must have {_PLACE} in its path, query or fragment: its host is "
                "looked up, and everybody on the way can read it: https://app.example.com/page?token={token}"
            )
