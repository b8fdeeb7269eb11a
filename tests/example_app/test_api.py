import pytest

from example_app.iris import EXAMPLES, FEATURES
from example_app.permissions import Permission

SETOSA = dict(zip((one.name for one in FEATURES), EXAMPLES["setosa"], strict=True))

GETS = {
    "/public/info/": {None, "viewer", "analyst", "admin"},
    "/private/info/": {"viewer", "analyst", "admin"},
    "/model/": {"viewer", "analyst", "admin"},
}


@pytest.mark.parametrize("user", [None, "viewer", "analyst", "admin"])
@pytest.mark.parametrize("path", GETS)
def test_each_user_reads_what_the_role_allows(client_of, path, user):
    answer = client_of(user).get(path)

    assert answer.status_code == (200 if user in GETS[path] else 401)


@pytest.mark.parametrize(
    ("path", "body", "needed", "allowed"),
    [
        ("/predict", SETOSA, "model:predict", {"analyst", "admin"}),
        ("/model/train", {"seed": 1}, "model:train", {"admin"}),
    ],
)
@pytest.mark.parametrize("user", ["viewer", "analyst", "admin"])
def test_each_user_does_what_the_role_allows(client_of, path, body, needed, allowed, user):
    answer = client_of(user).post(path, json=body)

    if user in allowed:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert answer.json["error"] == "insufficient_scope"
        assert needed in answer.json["error_description"]
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/predict", "/model/train"])
def test_nobody_changes_or_asks_anything_without_a_token(client_of, path):
    answer = client_of(None).post(path, json=SETOSA)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_private_info_says_who_asks(client_of):
    answer = client_of("viewer").get("/private/info/")

    assert answer.json == {
        "public": False,
        "you": "viewer",
        "permissions": [Permission.INFO_READ, Permission.MODEL_READ],
    }


@pytest.mark.parametrize("species", EXAMPLES)
def test_the_flowers_of_the_textbook_are_recognised(client_of, species):
    body = dict(zip((one.name for one in FEATURES), EXAMPLES[species], strict=True))

    answer = client_of("analyst").post("/predict", json=body)

    assert answer.json["class"] == species
    assert set(answer.json["probabilities"]) == set(EXAMPLES)
    assert sum(answer.json["probabilities"].values()) == pytest.approx(1)
    assert answer.json["probabilities"][species] > 0.5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sepal_length": 50}, "sepal_length"),
        ({"petal_width": 0}, "petal_width"),
        ({"petal_width": -1}, "petal_width"),
        ({"sepal_width": True}, "sepal_width"),
        ({"sepal_width": "3.5"}, "sepal_width"),
        ({"sepal_width": None}, "sepal_width"),
        ({"sepal_width": [3.5]}, "sepal_width"),
        ({"petal_length": 10**400}, "petal_length"),
        ({"petal_length": float("nan")}, "petal_length"),
        ({"petal_length": float("inf")}, "petal_length"),
        ({"colour": "blue"}, "colour"),
        ({"\ud800": 1}, "\ud800"),
    ],
)
def test_what_is_no_flower_is_refused_by_field(client_of, change, field):
    answer = client_of("analyst").post("/predict", json={**SETOSA, **change})

    assert answer.status_code == 422
    assert answer.json["error"] == "validation_failed"
    assert set(answer.json["errors"]) == {field}
    assert isinstance(answer.json["errors"][field], list)


def test_every_missing_measurement_is_named(client_of):
    answer = client_of("analyst").post("/predict", json={})

    assert answer.status_code == 422
    assert set(answer.json["errors"]) == set(SETOSA)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 15_000, b'{"sepal_length": ' + b"9" * 5_000 + b"}"])
def test_malformed_json_is_a_bad_request(client_of, body):
    answer = client_of("analyst").post("/predict", data=body, content_type="application/json")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("body", ["[]", "1", "null", '"text"'])
def test_json_that_is_no_object_does_not_fit(client_of, body):
    answer = client_of("analyst").post("/predict", data=body, content_type="application/json")

    assert (answer.status_code, answer.json["error"]) == (422, "validation_failed")


@pytest.mark.parametrize("path", ["/predict", "/model/train"])
def test_a_form_is_an_unsupported_media_type(client_of, path):
    answer = client_of("admin").post(path, data={"sepal_length": "5.1"})

    assert (answer.status_code, answer.json["error"]) == (415, "unsupported_media_type")


def test_a_huge_body_is_refused_unread(client_of):
    answer = client_of("analyst").post("/predict", data=b" " * 20_000, content_type="application/json")

    assert (answer.status_code, answer.json["error"]) == (413, "body_too_large")


def test_unknown_paths_and_wrong_methods_are_told_in_json(client_of):
    nowhere = client_of(None).get("/nowhere")
    wrong = client_of("admin").get("/predict")

    assert (nowhere.status_code, nowhere.json["error"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json["error"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"]


def test_training_puts_a_new_model_in_place(client_of):
    admin = client_of("admin")
    trained = admin.post("/model/train", json={"seed": 7, "test_share": 0.5})

    assert trained.status_code == 200
    assert admin.get("/model/").json == trained.json
    assert (trained.json["seed"], trained.json["tested_on"], trained.json["trained_on"]) == (7, 75, 75)
    again = admin.post("/model/train", json={"seed": 7, "test_share": 0.5})
    assert again.json["accuracy"] == trained.json["accuracy"]
    assert again.json["trained_at"] > trained.json["trained_at"]


def test_training_without_a_body_draws_a_seed_and_tells_it(client_of):
    admin = client_of("admin")

    seeds = {admin.post("/model/train").json["seed"] for _ in range(3)}

    assert len(seeds) > 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"test_share": 0}, "test_share"),
        ({"test_share": 1}, "test_share"),
        ({"epochs": 3}, "epochs"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused_and_changes_nothing(client_of, body, field):
    admin = client_of("admin")
    before = admin.get("/model/").json

    answer = admin.post("/model/train", json=body)

    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {field}
    assert admin.get("/model/").json == before


def test_the_facts_name_the_features_with_their_bounds(client_of):
    facts = client_of("viewer").get("/model/").json

    assert facts["classes"] == list(EXAMPLES)
    assert facts["features"] == [
        {"name": one.name, "unit": "cm", "min": one.low, "max": one.high} for one in FEATURES
    ]
    assert 0.8 < facts["accuracy"] <= 1


def test_every_view_is_declared(demo_app):
    result = demo_app.test_cli_runner().invoke(args=["permjwt", "routes", "--check"])

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "path", ["/", "/login", "/account", "/public/info/", "/nowhere", "/static/app.css", "/private/info/"]
)
def test_every_answer_tells_browsers_to_be_strict(client_of, path):
    with client_of(None).get(path) as answer:
        headers = answer.headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/login", "/account"])
def test_pages_hold_no_inline_script_or_style(client_of, path):
    page = client_of(None).get(path).text

    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/') == 1


def test_pages_and_answers_are_not_kept_by_caches(client_of):
    for path in ("/", "/login", "/account", "/private/info/"):
        assert "no-store" in client_of("viewer").get(path).headers["Cache-Control"]
