"""Registration, verification, change and reset of the password."""

import pytest
from sqlalchemy import select

from flask_permjwt.errors import ConfigurationError

PASSWORD = "correct horse battery staple"
NEW = "another good long password"
ALICE = "Alice@Example.com"


def register(client, username="bob", password=PASSWORD, email="bob@example.com", **more):
    body = {"username": username, "password": password, "email": email, **more}
    return client.post("/auth/register", json={key: value for key, value in body.items() if value is not None})


def log_in_as(client, username, password=PASSWORD):
    return client.post("/auth/login", json={"username": username, "password": password})


def users_of(api):
    with api.app_context():
        permjwt = api.extensions["test_permjwt"]
        db = api.extensions["sqlalchemy"]
        return {user.username: user for user in db.session.scalars(select(permjwt.models.user))}


@pytest.fixture
def open_api(make_api):
    return make_api(registration=True)


@pytest.fixture
def mailing(make_api, mailbox):
    return make_api(registration=True, mailer=mailbox)


@pytest.fixture
def hiding(make_api, mailbox):
    return make_api(registration=True, require_verified=True, mailer=mailbox)


# Registration


def test_registration_is_off_unless_switched_on(client):
    answer = register(client)
    assert (answer.status_code, answer.json["error"]) == (404, "not_found")


def test_who_registers_can_log_in_and_may_do_nothing(open_api):
    client = open_api.test_client()
    answer = register(client)
    assert answer.status_code == 201
    assert answer.json == {"username": "bob", "email": "bob@example.com", "verification_required": False}
    assert PASSWORD not in answer.text
    tokens = log_in_as(client, "bob").json
    me = client.get("/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json
    assert (me["roles"], me["permissions"]) == ([], [])


@pytest.mark.parametrize(
    "more",
    [
        {"permissions": ["*"]},
        {"roles": ["admin"]},
        {"id": 1},
        {"public_id": "0" * 32},
        {"active": True},
        {"email_verified_at": "2020-01-01"},
        {"token_version": 1},
        {"password_hash": "x"},
    ],
)
def test_no_field_but_the_schemas_is_taken_over(open_api, more):
    client = open_api.test_client()
    answer = register(client, **more)
    assert (answer.status_code, answer.json["error"]) == (422, "validation_failed")
    assert list(answer.json["errors"]) == list(more)
    assert set(users_of(open_api)) == {"Alice"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", ""),
        ("username", "a@b"),
        ("username", " a"),
        ("username", "a\0"),
        ("username", "x" * 256),
        ("username", 5),
        ("password", ""),
        ("password", "short"),
        ("password", "passwordpassword"),
        ("password", "bob@example.com"),
        ("password", "x" * 1025),
        ("email", "nobody"),
        ("email", "a@b@c"),
        ("email", "a b@c"),
        ("email", "Bob <bob@example.com>"),
        ("email", "\uff42ob@example.com"),
        ("email", "=?utf-8?q?bob?=@example.com"),
        ("username", "0123456789abcdef" * 2),
    ],
)
def test_what_cannot_be_is_refused_naming_its_field(open_api, field, value):
    answer = register(open_api.test_client(), **{field: value})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert set(users_of(open_api)) == {"Alice"}


def test_a_taken_name_is_told(open_api):
    answer = register(open_api.test_client(), username="\uff21LICE")
    assert (answer.status_code, answer.json["error"]) == (409, "username_taken")


def test_a_taken_address_is_told_where_it_cannot_be_hidden(open_api, mailing):
    for api in (open_api, mailing):
        answer = register(api.test_client(), email="ALICE@example.com")
        assert (answer.status_code, answer.json["error"]) == (409, "email_taken")
        assert set(users_of(api)) == {"Alice"}


def test_where_addresses_are_verified_a_taken_one_gets_the_same_answers_as_a_free_one(hiding, mailbox):
    client = hiding.test_client()
    free = register(client, username="bob", email="bob@example.com")
    taken = register(client, username="eve", email="ALICE@example.com")
    assert (free.status_code, taken.status_code) == (201, 201)
    assert {**free.json, "username": "", "email": ""} == {**taken.json, "username": "", "email": ""}
    assert list(free.headers.keys()) == list(taken.headers.keys())
    for name in ("bob", "eve"):
        assert register(client, username=name, email=f"{name}2@example.com").json["error"] == "username_taken"
        assert log_in_as(client, name).json["error"] == "email_not_verified"
        assert log_in_as(client, name, "wrong").json["error"] == "invalid_credentials"
    # The mail tells the truth, to the owner.
    told = [one for one in mailbox.messages if one.to == ALICE]
    assert len(told) == 1
    assert "Alice" in told[0].text
    assert "eve" not in told[0].text
    assert not users_of(hiding)["eve"].email


def test_where_addresses_are_verified_one_must_be_given(hiding):
    answer = register(hiding.test_client(), email=None)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["email"])


def test_registrations_from_one_address_are_limited(make_api):
    client = make_api(registration=True, ratelimit_register="3 per hour").test_client()
    assert [register(client, f"u{n}", email=None).status_code for n in range(4)] == [201, 201, 201, 429]
    assert int(register(client, "u9", email=None).headers["Retry-After"]) >= 1


# Verification


def test_an_address_is_verified_by_the_code_in_the_mail_once(hiding, mailbox):
    client = hiding.test_client()
    register(client)
    code = mailbox.code("bob@example.com")
    assert client.post("/auth/verify", json={"token": code}).status_code == 204
    assert log_in_as(client, "bob").status_code == 200
    again = client.post("/auth/verify", json={"token": code})
    assert (again.status_code, again.json["error"]) == (400, "invalid_code")


def test_a_code_is_good_for_its_purpose_and_its_time(hiding, mailbox, clock):
    client = hiding.test_client()
    register(client)
    code = mailbox.code("bob@example.com")
    body = {"token": code, "new_password": NEW}
    assert client.post("/auth/password/reset", json=body).json["error"] == "invalid_code"
    clock.advance(24 * 3600)
    assert client.post("/auth/verify", json={"token": code}).json["error"] == "invalid_code"
    assert log_in_as(client, "bob").json["error"] == "email_not_verified"


def test_a_code_can_be_sent_again_and_the_answer_is_the_same_for_any_address(hiding, mailbox):
    client = hiding.test_client()
    register(client)
    answers = [
        client.post("/auth/verify/send", json={"email": email})
        for email in ("BOB@example.com", "nobody@example.com", "bob", "x")
    ]
    assert {(one.status_code, one.text) for one in answers} == {(202, answers[0].text)}
    assert [one.to for one in mailbox.messages] == ["bob@example.com"] * 2
    assert client.post("/auth/verify", json={"token": mailbox.code()}).status_code == 204
    # Every code that was sent is void now.
    first = mailbox.messages[0]
    mailbox.messages = [first]
    assert client.post("/auth/verify", json={"token": mailbox.code()}).status_code == 400


def test_a_code_for_an_address_that_was_changed_verifies_nothing(hiding, mailbox):
    client = hiding.test_client()
    register(client)
    code = mailbox.code("bob@example.com")
    with hiding.app_context():
        users = hiding.extensions["test_permjwt"].users
        users.find("bob").email = "other@example.com"
        users.commit()
    assert client.post("/auth/verify", json={"token": code}).json["error"] == "invalid_code"


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "\0", "é", "x" * 5000, 5, None])
@pytest.mark.parametrize("path", ["/auth/verify", "/auth/password/reset"])
def test_a_code_that_was_never_given_is_refused(hiding, path, token):
    body = {"token": token} | ({"new_password": NEW} if "reset" in path else {})
    answer = hiding.test_client().post(path, json=body)
    assert answer.status_code in {400, 422}


def test_a_user_who_is_no_longer_verified_cannot_refresh(hiding, mailbox):
    client = hiding.test_client()
    register(client)
    client.post("/auth/verify", json={"token": mailbox.code()})
    token = log_in_as(client, "bob").json["refresh_token"]
    with hiding.app_context():
        users = hiding.extensions["test_permjwt"].users
        users.find("bob").email = "other@example.com"
        users.commit()
    assert client.post("/auth/refresh", json={"refresh_token": token}).status_code == 401


# Change


def change(client, token, old=PASSWORD, new=NEW):
    body = {"old_password": old, "new_password": new}
    return client.post("/auth/password", json=body, headers={"Authorization": f"Bearer {token}"})


def test_a_change_of_the_password_ends_all_other_sessions_and_this_one_lives_on(mailing, mailbox):
    client = mailing.test_client()
    mine, other = log_in_as(client, "alice").json, log_in_as(client, "alice").json
    assert change(client, mine["access_token"]).status_code == 204
    statuses = [
        client.post("/auth/refresh", json={"refresh_token": one["refresh_token"]}).status_code
        for one in (mine, other)
    ]
    assert statuses == [200, 401]
    assert client.get("/auth/me", headers={"Authorization": f"Bearer {mine['access_token']}"}).status_code == 200
    assert (log_in_as(client, "alice").status_code, log_in_as(client, "alice", NEW).status_code) == (401, 200)
    assert [(one.to, "password" in one.text) for one in mailbox.messages] == [(ALICE, True)]


def test_a_change_needs_the_old_password_and_a_good_new_one(mailing, mailbox):
    client = mailing.test_client()
    token = log_in_as(client, "alice").json["access_token"]
    assert change(client, token, old="wrong").json["error"] == "invalid_credentials"
    for weak in ("short", "aaaaaaaaaaaaaa", "alice@example.com"):
        answer = change(client, token, new=weak)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["new_password"])
    assert log_in_as(client, "alice").status_code == 200
    assert not mailbox.messages


def test_the_token_of_an_ended_session_changes_nothing(client):
    tokens = log_in_as(client, "alice").json
    client.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    assert change(client, tokens["access_token"]).status_code == 401
    assert log_in_as(client, "alice").status_code == 200


# Reset


def test_without_a_mailer_there_is_no_reset(client):
    answer = client.post("/auth/password/forgot", json={"email": ALICE})
    assert (answer.status_code, answer.json["error"]) == (404, "not_found")


def test_a_forgotten_password_is_reset_by_the_code_in_the_mail_once(mailing, mailbox):
    client = mailing.test_client()
    before = log_in_as(client, "alice").json
    assert client.post("/auth/password/forgot", json={"email": "alice@EXAMPLE.com"}).status_code == 202
    assert [one.to for one in mailbox.messages] == [ALICE]
    body = {"token": mailbox.code(), "new_password": NEW}
    assert client.post("/auth/password/reset", json=body).status_code == 204
    assert (log_in_as(client, "alice").status_code, log_in_as(client, "alice", NEW).status_code) == (401, 200)
    assert client.post("/auth/refresh", json={"refresh_token": before["refresh_token"]}).status_code == 401
    bearer = {"Authorization": f"Bearer {before['access_token']}"}
    assert client.get("/auth/me", headers=bearer).status_code == 401
    assert client.post("/auth/password/reset", json=body).json["error"] == "invalid_code"


def test_a_weak_password_leaves_the_code_good(mailing, mailbox):
    client = mailing.test_client()
    client.post("/auth/password/forgot", json={"email": ALICE})
    body = {"token": mailbox.code(), "new_password": "alice alice alice"}
    assert client.post("/auth/password/reset", json=body).status_code == 422
    assert client.post("/auth/password/reset", json={**body, "new_password": NEW}).status_code == 204


def test_one_reset_voids_every_code_that_was_sent(mailing, mailbox):
    client = mailing.test_client()
    for _ in range(2):
        client.post("/auth/password/forgot", json={"email": ALICE})
    second = mailbox.code()
    mailbox.messages.pop()
    first = mailbox.code()
    assert first != second
    assert client.post("/auth/password/reset", json={"token": first, "new_password": NEW}).status_code == 204
    answer = client.post("/auth/password/reset", json={"token": second, "new_password": PASSWORD})
    assert answer.json["error"] == "invalid_code"


def test_a_code_for_a_reset_is_short_lived_and_hashed_at_rest(mailing, mailbox, clock):
    client = mailing.test_client()
    client.post("/auth/password/forgot", json={"email": ALICE})
    code = mailbox.code()
    with mailing.app_context():
        db = mailing.extensions["sqlalchemy"]
        raw = db.session.connection().connection.driver_connection
        assert code not in "\n".join(raw.iterdump())
    clock.advance(30 * 60)
    body = {"token": code, "new_password": NEW}
    assert client.post("/auth/password/reset", json=body).json["error"] == "invalid_code"


def test_asking_for_a_reset_gets_the_same_answer_and_the_same_work_for_any_address(mailing, mailbox, clock):
    client = mailing.test_client()
    answers = []
    for email in (ALICE, "nobody@example.com", "alice", "\u00df", "x" * 1024):
        clock.advance(1)
        with mailing.app_context():
            answers.append(client.post("/auth/password/forgot", json={"email": email}))
    assert {(one.status_code, one.text, str(one.headers)) for one in answers} == {
        (202, answers[0].text, str(answers[0].headers))
    }
    assert [one.to for one in mailbox.messages] == [ALICE]
    with mailing.app_context():
        permjwt, db = mailing.extensions["test_permjwt"], mailing.extensions["sqlalchemy"]
        assert len(db.session.scalars(select(permjwt.models.code)).all()) == len(answers)


def test_nobody_resets_the_password_of_a_disabled_user(mailing, mailbox):
    client = mailing.test_client()
    client.post("/auth/password/forgot", json={"email": ALICE})
    code = mailbox.code()
    with mailing.app_context():
        users = mailing.extensions["test_permjwt"].users
        users.set_active(users.find("alice"), False)
        users.commit()
    answer = client.post("/auth/password/reset", json={"token": code, "new_password": NEW})
    assert answer.json["error"] == "invalid_code"
    client.post("/auth/password/forgot", json={"email": ALICE})
    assert len(mailbox.messages) == 1


def test_mails_are_limited_by_who_asks_and_by_who_gets_them(make_api, mailbox):
    client = make_api(mailer=mailbox, ratelimit_mail="2 per hour").test_client()

    def forget(email, address):
        return client.post(
            "/auth/password/forgot", json={"email": email}, environ_overrides={"REMOTE_ADDR": address}
        ).status_code

    # A mailbox that has had enough is told to nobody: it would tell that there is one.
    assert [forget(ALICE, f"192.0.2.{n}") for n in range(3)] == [202, 202, 202]
    assert len(mailbox.messages) == 2
    assert [forget(f"{n}@example.com", "198.51.100.1") for n in range(3)] == [202, 202, 429]


def test_the_mail_links_to_the_apps_own_page(make_api, mailbox):
    client = make_api(mailer=mailbox, reset_url="https://app.example.com/reset?token={token}").test_client()
    client.post("/auth/password/forgot", json={"email": ALICE})
    assert f"https://app.example.com/reset?token={mailbox.code()}" in mailbox.messages[0].text


def test_a_reset_proves_the_address(hiding, mailbox):
    client = hiding.test_client()
    register(client)
    client.post("/auth/password/forgot", json={"email": "bob@example.com"})
    client.post("/auth/password/reset", json={"token": mailbox.code(), "new_password": NEW})
    assert log_in_as(client, "bob", NEW).status_code == 200


# Start-up


@pytest.mark.parametrize("setting", ["require_verified", "password_reset"])
def test_what_needs_a_mailer_refuses_to_start_without_one(make_api, setting):
    with pytest.raises(ConfigurationError, match=rf"PERMJWT_{setting.upper()} .*mailer=MailmanMailer"):
        make_api(**{setting: True})


def test_a_check_of_the_apps_own_is_asked_too(make_api):
    asked = []

    def breached(password, *, username, email):
        asked.append((username, email))
        return "This password was seen in a breach." if "staple" in password else None

    client = make_api(registration=True, password_check=breached).test_client()
    answer = register(client)
    assert answer.json["errors"] == {"password": ["This password was seen in a breach."]}
    assert asked == [("bob", "bob@example.com")]
    assert register(client, password=NEW).status_code == 201


def test_a_check_that_fails_takes_no_password_and_changes_nothing(make_api, mailbox, caplog):
    def fails(password, **_):
        raise ConnectionError(f"no route for {password}")

    client = make_api(registration=True, mailer=mailbox, password_check=fails).test_client()
    token = log_in_as(client, "alice").json["access_token"]
    client.post("/auth/password/forgot", json={"email": ALICE})
    reset = {"token": mailbox.code(), "new_password": NEW}
    answers = [
        register(client, password=NEW),
        change(client, token),
        client.post("/auth/password/reset", json=reset),
    ]
    assert {(one.status_code, one.json["error"]) for one in answers} == {(503, "temporarily_unavailable")}
    assert all("Retry-After" in one.headers for one in answers)
    assert caplog.text.count("password_check failed") == 3
    assert NEW not in caplog.text
    assert log_in_as(client, "bob").status_code == 401
    assert log_in_as(client, "alice").status_code == 200
    assert len(mailbox.messages) == 1
