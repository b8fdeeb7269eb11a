"""``permjwt.check_password``: for logins of the app's own."""

import pytest
from sqlalchemy import event
from werkzeug.exceptions import TooManyRequests, Unauthorized

from flask_permjwt import InvalidCredentialsError

PASSWORD = "correct horse battery staple"


@pytest.fixture
def made(make_app):
    def make(**settings):
        app = make_app(**settings)
        permjwt = app.extensions["test_permjwt"]
        with app.app_context():
            permjwt.users.create("Alice", PASSWORD, email="alice@example.com")
            permjwt.users.commit()
        return app, permjwt

    return make


@pytest.mark.parametrize("name", ["Alice", "ALICE", "alice@example.com"])
def test_it_returns_the_user_and_opens_no_session(made, name):
    app, permjwt = made()
    with app.app_context():
        assert permjwt.check_password(name, PASSWORD).username == "Alice"
        assert permjwt.users._session.query(permjwt.models.session).count() == 0


@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("alice", "")])
def test_a_refusal_is_our_error_and_an_answer_of_the_app(made, name, password):
    app, permjwt = made()

    @app.get("/log-in")
    def log_in():
        return permjwt.check_password(name, password).username

    with app.app_context(), pytest.raises(InvalidCredentialsError) as caught:
        permjwt.check_password(name, password)
    assert isinstance(caught.value, Unauthorized)
    assert app.test_client().get("/log-in").status_code == 401


def test_too_many_attempts_are_an_answer_too(made):
    app, permjwt = made(ratelimit_login="1 per hour")
    with app.test_request_context():
        for error in (Unauthorized, TooManyRequests):
            with pytest.raises(error):
                permjwt.check_password("alice", "wrong")


def test_somebody_who_was_disabled_is_refused(made):
    app, permjwt = made()
    with app.app_context():
        permjwt.users.set_active(permjwt.users.find("alice"), active=False)
        permjwt.users.commit()
        with pytest.raises(Unauthorized):
            permjwt.check_password("alice", PASSWORD)


def test_the_commit_is_the_callers(made):
    app, permjwt = made()
    commits = []
    with app.app_context():
        session = permjwt.users._session
        event.listen(session(), "after_commit", commits.append)
        with pytest.raises(InvalidCredentialsError):
            permjwt.check_password("alice", "wrong")
        permjwt.check_password("alice", PASSWORD)
        assert commits == []
        session.commit()
        events = [row.event for row in session.query(permjwt.models.audit).order_by(permjwt.models.audit.id)]
    assert "login_failed" in events
    assert commits


@pytest.mark.parametrize(("name", "password"), [("a" * 1025, PASSWORD), ("Alice", "a" * 1025)])
def test_what_is_too_long_for_a_login_is_refused_before_anybody_looks_for_the_user(made, name, password):
    app, permjwt = made(ratelimit_login="1 per hour")
    asked = []
    with app.app_context():
        engine = permjwt.users._db.engine
        event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        for _ in range(3):
            with pytest.raises(InvalidCredentialsError):
                permjwt.check_password(name, password)
        assert asked == []
        assert permjwt.check_password("Alice", PASSWORD).username == "Alice"


@pytest.mark.parametrize("odd", [None, b"alice", 5, ["alice"]])
def test_what_is_no_text_is_a_mistake_of_the_caller(made, odd):
    app, permjwt = made()
    with app.app_context():
        for name, password in ((odd, PASSWORD), ("alice", odd)):
            with pytest.raises(TypeError):
                permjwt.check_password(name, password)
