from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.requirements import all_of

CASES = [
    (["model:predict"], "model:predict", True),
    (["model:read"], "model:predict", False),
    (["*"], "model:predict", True),
    (["model:*"], "model:predict", True),
    (["model:*"], "model", False),
    (["*:read"], "model:read", True),
    (["*:read"], "a:b:read", False),
    (["a:*:c"], "a:b:c", True),
    (["a:*:c"], "a:b:d", False),
    (["a:*"], "a:b:c", True),
    (["model:predict:more"], "model:predict", False),
    (["other:*", "model:*"], "model:predict", True),
    ([], "model:predict", False),
]


def test_the_page_reads_grants_as_the_server_does(open_page):
    page = open_page()
    page.goto("/login")
    on_the_page = page.evaluate(
        """async (cases) => {
            const { covers } = await import("/static/permissions.js");
            return cases.map(([grants, permission]) => covers(grants, permission));
        }""",
        CASES,
    )

    assert on_the_page == [expected for _, _, expected in CASES]
    on_the_server = [all_of(permission).met_by(Grants(grants), {}) for grants, permission, _ in CASES]
    assert on_the_server == on_the_page
