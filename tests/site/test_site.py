"""The built site: complete, by itself, and readable on a small screen."""

import importlib
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from pages import PAGES, ROOT, blocks
from playwright.sync_api import expect
from sphinx.util.inventory import InventoryFile

import flask_permjwt
from flask_permjwt import errors, live, mail, oauth_errors, openapi, signals, testing
from flask_permjwt.cli.commands import commands
from flask_permjwt.settings.load import PREFIX, Settings

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}


class Links(HTMLParser):
    """What a page fetches, where it leads, and what can be led to."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.leads, self.ids = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if given.get("id"):
            self.ids.add(given["id"])
        if tag in FETCHED and given.get(FETCHED[tag]):
            self.fetched.add(given[FETCHED[tag]])
        if tag == "link" and given.get("rel") not in ("canonical", "index", "search", "next", "prev", "author"):
            self.fetched.add(given["href"])
        if tag == "a" and given.get("href"):
            self.leads.add(given["href"])


@pytest.fixture(scope="module")
def html(site):
    """The pages, by their path below the site."""
    return {
        str(path.relative_to(site)): Links(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


@pytest.fixture(scope="module")
def inventory(site):
    """What can be referred to: names by their kind."""
    found = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    return {kind: set(names) for kind, names in found.items()}


def test_nothing_is_fetched_from_elsewhere(site, html):
    assert len(html) > 30
    for page, links in html.items():
        for address in links.fetched:
            assert not urlsplit(address).netloc, f"{page} fetches {address}"
            assert not address.startswith("http")
    for sheet in site.rglob("*.css"):
        for address in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", sheet.read_text()):
            assert address.startswith("data:") or not urlsplit(address).netloc, f"{sheet.name} fetches {address}"


def test_every_link_within_the_site_leads_somewhere(site, html):
    for page, links in html.items():
        for address in links.leads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (site / page).parent / unquote(parts.path) if parts.path else site / page
            assert target.exists(), f"{page} leads to {address}"
            name = str(target.resolve().relative_to(site.resolve()))
            if parts.fragment and name in html:
                assert unquote(parts.fragment) in html[name].ids, f"{page} leads to {address}"


def test_every_page_is_in_the_menu(html):
    menu = {address.partition("#")[0] for address in html["index.html"].leads}
    for page in PAGES:
        if page.is_relative_to(ROOT / "docs") and page.stem != "index":
            assert str(page.relative_to(ROOT / "docs").with_suffix(".html")) in menu


def test_a_page_that_the_first_page_does_not_list_is_put_under_how_to(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_site")
    navigation = importlib.import_module("navigation")
    text = (ROOT / "docs" / "index.md").read_text()
    pages = navigation.menu(text)
    assert list(pages) == ["Tutorial", "How-to", "Recipes", "Explanation", "Reference", "Project"]
    found = {"index", "a-page-of-tomorrow", *(page for some in pages.values() for _, page in some)}
    app = SimpleNamespace(config=SimpleNamespace(root_doc="index"), env=SimpleNamespace(found_docs=found))
    source = [text]
    navigation._read(app, "index", source)
    how_to = source[0].partition(":caption: How-to\n")[2].partition(":::")[0]
    assert how_to.rstrip().endswith("a-page-of-tomorrow")
    assert source[0].count("a-page-of-tomorrow") == 1


def test_everything_public_is_in_the_reference(inventory):
    known = set().union(*(names for kind, names in inventory.items() if kind.startswith("py:")))
    for name in flask_permjwt.__all__:
        thing = getattr(flask_permjwt, name)
        is_error = isinstance(thing, type) and issubclass(thing, errors.PermJWTError)
        assert (f"{thing.__module__}.{name}" if is_error else f"flask_permjwt.{name}") in known
    for module in (live, mail, openapi, testing):
        assert {f"{module.__name__}.{name}" for name in module.__all__} <= known
    for module in (errors, oauth_errors):
        for name, thing in vars(module).items():
            if isinstance(thing, type) and thing.__module__ == module.__name__:
                assert f"{module.__name__}.{name}" in known
    for name, thing in vars(signals).items():
        if isinstance(thing, type) and issubclass(thing, signals.Event):
            assert f"flask_permjwt.signals.{name}" in known


def test_every_setting_is_an_entry_with_its_default_and_meaning(site, inventory):
    assert inventory["std:confval"] == {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", (site / "settings.html").read_text()))
    for name in ("keys_lead", "refresh_grace"):
        one = Settings.__dataclass_fields__[name]
        assert re.sub(r"\W+", "", one.metadata["doc"]) in re.sub(r"\W+", "", text)
        assert f"Default: {one.default!r}" in text


def test_every_command_is_in_the_reference(site):
    text = re.sub(r"<[^>]+>", "", (site / "reference" / "commands.html").read_text())

    def check(group, path):
        for name, command in group.commands.items():
            assert f"flask permjwt {path}{name}" in text
            if hasattr(command, "commands"):
                check(command, f"{path}{name} ")

    check(commands, "")


def test_what_stands_in_the_root_is_shown_and_not_only_named(site):
    assert "What counts" in (site / "reporting.html").read_text()
    assert "What a change brings along" in (site / "contributing.html").read_text()
    assert "Keep a Changelog" in (site / "changelog.html").read_text()


def test_every_page_fits_a_phone_runs_no_faulty_script_and_asks_no_network(site, html, chromium):
    context = chromium.new_context(viewport={"width": 390, "height": 800}, offline=True)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.on("request", lambda sent: sent.url.startswith(("file:", "data:")) or faults.append(sent.url))
    for name in html:
        page.goto(f"file://{site / name}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} wide"
    context.close()
    assert faults == []


def test_every_table_is_read_without_scrolling_on_a_desk(site, html, chromium):
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    hidden = "[...document.querySelectorAll('.table-wrapper')].map(one => one.scrollWidth - one.clientWidth)"
    for name in html:
        page.goto(f"file://{site / name}")
        assert max(page.evaluate(hidden), default=0) == 0, f"{name} has a table that is cut off"
    page.close()


@pytest.mark.parametrize(("word", "found"), [("rotate", "Keys"), ("PERMJWT_REFRESH_GRACE", "Settings")])
def test_the_search_works_from_a_folder(site, chromium, word, found):
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(f"file://{site / 'index.html'}")
    page.get_by_placeholder("Search").first.fill(word)
    page.get_by_placeholder("Search").first.press("Enter")
    expect(page.locator("#search-results li").filter(has_text=found).first).to_be_visible(timeout=20_000)
    context.close()


def test_a_copied_command_has_no_prompt(site, chromium):
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"file://{site / 'tutorial.html'}")
    page.locator("div.highlight-console").nth(3).hover()
    page.locator("div.highlight-console").nth(3).locator("button.copybtn").click()
    block = blocks(ROOT / "docs" / "tutorial.md", "console")[3]
    expected = [line[2:] for line in block.splitlines() if line.startswith(("$ ", "> "))]
    expect(page.locator("button.copybtn.success").first).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert [line for line in copied.splitlines() if line] == expected
    context.close()


def test_the_inventory_is_of_this_version(site):
    assert b"flask_permjwt" in (site / "objects.inv").read_bytes()[:200]
    assert json.loads(re.search(r"\((.*)\)", (site / "searchindex.js").read_text(), re.DOTALL)[1])["titles"]
