"""Sphinx' settings; `nox -s docs` builds the site."""

import sys
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from docs.reference import ROOMS

project = "veridecode"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
nitpick_ignore_regex = [("py:class", r".*\.[A-Z]")]  # type variables
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4  # the anchors of headings, as a forge makes them

# Docstrings: numpydoc sections, and `code` in single backticks.
default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
napoleon_google_docstring = False
napoleon_custom_sections = [
    (section, "params_style") for section in ("Members", "Inside (for proofs)")
]


def keep_own_names(app: Sphinx, doctree: nodes.document) -> None:
    """Link Python names of this repository only, and complete short ones.

    A short name is looked up in the module that mentions it. A name of another library, as in most
    type hints, stays text: its documentation is elsewhere.
    """
    for reference in list(doctree.findall(pending_xref)):
        if reference["refdomain"] != "py" or reference["reftype"] == "mod":
            continue
        module = sys.modules.get(reference.get("py:module") or "")
        full = _full_name(module, reference["reftarget"])
        if full.partition(".")[0] in ROOMS:
            reference["reftarget"] = full
        else:
            reference.replace_self(reference.children)


def _full_name(module: Any, name: str) -> str:
    """`name` with the module that defines it, if `module` knows it under that name."""
    known = getattr(module, name, None)
    origin = getattr(known, "__module__", None)
    return f"{origin}.{known.__qualname__}" if isinstance(known, type) and origin else name


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", keep_own_names)
