"""The site: Sphinx, with the theme Furo, from the same Markdown that GitHub shows.

Sphinx and not MkDocs: it reads our docstrings as they are written, checks every reference among them and between
pages, and fails on what leads nowhere. Furo brings no font, script or style from elsewhere: the site works from a
folder, without a network, and tells nobody who reads it.
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_site"))

project = "flask_permjwt"
version = release = version_of("flask-permjwt")
copyright = "the authors of flask_permjwt"  # noqa: A001  # Sphinx's name for it

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "navigation",
    "generated",
    "links",
]
root_doc = "index"
exclude_patterns = ["_site", "_build", "examples"]
myst_enable_extensions = ["colon_fence", "attrs_block"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
autodoc_default_options = {"exclude-members": "__new__, __init__"}
napoleon_numpy_docstring = False
# What of ours is referred to must be there. Other projects' names are not looked up, which needs a network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!flask_permjwt\.)[\w.\[\]]+"),
    ("py:class", r"flask_permjwt\.(accounts|api|policy|testing|tokens|web)\..*"),  # types of ours in annotations
]

html_theme = "furo"
html_title = "flask_permjwt"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "github-dark"
# Commands are copied without their prompts and without what they print.
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
