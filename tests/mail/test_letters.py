"""Letters: what they say, whose templates are taken, and what a name cannot do to them."""

import unicodedata
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Blueprint, Flask, render_template_string, template_rendered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import ChoiceLoader, DictLoader, TemplateNotFound, TemplateSyntaxError, UndefinedError

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.mail.letters import Letters, register_templates
from flask_permjwt.mail.outbox import Outbox

VALUES = {
    "verify": {"username": "Alice", "token": "t0-k_en", "expires_in": 86400},
    "reset": {"username": "Alice", "token": "t0-k_en", "expires_in": 1800},
    "registered_already": {"username": "Alice"},
    "password_changed": {"username": "Alice"},
}
RESET = "permjwt/mail/reset.txt"
OWN = "Own subject\n\nOwn body for {{ username }}: {{ token }}\n"


@pytest.fixture
def app():
    app = Flask("tested")
    app.testing = True
    return app


@pytest.fixture
def write(mailer):
    """Write a letter in an app; return the message."""

    def write(app, kind="reset", to="alice@example.com", urls=None, **values):
        with app.app_context():
            Letters(Outbox(mailer), urls=urls or {}).send(kind, to, **{**VALUES.get(kind, {}), **values})
        return mailer.sent[-1] if mailer.sent else None

    return write


@pytest.fixture
def ready(app):
    register_templates(app)
    return app


class TestDefaults:
    @pytest.mark.parametrize("kind", VALUES)
    def test_every_kind_has_a_subject_and_a_body(self, ready, write, kind):
        message = write(ready, kind)
        assert message.to == "alice@example.com"
        assert message.subject
        assert message.subject not in message.text
        assert message.text.startswith("Hello")
        assert message.text.endswith(".\n")
        assert not any(mark in message.subject + message.text for mark in ("{", "}", "None", "\n\n\n"))
        assert message.html is None

    @pytest.mark.parametrize("kind", ["verify", "reset"])
    def test_without_a_page_the_token_is_a_code(self, ready, write, kind):
        text = write(ready, kind).text
        assert "\n\nt0-k_en\n\n" in text
        assert "http" not in text

    @pytest.mark.parametrize("kind", ["verify", "reset"])
    def test_with_a_page_the_token_is_in_the_link_alone(self, ready, write, kind):
        text = write(ready, kind, urls={kind: "https://app.example/do?token={token}&lang=en"}).text
        assert "\n\nhttps://app.example/do?token=t0-k_en&lang=en\n\n" in text
        assert text.count("t0-k_en") == 1

    def test_one_page_does_not_serve_another_kind(self, ready, write):
        assert "https" not in write(ready, "verify", urls={"reset": "https://app.example/?token={token}"}).text

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (86400, "24 hours"),
            (1800, "30 minutes"),
            (3600, "60 minutes"),
            (7200, "2 hours"),
            (5400, "90 minutes"),
            (7 * 86400, "7 days"),
            (172800, "2 days"),
            (172799, "47 hours"),
            (119, "119 seconds"),
            (90.5, "90 seconds"),
            (1, "1 second"),
        ],
    )
    def test_a_lifetime_is_said_in_words_and_never_too_long(self, ready, write, seconds, words):
        assert f"within the next {words}." in write(ready, expires_in=seconds).text

    def test_whoever_confirms_an_address_is_told_for_which_user_name_in_one_line_of_bounded_length(
        self, ready, write
    ):
        assert '\n"Alice"\n' in write(ready, "verify", username="Alice").text
        text = write(ready, "verify", username="Buy\n\nat " + "x" * 300).text
        (line,) = [one for one in text.splitlines() if "Buy" in one]
        assert line.startswith('"Buy at ')
        assert len(line) == 64 + 2

    def test_a_value_that_is_missing_is_an_error(self, ready, mailer):
        with ready.app_context(), pytest.raises(UndefinedError):
            Letters(Outbox(mailer), urls={}).send("password_changed", "alice@example.com")

    def test_text_is_not_escaped_as_html(self, ready, write):
        assert "Hello O'Hara & <Sons>," in write(ready, username="O'Hara & <Sons>").text


class TestLinks:
    @given(token=st.text(min_size=1).filter(str.isprintable))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_a_token_is_quoted_so_that_the_page_reads_it_back(self, ready, write, token):
        text = write(ready, token=token, urls={"reset": "https://app.example/reset?token={token}&a=b"}).text
        (link,) = [line for line in text.splitlines() if line.startswith("https:")]
        assert parse_qs(urlsplit(link).query) == {"token": [token], "a": ["b"]}

    @pytest.mark.parametrize("url", ["", "https://app.example/reset", "https://app.example/{TOKEN}", "/{ token }"])
    def test_a_page_without_a_place_for_the_token_is_refused(self, outbox, url):
        with pytest.raises(ConfigurationError, match=r"'reset' letters must have \{token\}"):
            Letters(outbox, urls={"reset": url})

    def test_other_braces_of_a_page_stay(self, ready, write):
        url = "https://app.example/#/{id}/{0}/%7B{token}"
        assert "https://app.example/#/{id}/{0}/%7Bt0-k_en" in write(ready, urls={"reset": url}).text


class TestNames:
    @given(name=st.text(min_size=1))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_no_name_changes_the_subject_or_the_number_of_lines(self, ready, write, name):
        usual = write(ready, "password_changed")
        message = write(ready, "password_changed", username=name)
        assert message.subject == usual.subject
        assert len(message.text.splitlines()) == len(usual.text.splitlines())
        assert not any(unicodedata.category(one) in {"Cc", "Cs"} for one in message.text if one != "\n")
        message.text.encode()

    def test_a_name_in_the_subject_of_the_app_stays_in_one_line(self, ready, write):
        ready.jinja_loader = DictLoader({RESET: "For {{ username }}\n\nbody"})
        message = write(ready, username="x\r\nBcc: mallory@example.com\r\n\r\nfake")
        assert message.subject == "For x Bcc: mallory@example.com fake"
        assert message.text == "body\n"

    def test_a_name_does_not_turn_the_text_around(self, ready, write):
        assert "Hello abc," in write(ready, username="\u202eabc\u2066").text

    def test_a_name_is_no_template(self, ready, write):
        assert "Hello {{ token }}{% raw %}," in write(ready, username="{{ token }}{% raw %}").text

    def test_joiners_of_a_script_stay(self, ready, write):
        assert "Hello क्\u200dष," in write(ready, username="क्\u200dष").text

    def test_a_long_name_is_cut(self, ready, write):
        assert f"Hello {'x' * 63}…," in write(ready, username="x" * 255).text
        assert f"Hello {'x' * 64}," in write(ready, username="x" * 64).text

    @pytest.mark.parametrize("to", ["", "a@b.c\nBcc: d@e.f", "a,b@example.com", "Alice <alice@example.com>"])
    def test_what_is_no_recipient_is_logged_and_not_raised(self, ready, write, caplog, to):
        assert write(ready, to=to) is None
        assert caplog.messages == ["mail reset not sent: the recipient is not one plain e-mail address"]

    def test_to_nobody_a_letter_is_written_and_thrown_away(self, ready, write, caplog):
        rendered = []
        ready.jinja_loader = DictLoader({RESET: "s\n\n{{ seen(token) }}"})
        ready.jinja_env.globals["seen"] = rendered.append
        assert write(ready, to=None) is None
        assert rendered == ["t0-k_en"]
        assert caplog.records == []


class TestOverriding:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "templates/permjwt/mail").mkdir(parents=True)
        return tmp_path / "templates"

    def test_a_template_of_the_app_wins(self, folder, write):
        (folder / RESET).write_text(OWN)
        app = Flask("tested", root_path=str(folder.parent))
        app.testing = True
        register_templates(app)
        message = write(app)
        assert (message.subject, message.text) == ("Own subject", "Own body for Alice: t0-k_en\n")
        assert write(app, "verify").subject == "Please confirm your e-mail address"

    def test_a_template_of_a_blueprint_registered_later_wins(self, ready, folder, write):
        (folder / RESET).write_text(OWN)
        ready.register_blueprint(Blueprint("mails", "mails", template_folder=str(folder)))
        assert write(ready).subject == "Own subject"

    @pytest.mark.parametrize("touched", [False, True])
    def test_a_loader_that_the_app_set_is_asked_first(self, app, write, touched):
        if touched:
            assert app.jinja_env
        register_templates(app)
        app.jinja_loader = ChoiceLoader([DictLoader({"page.html": "page"}), DictLoader({RESET: OWN})])
        assert write(app).subject == "Own subject"
        assert write(app, "verify").subject
        assert app.jinja_env.get_template("page.html").render() == "page"

    @pytest.mark.parametrize("later", [False, True])
    def test_a_loader_in_the_options_is_asked_first(self, app, write, later):
        if later:
            register_templates(app)
        app.jinja_options = {"loader": DictLoader({RESET: OWN})}
        if not later:
            register_templates(app)
        assert write(app).subject == "Own subject"
        assert write(app, "verify").subject

    def test_an_environment_of_the_apps_class_is_kept(self, write):
        class Own(Flask):
            def create_jinja_environment(self):
                environment = super().create_jinja_environment()
                environment.loader = DictLoader({RESET: OWN})
                environment.globals["mark"] = "mine"
                return environment

        app = Own("tested")
        app.testing = True
        register_templates(app)
        assert write(app).subject == "Own subject"
        assert write(app, "verify").subject
        assert app.jinja_env.globals["mark"] == "mine"

    def test_an_environment_without_a_loader_gets_ours(self, app, write):
        app.jinja_env.loader = None
        register_templates(app)
        assert write(app).subject

    def test_registering_does_not_create_the_environment(self, ready, write):
        assert "jinja_env" not in vars(ready)
        ready.jinja_options = {"trim_blocks": True}
        ready.config["TEMPLATES_AUTO_RELOAD"] = True
        assert write(ready)
        assert ready.jinja_env.trim_blocks
        assert ready.jinja_env.auto_reload

    def test_registering_twice_does_no_harm(self, ready, write):
        register_templates(ready)
        assert write(ready).subject

    def test_other_apps_are_left_alone(self, ready):
        with pytest.raises(TemplateNotFound):
            Flask("other").jinja_env.get_template(RESET)

    def test_templates_that_nobody_has_stay_unfound(self, ready):
        with pytest.raises(TemplateNotFound, match=r"page\.html"):
            ready.jinja_env.get_template("page.html")

    def test_all_templates_can_be_listed(self, ready):
        ready.jinja_loader = DictLoader({"page.html": ""})
        assert {"page.html", RESET} <= set(ready.jinja_env.list_templates())

    def test_loading_can_be_explained(self, ready, write):
        ready.config["EXPLAIN_TEMPLATE_LOADING"] = True
        assert write(ready)

    def test_our_templates_are_filled_whatever_delimiters_the_app_has(self, ready, write):
        ready.jinja_options = {
            "variable_start_string": "[[",
            "variable_end_string": "]]",
            "block_start_string": "[%",
            "block_end_string": "%]",
            "autoescape": True,
        }
        ready.jinja_loader = DictLoader({"permjwt/mail/verify.txt": "Own\n\n[[ token ]]"})
        assert "Hello O'Hara,\n" in write(ready, username="O'Hara").text
        assert "t0-k_en" in write(ready).text
        assert write(ready, "verify").text == "t0-k_en\n"

    def test_a_page_of_the_app_comes_along_with_our_text(self, ready, write):
        ready.jinja_loader = DictLoader({"permjwt/mail/reset.html": "<p>{{ username }}: {{ link }}</p>"})
        message = write(ready, username="<b>", urls={"reset": "https://app.example/?a=1&token={token}"})
        assert message.html == "<p>&lt;b&gt;: https://app.example/?a=1&amp;token=t0-k_en</p>"
        assert message.text.startswith("Hello <b>,")

    @pytest.mark.parametrize("name", ["permjwt/mail/reset.html", RESET])
    def test_a_template_of_the_app_that_is_wrong_is_an_error(self, ready, write, name):
        ready.jinja_loader = DictLoader({name: "{% if %}"})
        with pytest.raises(TemplateSyntaxError):
            write(ready)

    def test_a_page_that_extends_what_is_not_there_is_an_error(self, ready, write):
        ready.jinja_loader = DictLoader({"permjwt/mail/reset.html": "{% extends 'base.html' %}"})
        with pytest.raises(TemplateNotFound, match=r"base\.html"):
            write(ready)

    def test_an_app_has_kinds_of_its_own(self, ready, write):
        ready.jinja_loader = DictLoader(
            {"permjwt/mail/invite.txt": "Come, {{ guest }}\n\n{{ link }} {{ host }}\n"}
        )
        url = "https://app.example/{token}"
        message = write(ready, "invite", urls={"invite": url}, guest="Bob", token="a/b", host="Al\nice")
        assert (message.subject, message.text) == ("Come, Bob", "https://app.example/a%2Fb Al ice\n")

    @pytest.mark.parametrize(
        "source", ["Subject\r\n\r\nbody\r\n", "{# note #}\nSubject\nbody", "\n\nSubject\n\n\nbody\n\n"]
    )
    def test_a_template_may_be_laid_out_differently(self, ready, write, source):
        ready.jinja_loader = DictLoader({RESET: source})
        message = write(ready)
        assert (message.subject, message.text) == ("Subject", "body\n")


def test_no_context_processor_runs_and_no_signal_carries_the_token(ready, write):
    seen = []

    @ready.context_processor
    def processor():
        seen.append("processor")
        return {}

    with template_rendered.connected_to(lambda *args, **values: seen.append(values), ready):
        assert write(ready)
        assert seen == []
        with ready.app_context():
            render_template_string("")
    assert len(seen) == 2


def test_a_letter_leaves_by_the_outbox_with_the_app_itself(mailer, outbox, make_letters):
    app = Flask("served")
    register_templates(app)
    with app.test_request_context():
        make_letters().send("password_changed", "alice@example.com", username="Alice")
    assert outbox.flush()
    assert mailer.apps == [app]
    assert type(mailer.apps[0]) is Flask
