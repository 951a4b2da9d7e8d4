"""Sphinx' settings; `nox -s docs` builds the site."""

import inspect
import sys
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

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


def signature_of_init(
    app: Sphinx, what: str, name: str, it: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """The parameters of a component; those of Amaranth's `__new__` say nothing of it."""
    if what != "class" or not (signature or "").startswith("(*args, src_loc_at"):
        return None
    own = inspect.signature(it.__init__)
    parameters = list(own.parameters.values())[1:]
    return stringify_signature(own.replace(parameters=parameters), unqualified_typehints=True), ""


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", signature_of_init)
    app.connect("doctree-read", keep_own_names)
