"""Fetching: a real server on this machine, which does what no server should."""

import socket
import ssl
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from flask_permjwt.tokens.issuers import http as module
from flask_permjwt.tokens.issuers.http import HttpFetcher
from flask_permjwt.tokens.issuers.jwks import KeysError


@pytest.fixture
def serve():
    """Serve with a function of the handler; return the address."""
    servers = []

    def start(answer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            do_POST = do_GET  # noqa: N815  # as the standard library calls it

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the client hangs up, as it should

        server = Server(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(handler, body=b"{}", status=200, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_document_comes_with_its_lifetime(serve):
    url = serve(lambda handler: reply(handler, b'{"a":1}', Cache_Control="public, max-age=600"))
    fetched = HttpFetcher().fetch(url)
    assert (fetched.body, fetched.lifetime) == (b'{"a":1}', 600)


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({}, None),
        ({"Cache_Control": "public"}, None),
        ({"Cache_Control": "max-age=600", "Age": "100"}, 500),
        ({"Cache_Control": "max-age=600", "Age": "1000"}, 0),
        ({"Cache_Control": "max-age=600", "Age": "x"}, 600),
        ({"Cache_Control": 'Max-Age="600"'}, 600),
        ({"Cache_Control": "no-store, max-age=600"}, 0),
        ({"Cache_Control": "no-cache"}, 0),
        ({"Cache_Control": "x-max-age=600"}, None),
        ({"Cache_Control": "max-age=99999999999999999999"}, 999_999_999),
    ],
)
def test_lifetimes_are_those_of_rfc_9111(serve, headers, lifetime):
    url = serve(lambda handler: reply(handler, **headers))
    assert HttpFetcher().fetch(url).lifetime == lifetime


def test_nothing_of_ours_is_sent_along(serve):
    seen = []

    def answer(handler):
        seen.extend(handler.headers.keys())
        reply(handler)

    HttpFetcher().fetch(serve(answer))
    assert {name.casefold() for name in seen} == {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404, 500, 503])
def test_any_other_answer_is_none(serve, status):
    url = serve(lambda handler: reply(handler, b"", status))
    with pytest.raises(KeysError, match=f"answered {status}"):
        HttpFetcher().fetch(url)


def test_too_much_is_cut_off(serve):
    sent = []

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b" " * 16_384)
            sent.append(16_384)

    with pytest.raises(KeysError, match="more than 512 KiB"):
        HttpFetcher().fetch(serve(answer))
    assert sum(sent) < 100 * 2**20


def test_packed_answers_are_not_opened(serve):
    url = serve(lambda handler: reply(handler, b"\x1f\x8b", Content_Encoding="gzip"))
    with pytest.raises(KeysError, match="encoding"):
        HttpFetcher().fetch(url)


def test_a_redirect_within_the_same_place_is_followed(serve):
    def answer(handler):
        if handler.path == "/a":
            reply(handler, b"", 302, Location="/b")
        else:
            reply(handler, b'"b"')

    assert HttpFetcher().fetch(f"{serve(answer)}/a").body == b'"b"'


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2/x",
        "https://example.com/",
        "file:///etc/passwd",
        "//example.com/",
        "http://localhost/",
        "",
    ],
)
def test_a_redirect_to_elsewhere_is_not_followed(serve, target):
    headers = {"Location": target} if target else {}
    url = serve(lambda handler: reply(handler, b"", 307, **headers))
    with pytest.raises(KeysError, match="elsewhere"):
        HttpFetcher().fetch(url)


def test_a_redirect_to_another_port_is_not_followed(serve):
    other = serve(reply)
    url = serve(lambda handler: reply(handler, b"", 301, Location=other))
    with pytest.raises(KeysError, match="elsewhere"):
        HttpFetcher().fetch(url)


def test_circles_end(serve):
    seen = []

    def answer(handler):
        seen.append(1)
        reply(handler, b"", 302, Location="/")

    with pytest.raises(KeysError, match="again and again"):
        HttpFetcher().fetch(serve(answer))
    assert len(seen) == 3


def test_a_server_that_is_silent_is_left(serve):
    over = Event()
    url = serve(lambda _: over.wait(20))
    began = time.monotonic()
    with pytest.raises(KeysError, match="ReadTimeoutError"):
        HttpFetcher(silence=0.2).fetch(url)
    assert time.monotonic() - began < 3
    over.set()


@pytest.mark.parametrize("in_headers", [True, False])
def test_a_server_that_drips_is_left_when_the_time_is_over(serve, in_headers):
    over = Event()

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X-Long: " if in_headers else b"\r\n"))
        while not over.wait(0.05):
            handler.wfile.write(b"x")

    url = serve(answer)
    began = time.monotonic()
    with pytest.raises(KeysError, match="too long"):
        HttpFetcher(silence=2, whole=0.5).fetch(url)
    assert time.monotonic() - began < 3
    over.set()


def test_a_time_that_was_over_before_the_connection_was_there_counts(serve):
    with pytest.raises(KeysError, match="too long"):
        HttpFetcher(whole=0).fetch(serve(reply))


def test_nobody_there_is_a_failure():
    with pytest.raises(KeysError, match=r"NewConnectionError|ConnectionRefused"):
        HttpFetcher().fetch("http://127.0.0.1:1/")


def test_a_name_that_nobody_knows_is_a_failure():
    with pytest.raises(KeysError, match="NameResolutionError"):
        HttpFetcher().fetch("https://nowhere.invalid/")


@pytest.fixture
def unanswered():
    """The address of a server that never takes a connection: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()


def resolve_to(monkeypatch, *addresses):
    real = socket.getaddrinfo

    def fake(host, *more, **options):
        if host != "several.example.com":
            return real(host, *more, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", fake)


def test_several_addresses_that_do_not_answer_share_the_time(monkeypatch, unanswered):
    resolve_to(monkeypatch, *[unanswered] * 20)
    began = time.monotonic()
    with pytest.raises(KeysError, match="too long"):
        HttpFetcher(silence=0.3, whole=0.5).fetch("https://several.example.com/")
    assert time.monotonic() - began < 3


def test_the_next_address_is_asked_when_one_does_not_answer(monkeypatch, unanswered, serve):
    port = int(serve(reply).rpartition(":")[2])
    resolve_to(monkeypatch, unanswered, ("127.0.0.1", port))
    assert HttpFetcher(silence=0.3).fetch(f"http://several.example.com:{port}/").body == b"{}"


def test_what_is_no_http_is_a_failure(serve):
    url = serve(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"))
    with pytest.raises(KeysError, match="nothing came"):
        HttpFetcher().fetch(url)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, make_key):
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path, make_key("ES256")))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with pytest.raises(KeysError, match="SSLError"):
        HttpFetcher().fetch(f"https://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()


def certificate(folder, key):
    """Write a certificate that vouches for itself, and its key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def test_over_tls_the_time_is_kept_too(tmp_path, make_key, monkeypatch):
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.05):
                self.wfile.write(b"x")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    files = certificate(tmp_path, make_key("ES256"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with pytest.raises(KeysError, match="too long"):
        HttpFetcher(silence=2, whole=0.5).fetch(f"https://127.0.0.1:{server.server_port}/")
    over.set()
    server.shutdown()
    server.server_close()


def test_a_proxy_is_told_the_name_and_the_password_of_its_address(monkeypatch, serve):
    seen = []

    def answer(handler):
        seen.append(handler.headers["Proxy-Authorization"])
        reply(handler)

    address = serve(answer).removeprefix("http://")
    monkeypatch.setenv("http_proxy", f"http://Aladdin:open%20sesame@{address}")
    assert HttpFetcher().fetch("http://login.example.com/keys").body == b"{}"
    assert seen == ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
    assert module._credentials("http://name@proxy") == {"Proxy-Authorization": "Basic bmFtZTo="}


def test_proxies_are_those_of_the_environment(monkeypatch, serve):
    seen = []

    def answer(handler):
        seen.append(handler.path)
        reply(handler)

    proxy = serve(answer)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setenv("no_proxy", "direct.example.com")
    assert module._proxy("https://login.example.com/") == proxy
    assert module._proxy("https://direct.example.com/") is None
    assert module._proxy("http://127.0.0.1/") is None
    assert HttpFetcher().fetch("http://login.example.com/keys").body == b"{}"
    assert seen == ["http://login.example.com/keys"]


# Requests whose answers are judged by somebody else


def test_a_request_is_sent_with_its_body_and_its_headers(serve):
    seen = []

    def answer(handler):
        seen.append((handler.command, handler.headers, handler.rfile.read(int(handler.headers["Content-Length"]))))
        reply(handler, b"no", status=400, Content_Type="text/plain")

    url = serve(answer)
    headers = {"Authorization": "Basic eDp5", "Accept-Encoding": "gzip", "User-Agent": "another"}
    found = HttpFetcher().send("POST", url, headers=headers, body=b"a=1")
    assert (found.status, found.body, found.headers["Content-Type"]) == (400, b"no", "text/plain")
    ((method, sent, body),) = seen
    assert (method, body, sent["Authorization"]) == ("POST", b"a=1", "Basic eDp5")
    assert (sent["Accept-Encoding"], sent["User-Agent"]) == ("identity", "flask-permjwt")


def test_no_redirect_of_a_request_is_followed(serve):
    url = serve(lambda handler: reply(handler, status=307, Location="/elsewhere"))
    assert HttpFetcher().send("POST", url, headers={}, body=b"secret").status == 307


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda handler: reply(handler, b"x" * 2000), "more than"),
        (lambda handler: reply(handler, Content_Encoding="gzip"), "encoding"),
        (lambda handler: time.sleep(1), "too long|Timeout"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "nothing came"),
    ],
)
def test_answers_to_requests_have_the_limits_of_documents(serve, answer, match):
    fetcher = HttpFetcher(silence=0.3, whole=0.5, largest=1024)
    with pytest.raises(KeysError, match=match):
        fetcher.send("POST", serve(answer), headers={}, body=b"")
