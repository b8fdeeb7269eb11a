"""Addresses that keys may be fetched from."""

import pytest

from flask_permjwt.tokens.issuers.addresses import fault, is_local, is_loopback, origin


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "//example.com",
        "example.com",
        "https://",
        "https:///x",
        "https://a b",
        "https://a\nb",
        "https://ex\x00ample.com",
        "https://user@example.com",
        "https://:pw@example.com",
        "https://example.com#x",
        "https://example.com:99999",
        "https://[::1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://localhost@example.com",
        "http://2130706433",
        "http://10.0.0.1",
        "http://169.254.169.254/latest",
        "",
        None,
        5,
    ],
)
def test_a_faulty_address_is_told_of(url):
    assert fault(url, loopback=True) is not None


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com:8443/a?b=c", "https://[2001:db8::1]/x"]
)
def test_https_will_do(url):
    assert fault(url, loopback=False) is None


@pytest.mark.parametrize("url", ["http://localhost:5", "http://127.1.2.3/x", "http://[::1]:8000/"])
def test_plain_http_will_do_on_this_machine_where_that_is_allowed(url):
    assert fault(url, loopback=True) is None
    assert fault(url, loopback=False) == "is not https"
    assert is_local(url)


def test_what_is_local_is_plain_http_here():
    assert not is_local("https://localhost")
    assert not is_local("http://example.com")
    assert not is_local("http://[::1")
    assert is_loopback("127.0.0.1")
    assert not is_loopback("10.0.0.1")


def test_an_origin_is_scheme_host_and_port():
    assert origin("https://Example.com/x") == origin("https://example.com:443/y") == ("https", "example.com", 443)
    assert origin("http://localhost") == ("http", "localhost", 80)
