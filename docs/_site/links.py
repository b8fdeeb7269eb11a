"""Links: files beside the docs that are pages of the site, names of settings, and references in docstrings."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[2]
BESIDE = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "reporting": "SECURITY.md",
}
"""What stands in the repository's root, where GitHub looks for it, by the page that shows it."""

_SETTING = re.compile(r"(PERMJWT_(?!TEST_)[A-Z_]*[A-Z])(?: = .+)?", re.DOTALL)
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)]+)\)")
_REFERENCE = re.compile(r"\[([\w.]+)\]\[(flask_permjwt\.[\w.]+)\]")


def _read(app: Sphinx, name: str, source: list[str]) -> None:  # noqa: ARG001  # Sphinx's signature
    if name in BESIDE:
        text = (ROOT / BESIDE[name]).read_text(encoding="utf-8")
        source[0] = _LINK.sub(_from_docs, text)
    for page, file in BESIDE.items():
        source[0] = re.sub(rf"\]\((?:\.\./)*{re.escape(file)}", f"]({_up(name)}{page}.md", source[0])


def _from_docs(link: re.Match[str]) -> str:
    """Write a link of a file in the root as one of a page in docs."""
    return f"]({link[1].removeprefix('docs/') if link[1].startswith('docs/') else '../' + link[1]})"


def _up(name: str) -> str:
    return "../" * name.count("/")


class SettingLinks(SphinxTransform):
    """Lead from the name of a setting to what is said of it; a name that is none fails the build."""

    default_priority = 5

    def apply(self, **_: object) -> None:
        """Put a reference in the place of each such literal."""
        for node in list(self.document.findall(nodes.literal)):
            found = _SETTING.fullmatch(node.astext())
            if found is None or isinstance(node.parent, nodes.reference | addnodes.pending_xref):
                continue
            reference = addnodes.pending_xref(
                "",
                node.deepcopy(),
                refdomain="std",
                reftype="confval",
                reftarget=found[1],
                refdoc=self.env.current_document.docname,
                refexplicit=True,
                refwarn=True,
            )
            node.replace_self(reference)


def _docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:  # noqa: ARG001  # Sphinx's signature
    if what in {"attribute", "data", "property"} and lines:
        # Napoleon takes what stands before the first colon for a type, and ours say theirs in annotations.
        lines[0] = f": {lines[0]}"
    lines[:] = [_REFERENCE.sub(r":py:obj:`\1 <\2>`", line) for line in lines]


def _root_may_change(app: Sphinx, env: object, added: set[str], changed: set[str], removed: set[str]) -> list[str]:  # noqa: ARG001  # Sphinx's signature
    """What these show is no file that Sphinx watches."""
    return list(BESIDE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _root_may_change)
    app.connect("autodoc-process-docstring", _docstring, priority=400)  # before Napoleon
    app.add_transform(SettingLinks)
    return {"parallel_read_safe": True}
