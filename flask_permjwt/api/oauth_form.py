"""What the endpoints of OAuth 2 take: a form, in which each parameter stands once (RFC 6749 section 3.2)."""

import re
from typing import Final
from urllib.parse import parse_qsl

from flask import Request

from flask_permjwt.api.body import read_body
from flask_permjwt.errors import BodyTooLargeError
from flask_permjwt.oauth_errors import FormTooLargeError, InvalidFormError, InvalidScopeError
from flask_permjwt.policy.permissions import Grants, read_scope

_FORM: Final = "application/x-www-form-urlencoded"
_MOST: Final = 100
_LONGEST_SCOPE: Final = 4096
# RFC 6749 section 3.3.
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")


class Form(dict[str, str]):
    """The parameters of a request; those without a value are left out (RFC 6749 section 3.2)."""

    def need(self, name: str) -> str:
        """Return a parameter that must be there.

        Raises:
            InvalidFormError: it is not.
        """
        value = self.get(name)
        if value is None:
            raise InvalidFormError(f"The parameter {name} is missing.")
        return value

    def scope(self) -> Grants | None:
        """Return what is asked for at most, by the permissions in ``scope``; None where all is.

        Raises:
            InvalidScopeError: it is malformed, or names nothing that anybody could grant.
        """
        scope = self.get("scope")
        if scope is None:
            return None
        if len(scope) > _LONGEST_SCOPE or _SCOPE.fullmatch(scope) is None:
            raise InvalidScopeError("The scope is malformed, or longer than 4,096 characters.")
        asked = read_scope(scope)
        if not asked.all:
            raise InvalidScopeError
        return asked


def read_form(request: Request, *, strict: bool = True) -> Form:
    """Read the form in the body of a request; what stands in its address is never looked at.

    Args:
        request: the current request.
        strict: refuse what is no UTF-8; else it is replaced, so that a token that is no text is merely unknown.

    Raises:
        InvalidFormError: it is no form, or names a parameter twice.
        FormTooLargeError: 413, it is longer than 64 KiB.
    """
    if request.mimetype != _FORM:
        raise InvalidFormError(f"The body must be sent as {_FORM}.")
    try:
        pairs = _pairs(request, "strict" if strict else "replace")
    except BodyTooLargeError:
        raise FormTooLargeError from None
    except ValueError:
        raise InvalidFormError("The body is no form in UTF-8, or has too many parameters.") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidFormError("A parameter is repeated.")
    return Form((name, value) for name, value in pairs if value)


def _pairs(request: Request, errors: str) -> list[tuple[str, str]]:
    if "form" in vars(request):
        # A function of the app has read it before us, and nothing is left of the body.
        return list(request.form.items(multi=True))
    text = read_body(request).decode("utf-8", errors)
    return parse_qsl(text, keep_blank_values=True, errors=errors, max_num_fields=_MOST)
