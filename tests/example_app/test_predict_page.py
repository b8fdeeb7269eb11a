import re

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("species", ["setosa", "versicolor", "virginica"])
def test_an_analyst_picks_a_flower_and_gets_its_species(log_in, species):
    page = log_in("analyst")
    expect(page.locator("#who")).to_have_text("analyst")
    expect(page.locator("#roles")).to_have_text("role analyst")

    page.get_by_role("button", name=species).click()
    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#verdict")).to_have_text(f"Iris {species}")
    expect(page.locator("#bars .winner dt")).to_have_text(species)
    expect(page.locator("#bars .share")).to_have_count(3)
    expect(page.locator("#bars .winner .share")).to_have_text(re.compile(r"^>?\d+(\.\d)?%$"))
    assert page.locator("#result").get_attribute("aria-live") == "polite"


def test_the_whole_way_works_with_the_keyboard(log_in):
    page = log_in("analyst")
    page.get_by_label("Petal length", exact=True).press("ControlOrMeta+a")
    page.keyboard.type("5.8")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Petal length", exact=True)).to_have_value("5.9")
    page.get_by_label("Petal width", exact=True).fill("2.2")
    page.keyboard.press("Enter")

    expect(page.locator("#verdict")).to_have_text("Iris virginica")


def test_a_result_is_marked_when_the_measurements_change(log_in):
    page = log_in("analyst")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#verdict")).to_have_text("Iris setosa")
    page.get_by_label("Petal width", exact=True).fill("2")

    expect(page.locator("#verdict-note")).to_have_text("The measurements have changed since.")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#verdict-note")).not_to_have_text("The measurements have changed since.")


def test_measurements_out_of_range_are_told_beside_their_field(log_in):
    page = log_in("analyst")
    page.get_by_label("Sepal width", exact=True).fill("99")
    page.get_by_label("Petal width", exact=True).fill("")
    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#sepal_width-problem")).to_have_text("Please stay between 1.0 and 6.0 cm.")
    expect(page.locator("#petal_width-problem")).to_have_text("Please type a number.")
    expect(page.get_by_label("Sepal width", exact=True)).to_be_focused()
    expect(page.locator("#verdict")).to_have_text("No prediction yet.")


def test_what_the_server_refuses_is_told_beside_its_field_too(log_in):
    page = log_in("analyst")
    refusal = {
        "error": "validation_failed",
        "error_description": "x",
        "errors": {"petal_width": ["Too thin."], "moon": ["Not full."]},
    }
    page.route("**/predict", lambda route: route.fulfill(status=422, json=refusal))
    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#petal_width-problem")).to_have_text("Too thin.")
    expect(page.locator("#predict-problem")).to_have_text("Not full.")
    expect(page.get_by_label("Petal width", exact=True)).to_be_focused()


def test_a_viewer_sees_the_model_and_is_told_why_there_is_no_prediction(log_in):
    page = log_in("viewer")

    expect(page.get_by_role("button", name="Predict")).to_be_disabled()
    expect(page.locator("#may-not")).to_contain_text("viewer lacks the permission model:predict")
    expect(page.locator("#facts")).to_contain_text("test flowers")
    expect(page.get_by_role("button", name="Train")).to_be_hidden()


def test_a_permission_that_was_lost_meanwhile_is_told(log_in):
    page = log_in("analyst")
    refusal = {"error": "insufficient_scope", "error_description": "Missing permissions: model:predict"}
    page.route("**/predict", lambda route: route.fulfill(status=403, json=refusal))
    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#predict-problem")).to_have_text("Missing permissions: model:predict")


def test_an_admin_trains_a_new_model_and_an_analyst_sees_it(log_in):
    analyst, admin = log_in("analyst"), log_in("admin")
    expect(analyst.get_by_role("button", name="Train")).to_be_hidden()

    admin.get_by_label("Seed").fill("4242")
    admin.get_by_label("Kept for the test").select_option("50%")
    admin.get_by_role("button", name="Train").click()

    expect(admin.locator("#trained")).to_contain_text("A new model is in place")
    expect(admin.locator("#facts")).to_contain_text("of 75 test flowers")
    expect(admin.locator("#facts")).to_contain_text("4242")
    analyst.reload()
    expect(analyst.locator("#facts")).to_contain_text("4242")


def test_a_seed_that_is_none_is_told(log_in):
    page = log_in("admin")
    page.get_by_label("Seed").fill("-3")
    page.get_by_role("button", name="Train").click()

    expect(page.locator("#train-problem")).to_contain_text("whole number")
    expect(page.get_by_label("Seed")).to_be_focused()
