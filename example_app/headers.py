"""Headers that tell browsers to be strict with the pages."""

from typing import Final

from flask import Flask, Response, request

# Everything the pages use comes from this app: no inline script, no inline style, nothing from elsewhere.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def init_app(app: Flask) -> None:
    """Set the headers on every answer."""
    app.after_request(_set_headers)


def _set_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        # The documentation of the API brings a policy of its own.
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        # After a logout, the browser's back button must not show what was there before.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
