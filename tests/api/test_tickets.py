"""POST /auth/ticket, and requests with a ticket."""

from urllib.parse import unquote_to_bytes

import pytest
from flask import request

from flask_permjwt import current_principal, current_user, has_permissions, public, requires_login
from flask_permjwt.accounts.tickets import PREFIX


@pytest.fixture
def more(api):
    @api.get("/files/<path:name>")
    @requires_login
    def files(name):
        return {
            "name": name,
            "args": request.args.to_dict(),
            "url": request.url,
            "full_path": request.full_path,
            "environ": [request.environ.get(name) for name in ("QUERY_STRING", "RAW_URI", "REQUEST_URI")],
        }

    @api.get("/fresh")
    @requires_login(fresh=60)
    def fresh():
        return {}

    @api.get("/open")
    @public(reason="shows who is there")
    def open_():
        return {"you": current_principal.subject and current_user.username, "may": has_permissions("reports:read")}

    @api.get("/fails")
    @requires_login
    def fails():
        return 1 / 0

    @api.get("/slash/")
    @requires_login
    def slash():
        return {}

    return api


@pytest.fixture
def token(client, log_in):
    return log_in(client).json["access_token"]


@pytest.fixture
def ask(client, token, bearer):
    def call(path="/reports", **options):
        return client.post("/auth/ticket", json={"path": path}, headers=bearer(token), **options)

    return call


@pytest.fixture
def ticket(ask):
    return ask().json["ticket"]


def test_a_ticket_is_good_for_one_get_of_its_path(client, ask):
    answer = ask()
    assert answer.status_code == 200
    assert answer.json == {"ticket": answer.json["ticket"], "expires_in": 30}
    assert answer.headers["Cache-Control"] == "no-store"
    opened = client.get(f"/reports?ticket={answer.json['ticket']}")
    assert (opened.status_code, opened.json) == (200, {"you": "Alice"})
    assert client.get(f"/reports?ticket={answer.json['ticket']}").status_code == 401


def test_asking_for_a_ticket_needs_a_token(client):
    assert client.post("/auth/ticket", json={"path": "/reports"}).status_code == 401


def test_asking_for_a_ticket_by_cookie_needs_the_csrf_value(api, log_in):
    client = api.test_client()
    log_in(client, "cookie", base_url="https://localhost")
    assert client.post("/auth/ticket", json={"path": "/reports"}, base_url="https://localhost").status_code == 401
    headers = {"X-CSRF-TOKEN": client.get_cookie("csrf_access_token").value}
    answer = client.post("/auth/ticket", json={"path": "/reports"}, headers=headers, base_url="https://localhost")
    assert api.test_client().get(f"/reports?ticket={answer.json['ticket']}").status_code == 200


def test_a_ticket_gives_no_ticket(client, ask):
    ticket = ask("/auth/ticket").json["ticket"]
    assert client.post(f"/auth/ticket?ticket={ticket}", json={"path": "/reports"}).status_code == 401


@pytest.mark.parametrize("method", ["head", "post", "options"])
def test_a_ticket_is_good_for_no_other_method_and_stays_good_for_get(client, ticket, method):
    answer = getattr(client, method)(f"/reports?ticket={ticket}")
    assert answer.status_code == (200 if method == "options" else 401)
    assert client.get(f"/reports?ticket={ticket}").status_code == 200


def test_a_ticket_for_another_method_cannot_be_asked_for(client, token, bearer):
    for method in ("POST", "HEAD", "get", "", None, ["GET"], 1):
        body = {"path": "/reports", "method": method}
        assert client.post("/auth/ticket", json=body, headers=bearer(token)).status_code == 422, method
    body = {"path": "/reports", "method": "GET"}
    assert client.post("/auth/ticket", json=body, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["", "reports", "//evil.example/reports", "https://localhost/reports", "/a?b=c", "/a#b", "/a b", "/a\\b", "/é",
     "/%", "/%4", "/%zz", "/\0", "/\ud800", "/" + "a" * 3000, None, ["/reports"], 7, "/a\n"],
)  # fmt: skip
def test_what_is_no_path_gets_no_ticket(ask, path):
    assert ask(path).status_code == 422


@pytest.mark.parametrize(
    ("asked", "requested", "is_good"),
    [
        ("/files/a", "/files/a", True),
        ("/files/%61", "/files/a", True),
        ("/files/a", "/files/%61", True),
        ("/files/a%20b", "/files/a%20b", True),
        ("/files/a+b", "/files/a+b", True),
        ("/files/a+b", "/files/a%20b", False),
        ("/files/%C3%A9", "/files/%c3%a9", True),
        ("/files/%C3%A9", "/files/e%CC%81", False),
        ("/files/a%2Fb", "/files/a/b", True),
        ("/files/a%252Fb", "/files/a/b", False),
        ("/files/%FF", "/files/%FF", True),
        ("/files/%FF", "/files/%FE", False),
        ("/files/a", "/files/A", False),
        ("/files/a", "/files/a/", False),
        ("/files/a/", "/files/a", False),
        ("/files/a/../b", "/files/b", False),
        ("/slash/", "/slash/", True),
    ],
)
def test_paths_are_compared_when_percent_encoding_is_undone_and_else_exactly(
    more, client, ask, asked, requested, is_good
):
    ticket = ask(asked).json["ticket"]
    # As servers do it: Werkzeug's client changes bytes that are no UTF-8.
    path = {"PATH_INFO": unquote_to_bytes(requested).decode("latin-1")}
    assert client.get(f"/?ticket={ticket}", environ_overrides=path).status_code == (200 if is_good else 401)


def test_the_way_to_a_page_with_a_slash_leads_to_another_path(more, client, ask):
    ticket = ask("/slash").json["ticket"]
    answer = client.get(f"/slash?ticket={ticket}")
    assert answer.status_code == 308
    assert client.get(answer.location).status_code == 401


def test_a_path_is_that_under_which_the_app_is_mounted(api, client, token, bearer):
    mounted = {"SCRIPT_NAME": "/app"}

    def ask(path):
        return client.post("/auth/ticket", json={"path": path}, headers=bearer(token), environ_overrides=mounted)

    assert ask("/reports").status_code == 422
    assert ask("/application/reports").status_code == 422
    ticket = ask("/app/reports").json["ticket"]
    assert client.get(f"/reports?ticket={ticket}").status_code == 401
    assert client.get(f"/reports?ticket={ticket}", environ_overrides=mounted).status_code == 200


def test_the_query_string_is_free_and_the_ticket_is_taken_out_of_it(more, client, ask):
    ticket = ask("/files/a").json["ticket"]
    environ = {"RAW_URI": f"/files/a?x=1&ticket={ticket}", "REQUEST_URI": f"/files/a?ticket={ticket}"}
    found = client.get(f"/files/a?x=1&ticket={ticket}&y=%20&ticket=7", environ_overrides=environ)
    assert found.json["args"] == {"x": "1", "y": " ", "ticket": "7"}
    assert found.json["environ"] == ["x=1&y=%20&ticket=7", "/files/a?x=1", "/files/a"]
    assert ticket not in found.text


def test_an_answer_to_a_ticket_stays_out_of_caches_and_its_address_out_of_the_referer(client, ticket):
    for _ in range(2):  # taken, and refused
        answer = client.get(f"/reports?ticket={ticket}")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_request_without_a_ticket_says_nothing_of_it(client, token, bearer):
    assert "Referrer-Policy" not in client.get("/reports", headers=bearer(token)).headers


def test_a_ticket_parameter_of_the_apps_own_is_none_of_ours(more, client, token, bearer, log_in):
    assert client.get("/files/a?ticket=4711", headers=bearer(token)).json["args"] == {"ticket": "4711"}
    assert client.get("/open?ticket=4711").json["you"] is None
    log_in(client, "cookie", base_url="https://localhost")
    assert client.get("/files/a?ticket=4711", base_url="https://localhost").json["args"] == {"ticket": "4711"}


def test_a_header_wins_and_the_ticket_beside_it_is_not_looked_at(client, ticket, token, bearer):
    assert client.get(f"/reports?ticket={ticket}", headers=bearer(token)).status_code == 200
    assert client.get(f"/reports?ticket={ticket}", headers=bearer("bad")).status_code == 401
    assert client.get(f"/reports?ticket={ticket}", headers={"Authorization": "Bearer"}).status_code == 400
    assert client.get(f"/reports?ticket={ticket}").status_code == 200


def test_a_header_of_another_scheme_is_no_credential_of_ours(client, ticket):
    assert client.get(f"/reports?ticket={ticket}", headers={"Authorization": "Basic eDp5"}).status_code == 200


def test_a_ticket_wins_over_a_cookie_which_browsers_send_by_themselves(api, ticket, log_in):
    browser = api.test_client()
    log_in(browser, "cookie", base_url="https://localhost")
    address = f"/reports?ticket={ticket}"
    assert browser.get(address, base_url="https://localhost").status_code == 200
    assert browser.get(address, base_url="https://localhost").status_code == 401
    assert browser.get("/reports", base_url="https://localhost").status_code == 200


def test_two_tickets_in_one_request_are_one_too_many(client, ask):
    first, second = ask().json["ticket"], ask().json["ticket"]
    answer = client.get(f"/reports?ticket={first}&ticket={second}")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert client.get(f"/reports?ticket={first}").status_code == 200


def test_a_ticket_stands_for_what_its_user_may_do_when_it_is_used(api, client, ask):
    permjwt, tickets = api.extensions["test_permjwt"], [ask().json["ticket"] for _ in range(3)]

    def change(method, *arguments):
        with api.app_context():
            getattr(permjwt.users, method)(permjwt.users.find("alice"), *arguments)
            permjwt.users.commit()

    change("revoke", "reports:read")
    assert client.get(f"/reports?ticket={tickets[0]}").status_code == 403
    change("grant", "reports:read")
    assert client.get(f"/reports?ticket={tickets[1]}").status_code == 200
    change("set_active", False)
    assert client.get(f"/reports?ticket={tickets[2]}").status_code == 401


def test_a_session_that_was_ended_takes_its_tickets_with_it(client, ticket, token, bearer):
    assert client.post("/auth/logout", headers=bearer(token)).status_code == 204
    assert client.get(f"/reports?ticket={ticket}").status_code == 401


def test_a_token_that_was_revoked_takes_its_tickets_with_it(api, client, ticket, token):
    with api.app_context():
        api.extensions["test_permjwt"].revocations.revoke_token(token)
        api.extensions["test_permjwt"].users.commit()
    assert client.get(f"/reports?ticket={ticket}").status_code == 401


def test_a_ticket_proves_the_password_no_later_than_the_token_did(more, client, ask, clock):
    assert client.get(f"/fresh?ticket={ask('/fresh').json['ticket']}").status_code == 200
    clock.advance(61)
    answer = client.get(f"/fresh?ticket={ask('/fresh').json['ticket']}")
    assert answer.json["error"] == "insufficient_user_authentication"


def test_a_ticket_may_outlive_the_token_that_asked_for_it_but_not_itself(client, token, bearer, clock):
    clock.advance(895)
    ticket = client.post("/auth/ticket", json={"path": "/reports"}, headers=bearer(token)).json["ticket"]
    clock.advance(29)
    assert client.get(f"/reports?ticket={ticket}").status_code == 200


def test_a_view_that_fails_gives_no_ticket_back(more, client, ask):
    ticket = ask("/fails").json["ticket"]
    more.config["PROPAGATE_EXCEPTIONS"] = False
    assert client.get(f"/fails?ticket={ticket}").status_code == 500
    assert client.get(f"/fails?ticket={ticket}").status_code == 401


def test_a_public_view_knows_who_brings_a_ticket(more, client, ask):
    ticket = ask("/open").json["ticket"]
    assert client.get(f"/open?ticket={ticket}").json == {"you": "Alice", "may": True}
    assert client.get(f"/open?ticket={ticket}").json == {"you": None, "may": False}


def test_a_ticket_does_not_slide_a_cookie(make_api, log_in, bearer, clock):
    client = make_api(cookie_sliding=True).test_client()
    token = log_in(client).json["access_token"]
    clock.advance(890)
    ticket = client.post("/auth/ticket", json={"path": "/reports"}, headers=bearer(token)).json["ticket"]
    assert "Set-Cookie" not in client.get(f"/reports?ticket={ticket}").headers


def test_an_app_without_tickets_gives_none_and_takes_none(make_api, log_in, bearer):
    app = make_api(tickets=False)
    client = app.test_client()
    headers = bearer(log_in(client).json["access_token"])
    answer = client.post("/auth/ticket", json={"path": "/reports"}, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (404, "not_found")
    assert client.get(f"/reports?ticket={PREFIX}{'a' * 43}").json["error_description"] == (
        "An access token is needed."
    )
    assert app.extensions["permjwt"].tickets is None


def test_an_app_names_the_paths_that_take_tickets(make_api, log_in, bearer):
    app = make_api(tickets=["/events", "/exports/*"])
    client = app.test_client()
    headers = bearer(log_in(client).json["access_token"])
    expected = {
        "/events": 200,
        "/exports/": 200,
        "/exports/a/b": 200,
        "/events/": 403,
        "/exports": 403,
        "/reports": 403,
        "/auth/sessions": 403,
        "/%65vents": 200,
    }
    for path, status in expected.items():
        answer = client.post("/auth/ticket", json={"path": path}, headers=headers)
        assert answer.status_code == status, path
    mounted = {"SCRIPT_NAME": "/app"}
    body = {"path": "/app/events"}
    assert client.post("/auth/ticket", json=body, headers=headers, environ_overrides=mounted).status_code == 200


def test_a_ticket_works_where_tokens_come_in_cookies_alone_and_in_headers_alone(make_api, log_in, bearer):
    api = make_api(token_locations=["headers"])
    client = api.test_client()
    headers = bearer(log_in(client).json["access_token"])
    ticket = client.post("/auth/ticket", json={"path": "/reports"}, headers=headers).json["ticket"]
    answer = client.get(f"/reports?ticket={ticket}")
    assert answer.status_code == 200
