"""The pages of the documentation, and the blocks of code in them."""

import re
import textwrap
from pathlib import Path

import pexpect

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md") if (ROOT / name).exists()),
    *sorted((ROOT / "docs").glob("**/*.md")),
]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|//) (\w[\w.]*\.(?:py|js))\n")
_PIP = re.compile(r"(?:\S+/)?pip install ")
_COLUMNS = re.compile(r" {2,}")
LANGUAGES = ("python", "console", "js")


def blocks(page, language):
    return [
        textwrap.dedent(body)
        for _, found, body in BLOCK.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


def files(page):
    """Return the blocks that begin with the name of a file, by that name."""
    return {
        found[1]: block
        for language in LANGUAGES
        for block in blocks(page, language)
        if (found := _FILE.match(block))
    }


def commands(text):
    """Split a console block into commands and what they are said to print."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        else:
            found[-1][1].append(line)
    return found


def steps(page):
    """Return what ``commands`` finds in all console blocks of a page."""
    return [step for block in blocks(page, "console") for step in commands(block)]


def matches(printed, shown):
    """Compare an output with the one in the docs, in which ``...`` stands for anything.

    How wide the columns of a table are is not compared: another row may need more.
    """
    printed, shown = (_COLUMNS.sub("  ", text.strip()) for text in (printed, shown))
    pattern = ".*?".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, printed, re.DOTALL)


def names(page):
    return str(page.relative_to(ROOT))


def play(typed, folder, environment, change=lambda command: command):
    """Type commands into a shell, and assert that each prints what it is said to print.

    Args:
        typed: what ``steps`` or ``commands`` returned.
        folder: where.
        environment: of the shell.
        change: what is typed in place of a command.
    """
    script = []
    for command, _ in typed:
        if not _PIP.match(command):  # it is installed: this is its test
            script.append(change(command))
        script.append("printf '\\n<<END>>\\n'")
    (folder / "script").write_text("\n".join(script))
    output, status = pexpect.run(
        "bash script",
        events={"Password: ?": "correct horse\n", "confirmation: ?": "correct horse\n"},
        cwd=str(folder),
        env=environment,
        timeout=120,
        withexitstatus=True,
    )
    assert status == 0, output.decode()
    outputs = output.decode().replace("\r\n", "\n").split("<<END>>\n")
    assert len(outputs) == len(typed) + 1
    for (command, shown), printed in zip(typed, outputs, strict=False):
        lines = _without_empty(printed.splitlines())
        assert matches(lines, _without_empty(shown)), f"$ {command}\n{lines}"


def _without_empty(lines):
    return "\n".join(line.rstrip() for line in lines if line.strip())
