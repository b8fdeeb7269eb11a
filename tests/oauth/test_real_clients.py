"""The clients that people use, over a real server: fetch, use, refresh by themselves, revoke, introspect."""

import asyncio
import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, InvalidScopeError
from requests_oauthlib import OAuth2Session

with warnings.catch_warnings():
    # Newer releases would rather have httpx2, and take httpx all the same.
    warnings.simplefilter("ignore")
    from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client

HERE = Path(__file__).parent
PASSWORD = "correct horse battery staple"
ALICE = {"username": "alice", "password": PASSWORD}
SETUP = f"""
import json
from oauth_app import *
app = create_app()
with app.app_context():
    db.create_all()
    permjwt.users.create("alice", {PASSWORD!r}, permissions=["reports:read", "jobs:run"])
    made = permjwt.clients.create("job", ["reports:read", "permjwt:introspect"])
    db.session.commit()
    print(json.dumps([made.client.client_id, made.secret]))
"""


class Served:
    """The app under gunicorn, with what its metadata say."""

    def __init__(self, base, environment, client_id, secret):
        self.base, self.environment, self.client_id, self.secret = base, environment, client_id, secret
        told = requests.get(f"{base}/.well-known/oauth-authorization-server", timeout=60).json()
        assert told["issuer"] == base
        self.token_url = told["token_endpoint"]
        self.revoke_url = told["revocation_endpoint"]
        self.introspect_url = told["introspection_endpoint"]
        self.reports = f"{base}/reports"

    def status(self, token):
        bearer = {"Authorization": f"Bearer {token}"}
        return requests.get(self.reports, headers=bearer, timeout=60).status_code

    def flask(self, *arguments):
        command = [sys.executable, "-m", "flask", "--app", "oauth_app:create_app", *arguments]
        ran = subprocess.run(command, env=self.environment, cwd=HERE, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def is_active(self, token):
        basic = (self.client_id, self.secret)
        return requests.post(self.introspect_url, {"token": token}, auth=basic, timeout=60).json()["active"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLASK_")}
    environment |= {
        "FLASK_SECRET_KEY": secrets.token_urlsafe(64),
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'app.db'}",
        "FLASK_PERMJWT_ISSUER": base,
        "FLASK_PERMJWT_PUBLIC_CLIENTS": '["web"]',
    }
    made = subprocess.run(
        [sys.executable, "-c", SETUP], env=environment, cwd=HERE, capture_output=True, text=True, check=True
    )
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        [*command, "--log-level", "warning", "oauth_app:create_app()"], env=environment, cwd=HERE
    )
    try:
        for _ in range(600):
            try:
                requests.get(f"{base}/.well-known/jwks.json", timeout=60).close()
                break
            except requests.RequestException:
                assert server.poll() is None
                time.sleep(0.1)
        yield Served(base, environment, *json.loads(made.stdout))
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(autouse=True)
def plain_http(monkeypatch):
    """Let the clients speak http, which is on this machine only."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


def test_requests_oauthlib_with_a_password(served):
    updated = []
    with OAuth2Session(
        client=LegacyApplicationClient(client_id="web"),
        auto_refresh_url=served.token_url,
        auto_refresh_kwargs={"client_id": "web"},
        token_updater=updated.append,
    ) as session:
        first = session.fetch_token(served.token_url, **ALICE)
        assert first["token_type"] == "Bearer"
        assert session.get(served.reports).json() == {"who": "alice"}
        session.token = {**first, "expires_at": time.time() - 1, "expires_in": -1}
        assert session.get(served.reports).json() == {"who": "alice"}
        assert updated[0]["refresh_token"] != first["refresh_token"]
        request = session._client.prepare_token_revocation_request(
            served.revoke_url, updated[0]["refresh_token"], token_type_hint="refresh_token", client_id="web"
        )
        url, headers, body = request
        assert requests.post(url, data=body, headers=headers, timeout=60).status_code == 200
        assert session.get(served.reports).status_code == 401
        assert not served.is_active(updated[0]["access_token"])
        with pytest.raises(InvalidGrantError):
            session.refresh_token(served.token_url, refresh_token=updated[0]["refresh_token"])


def test_requests_oauthlib_with_a_scope(served):
    with OAuth2Session(client=LegacyApplicationClient(client_id="web", scope=["reports:read"])) as session:
        token = session.fetch_token(served.token_url, **ALICE)
        assert token.scope == "reports:read"
    with (
        OAuth2Session(client=LegacyApplicationClient(client_id="web", scope=["reports:write"])) as session,
        pytest.raises(InvalidScopeError),
    ):
        session.fetch_token(served.token_url, **ALICE)


@pytest.mark.parametrize("in_body", [False, True])
def test_requests_oauthlib_as_a_service(served, in_body):
    with OAuth2Session(client=BackendApplicationClient(client_id=served.client_id)) as session:
        token = session.fetch_token(
            served.token_url,
            client_id=served.client_id,
            client_secret=served.secret,
            include_client_id=in_body or None,
        )
        assert "refresh_token" not in token
        assert session.get(served.reports).json() == {"who": served.client_id}
        with pytest.raises(InvalidClientError):
            session.fetch_token(served.token_url, client_id=served.client_id, client_secret="wrong")


def test_authlib_with_a_password(served):
    updated = []
    session = AuthlibSession(
        "web",
        token_endpoint=served.token_url,
        token_endpoint_auth_method="none",
        revocation_endpoint_auth_method="none",
        update_token=lambda token, **_: updated.append(token),
    )
    with session:
        first = session.fetch_token(served.token_url, **ALICE)
        assert session.get(served.reports).json() == {"who": "alice"}
        session.token = {**first, "expires_at": int(time.time()) - 1}
        assert session.get(served.reports).json() == {"who": "alice"}
        assert session.token["refresh_token"] == updated[0]["refresh_token"] != first["refresh_token"]
        answer = session.revoke_token(served.revoke_url, session.token["refresh_token"])
        assert answer.status_code == 200
        assert served.status(session.token["access_token"]) == 401
        with pytest.raises(OAuthError, match="invalid_grant"):
            session.refresh_token(served.token_url, refresh_token=session.token["refresh_token"])


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("make", [AuthlibSession, OAuth2Client])
def test_authlib_as_a_service(served, make, method):
    session = make(
        served.client_id,
        served.secret,
        token_endpoint=served.token_url,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope="reports:read",
        grant_type="client_credentials",
    )
    with session:
        token = session.fetch_token(served.token_url)
        assert token["scope"] == "reports:read"
        assert session.get(served.reports).json() == {"who": served.client_id}
        # A client's token is not refreshed but fetched again, which Authlib does by itself.
        session.token = {**token, "expires_at": int(time.time()) - 1}
        assert session.get(served.reports).json() == {"who": served.client_id}
        again = session.token["access_token"]
        assert again != token["access_token"]
        told = session.introspect_token(served.introspect_url, token=again, token_type_hint="access_token").json()
        assert (told["active"], told["client_id"], told["scope"]) == (True, served.client_id, "reports:read")
        assert session.revoke_token(served.revoke_url, token=again).status_code == 200
        assert session.introspect_token(served.introspect_url, token=again).json() == {"active": False}
        assert served.status(again) == 401


def test_httpx_with_a_password(served):
    session = OAuth2Client("web", token_endpoint=served.token_url, token_endpoint_auth_method="none")
    with session:
        first = session.fetch_token(served.token_url, **ALICE)
        assert session.get(served.reports).json() == {"who": "alice"}
        session.token = {**first, "expires_at": int(time.time()) - 1}
        assert session.get(served.reports).json() == {"who": "alice"}
        assert session.token["refresh_token"] != first["refresh_token"]
        assert served.is_active(session.token["access_token"])
        session.revoke_token(served.revoke_url, token=session.token["access_token"])
        assert not served.is_active(session.token["access_token"])


def test_httpx_asynchronously(served):
    async def use():
        async with AsyncOAuth2Client(
            served.client_id,
            served.secret,
            token_endpoint=served.token_url,
            grant_type="client_credentials",
        ) as session:
            await session.fetch_token(served.token_url)
            return (await session.get(served.reports)).json()

    assert asyncio.run(use()) == {"who": served.client_id}


class Curl:
    """curl, as one types it."""

    def __init__(self, served):
        self.served = served

    def __call__(self, *arguments):
        command = ["curl", "--silent", "--show-error", "--write-out", "\\n%{http_code}", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        body, _, status = ran.stdout.rpartition("\n")
        return int(status), json.loads(body) if body else None


@pytest.fixture
def curl(served):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    return Curl(served)


def test_curl(served, curl):
    status, first = curl(
        *("-d", "grant_type=password", "-d", "username=alice", "--data-urlencode", f"password={PASSWORD}"),
        served.token_url,
    )
    assert status == 200
    assert curl("-H", f"Authorization: Bearer {first['access_token']}", served.reports) == (200, {"who": "alice"})
    refresh = ("-d", "grant_type=refresh_token", "-d", f"refresh_token={first['refresh_token']}", served.token_url)
    status, second = curl(*refresh)
    assert (status, second["token_type"]) == (200, "Bearer")
    basic = ("-u", f"{served.client_id}:{served.secret}")
    status, own = curl(*basic, "-d", "grant_type=client_credentials", "-d", "scope=reports:read", served.token_url)
    assert (status, own["scope"]) == (200, "reports:read")
    asked = (*basic, "-d", f"token={second['access_token']}", served.introspect_url)
    status, told = curl(*asked)
    assert (status, told["active"], told["username"]) == (200, True, "alice")
    assert curl("-d", f"token={second['access_token']}", served.revoke_url) == (200, None)
    assert curl(*asked) == (200, {"active": False})
    status, refused = curl(
        "-u", f"{served.client_id}:wrong", "-d", "grant_type=client_credentials", served.token_url
    )
    assert (status, refused["error"]) == (401, "invalid_client")


def test_percent_encoded_credentials_are_those_that_section_2_3_1_means(served):
    encoded = "".join(f"%{ord(one):02X}" for one in served.secret)
    basic = base64.b64encode(f"{served.client_id}:{encoded}".encode()).decode()
    answer = requests.post(
        served.token_url,
        {"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {basic}"},
        timeout=30,
    )
    assert answer.status_code == 200


def test_a_client_that_the_commands_make_and_change_is_served_at_once(served):
    made = json.loads(served.flask("permjwt", "client", "create", "batch", "-p", "reports:read", "--json"))
    basic = (made["client_id"], made["client_secret"])

    def fetch():
        return requests.post(served.token_url, {"grant_type": "client_credentials"}, auth=basic, timeout=60)

    token = fetch().json()["access_token"]
    assert served.status(token) == 200
    served.flask("permjwt", "client", "revoke", "batch", "reports:read")
    # By the counter that the processes of a machine share, or else within the interval.
    assert [served.status(token) for _ in range(4)] == [403] * 4
    served.flask("permjwt", "client", "disable", "batch")
    assert [served.status(token) for _ in range(4)] == [401] * 4
    assert fetch().status_code == 401
