"""The documentation of the API: whoever is logged in there asks what they may."""

import pytest
from playwright.sync_api import expect

PATHS = {"/public/info/", "/private/info/", "/model/", "/predict", "/model/train"}


@pytest.fixture
def document(demo_app):
    return demo_app.test_client().get("/docs/openapi.json").json


def test_it_tells_the_api_and_no_pages(document):
    assert {path for path in document["paths"] if not path.startswith(("/auth", "/.well-known"))} == PATHS
    predict = document["paths"]["/predict"]["post"]
    assert predict["x-permissions"] == ["model:predict"]
    assert document["paths"]["/model/train"]["post"]["x-max-age"] == 300
    body = predict["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_it_has_a_policy_of_its_own_and_the_strictness_of_the_other_pages(demo_app):
    shown = demo_app.test_client().get("/docs/").headers
    assert "img-src 'self' data:" in shown["Content-Security-Policy"]
    assert shown["Cross-Origin-Opener-Policy"] == "same-origin"


def test_one_calls_a_protected_view_there(open_page, demo_password):
    page = open_page(viewport={"width": 1280, "height": 1400})
    page.goto("/docs/")
    page.locator(".auth-wrapper .btn.authorize").first.click()
    box = page.locator(".auth-container").filter(has_text="permjwt_password")
    box.locator("#oauth_username").fill("analyst")
    box.locator("#oauth_password").fill(demo_password)
    box.locator("button.authorize").click()
    expect(box.get_by_role("button", name="Remove authorization")).to_be_visible()
    page.locator(".modal-ux-header .close-modal").click()
    block = page.locator(".opblock-get").filter(has=page.locator('[data-path="/private/info/"]'))
    block.locator(".opblock-summary-control").click()
    with page.expect_response("**/private/info/") as answer:
        block.locator("button.execute").click()
    assert answer.value.status == 200
    expect(block.locator(".live-responses-table tbody .response-col_description").first).to_contain_text("analyst")


def test_the_header_leads_there(log_in):
    page = log_in("viewer")
    page.get_by_role("link", name="API").click()
    expect(page.locator(".opblock").first).to_be_visible()
