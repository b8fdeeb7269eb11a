"""The floors of the house: nothing imports upward, and pure floors import no framework."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "flask_permjwt"

FLOORS = [
    "errors",
    "oauth_errors",
    "signals",
    "settings",
    "policy",
    "tokens",
    "accounts",
    "mail",
    "providers",
    "web",
    "api",
    "openapi",
    "live",
    "cli",
    "testing",
    "signing",
    "shared",
    "assembly",
    "extension",
    "__init__",
]

FORBIDDEN = {
    "errors": {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "oauth_errors": {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "signals": {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "settings": {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "policy": {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "tokens": {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "marshmallow", "argon2"},
    "accounts": {"flask", "werkzeug", "jwt", "marshmallow"},
    "mail": {"sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "providers": {"sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2", "flask", "werkzeug"},
    "web": {"sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
    "api": {"sqlalchemy", "flask_sqlalchemy", "jwt", "argon2"},
    "openapi": {"sqlalchemy", "flask_sqlalchemy", "jwt", "argon2"},
    "live": {"sqlalchemy", "flask_sqlalchemy", "jwt", "marshmallow", "argon2"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upward(path):
    floor = FLOORS.index(floor_of(path))
    for name in imports(path):
        if name.startswith("flask_permjwt."):
            assert FLOORS.index(name.split(".")[1]) <= floor, f"{path} reaches up to {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_floor_knows_only_what_it_is_about(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & FORBIDDEN.get(floor_of(path), set())


def test_one_module_alone_calls_pyjwt():
    users = {
        str(path.relative_to(PACKAGE)) for path in MODULES if any(n.split(".")[0] == "jwt" for n in imports(path))
    }
    assert users == {"tokens/signatures.py", "tokens/issuers/signatures.py"}


def test_files_stay_small():
    long = {str(path): lines for path in MODULES if (lines := len(path.read_text().splitlines())) > 400}
    assert not long
