"""A message cannot add a header or a recipient, and its repr keeps the secret."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.mail import Message

SECRET = "code-4711"


def test_the_repr_shows_no_body():
    message = Message("alice@example.com", "Reset", f"{SECRET}\n", f"<p>{SECRET}</p>")
    assert SECRET not in repr(message)
    assert SECRET not in str(message)


@pytest.mark.parametrize(
    "to",
    [
        "alice@example.com",
        "a.b+c_d-e@mail.example.co.uk",
        "o'hara@example.com",
        "müller@example.com",
        "alice@straße.example",
        "root@localhost",
    ],
)
def test_plain_addresses_are_recipients(to):
    assert Message(to, "s", "t").to == to


@pytest.mark.parametrize(
    "to",
    [
        "",
        "alice",
        "@example.com",
        "alice@",
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice@example.com\n",
        "\nalice@example.com",
        "alice@example.com,mallory@example.com",
        "mallory,alice@example.com",
        "alice@example.com;mallory@example.com",
        "Alice <alice@example.com>",
        "<alice@example.com>",
        '"alice"@example.com',
        "alice(comment)@example.com",
        "alice@mallory@example.com",
        "alice @example.com",
        "alice\u2028@example.com",
        "alice\x00@example.com",
        "alice\ud800@example.com",
        "alice\\@example.com",
        "=?utf-8?q?mallory=40evil.example=3e?=@example.com",
        "=?x?q?mallory=0d=0a?=@example.com",
    ],
)
def test_whatever_could_be_read_as_more_is_no_recipient(to):
    with pytest.raises(ValueError, match="not one plain e-mail address"):
        Message(to, "s", "t")


@pytest.mark.parametrize("to", [None, b"alice@example.com", 7])
def test_what_is_no_text_is_no_recipient(to):
    with pytest.raises(ValueError, match="not one plain"):
        Message(to, "s", "t")


@pytest.mark.parametrize("cut", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028", "\u2029", "\x00", "\ud800"])
def test_a_subject_is_one_line(cut):
    with pytest.raises(ValueError, match="not one line"):
        Message("alice@example.com", f"Hello{cut}Bcc: mallory@example.com", "t")


def test_a_refusal_does_not_repeat_what_it_refuses():
    with pytest.raises(ValueError) as caught:
        Message(f"{SECRET}\n@example.com", "s", "t")
    assert SECRET not in str(caught.value)


@given(st.text())
def test_a_recipient_that_is_accepted_is_one_line_with_one_at(text):
    try:
        message = Message(f"{text}@example.com", "s", "t")
    except ValueError:
        return
    assert message.to.splitlines() == [message.to]
    assert message.to.count("@") == 1
    assert message.domain == "example.com"


def test_only_the_domain_is_offered_for_logs():
    assert Message("alice@example.com", "s", "t").domain == "example.com"


def test_the_package_is_imported_without_flask_mailman():
    code = "import sys, flask_permjwt.mail, flask_permjwt.mail.letters; sys.exit('flask_mailman' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
