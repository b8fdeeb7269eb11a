"""Apps with WebSockets on a real server, with a clock that is passed in; and who talks to them."""

import secrets
import threading
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher
from flask import Flask, Response, request
from flask_sqlalchemy import SQLAlchemy
from live_api import PASSWORD, Api
from werkzeug.serving import make_server

from flask_permjwt import PermJWT, current_principal, current_user, requires_login, requires_permissions
from flask_permjwt.accounts.passwords import Passwords


@pytest.fixture
def build_api(tmp_path, fake_clock, monkeypatch):
    """Build an app with alice, who may chat and read reports, on a database that threads share."""
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    made = []

    def build(url=None, **settings):
        app = Flask(__name__)
        app.config.update(
            TESTING=True,
            SECRET_KEY=secrets.token_urlsafe(64),
            SQLALCHEMY_DATABASE_URI=url or f"sqlite:///{tmp_path / secrets.token_hex(4)}.db",
            PERMJWT_RATELIMIT_ENABLED=False,
            PERMJWT_COOKIE_SECURE=False,
        )
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db, clock=fake_clock)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

        @app.route("/reports", methods=["GET", "POST"])
        @requires_permissions("reports:read")
        def reports():
            return {"you": current_user.username, "query": request.args.to_dict(), "url": request.full_path}

        @app.get("/who")
        @requires_login
        def who():
            return Response(current_principal.subject)

        with app.app_context():
            db.create_all()
            for name in ("alice", "bob"):
                permjwt.users.create(name, PASSWORD, permissions=["chat:read", "chat:write", "reports:read"])
            db.session.commit()
        api = Api(app, permjwt, db, fake_clock)
        made.append(api)
        return api

    yield build
    for api in made:
        with api.app.app_context():
            api.db.session.remove()
            api.db.engine.dispose()


@pytest.fixture
def api(build_api):
    return build_api()


@pytest.fixture
def serve():
    """Serve apps with Werkzeug, each on a port and in threads of its own."""
    servers = []

    def start(api):
        server = make_server("127.0.0.1", 0, api.app, threaded=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        servers.append((server, thread))
        api.url, api.ws = f"http://127.0.0.1:{server.port}", f"ws://127.0.0.1:{server.port}"
        return api

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def tracebacks(caplog, capfd, monkeypatch):
    """Say of what is done in the block that nothing of it was logged as an error."""

    @contextmanager
    def none():
        crashed = []
        monkeypatch.setattr(threading, "excepthook", crashed.append)
        yield
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err, err
        assert not [record for record in caplog.records if record.exc_info]
        assert not crashed

    return none
