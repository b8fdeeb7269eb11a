"""A one-time ticket, for who cannot send a header."""

from flask import Response, jsonify, request

from flask_permjwt.api.answers import TicketAnswerSchema
from flask_permjwt.api.body import load_body
from flask_permjwt.api.describe import describe
from flask_permjwt.api.endpoints import committed, endpoint
from flask_permjwt.api.schemas import TicketSchema
from flask_permjwt.errors import FeatureOffError, NoTicketError
from flask_permjwt.web.decorators import requires_login
from flask_permjwt.web.state import app_state


@describe(
    "Get a one-time ticket",
    details=(
        "For what cannot send a header, such as a download or an EventSource: append `?ticket=` to the path, "
        "once, within its time. It stands for who asks for it, at guarded `GET`s of this path alone."
    ),
    body=TicketSchema,
    answers={200: ("The ticket.", TicketAnswerSchema)},
    errors=(NoTicketError,),
    available=lambda app: app.tickets is not None,
)
@requires_login
@endpoint
def give_ticket() -> Response:
    """POST /ticket."""
    response = _give_ticket()
    app_state().housekeeping.tidy_up()
    return response


@committed
def _give_ticket() -> Response:
    app = app_state()
    if app.tickets is None:
        raise FeatureOffError
    body = load_body(request, TicketSchema())
    _, token, _ = app.tokens.of(request)
    ticket = app.tickets.give(token, body["path"], request.script_root)
    return jsonify({"ticket": ticket, "expires_in": app.tickets.lifetime})
