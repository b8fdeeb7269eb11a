"""Pages for everyone: contrast (WCAG 2.2, success criterion 1.4.3), narrow windows, names for every field."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

CSS = (Path(__file__).parents[2] / "example_app" / "static" / "app.css").read_text("utf-8")
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in CSS.split("@media")[:2])


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, {**LIGHT, **DARK}], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        ("ink", "paper", 7),
        ("ink", "surface", 7),
        ("ink", "field", 7),
        ("muted", "paper", 4.5),
        ("muted", "surface", 4.5),
        ("muted", "field", 4.5),
        ("accent", "surface", 4.5),
        ("accent", "field", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-strong", 4.5),
        ("accent-strong", "accent-soft", 4.5),
        ("bad", "bad-soft", 4.5),
        ("bad", "surface", 4.5),
        ("note", "note-soft", 4.5),
        ("good", "surface", 4.5),
        ("field-line", "surface", 3),
    ],
)
def test_text_stands_out_from_its_ground(scheme, text, ground, least):
    assert contrast(scheme[text], scheme[ground]) >= least


@pytest.mark.parametrize("width", [320, 768, 1400])
def test_no_page_is_wider_than_its_window(log_in, width):
    page = log_in("admin", viewport={"width": width, "height": 800})
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#bars")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/account")
    expect(page.locator(".current")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/login")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_dark_scheme_is_dark(open_page):
    grounds = {}
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        page.goto("/login")
        grounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert grounds == {"light": "rgb(247, 245, 240)", "dark": "rgb(20, 18, 26)"}


def test_every_field_and_button_has_a_name(log_in):
    page = log_in("admin")
    for path in ("/", "/account", "/login"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        nameless = page.locator("input:visible, select:visible, button:visible").evaluate_all(
            """all => all.filter(
                one => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())
            ).map(one => one.outerHTML)"""
        )
        assert nameless == []
