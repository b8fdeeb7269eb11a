"""The navigation, from the lists of links on the first page: its headings and lists are the menu.

A page that no list names stands at the end of the how-to pages, so that none is ever left out.
"""

import re

from sphinx.application import Sphinx

_REST = "How-to"
_HEADING = re.compile(r"^## (.+)$")
_ENTRY = re.compile(r"^\* \[([^\]]+)\]\(([^)#]+)\.(?:md|rst)\)")


def menu(index: str) -> dict[str, list[tuple[str, str]]]:
    """Return the titles and names of the pages below each heading of the first page."""
    found: dict[str, list[tuple[str, str]]] = {}
    heading = ""
    for line in index.splitlines():
        if match := _HEADING.match(line):
            heading = match[1]
        elif match := _ENTRY.match(line):
            found.setdefault(heading, []).append((match[1], match[2]))
    return found


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    if name != app.config.root_doc:
        return
    pages = menu(source[0])
    listed = {page for entries in pages.values() for _, page in entries} | {name}
    pages[_REST] += [("", page) for page in sorted(app.env.found_docs - listed)]
    for heading, entries in pages.items():
        lines = "\n".join(f"{title} <{page}>" if title else page for title, page in entries)
        source[0] += f"\n:::{{toctree}}\n:hidden:\n:caption: {heading}\n\n{lines}\n:::\n"


def _menu_may_change(app: Sphinx, env: object, added: set[str], changed: set[str], removed: set[str]) -> list[str]:  # noqa: ARG001  # Sphinx's signature
    """A page that comes or goes changes the menu."""
    return [app.config.root_doc] if added or removed else []


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _menu_may_change)
    return {"parallel_read_safe": True}
