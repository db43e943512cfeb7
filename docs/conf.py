"""Sphinx builds the guide and the reference with this: ``make docs``.

The pages are plain Markdown, written to be read in the repository as well. So the navigation is not
written into them: it is made of the lists of links in index.md, a part for each heading there.
"""

import re

import sk_imbalance_nn

project = "sk_imbalance_nn"
author = "The sk_imbalance_nn developers"
copyright = author
version = release = sk_imbalance_nn.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
html_show_sourcelink = False

myst_heading_anchors = 4
smartquotes = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# Single backticks in docstrings: a link where the name is an object that has a page.
default_role = "py:obj"


def add_navigation(app, docname, source):
    """Turn the lists of links in index.md into the trees that Sphinx navigates by."""
    if docname != "index":
        return
    parts = re.split(r"^## (.+)$", source[0], flags=re.MULTILINE)
    for caption, text in zip(parts[1::2], parts[2::2], strict=True):
        pages = re.findall(r"\]\(([\w/]+)\.md\)", text)
        options = f":hidden:\n:caption: {caption}\n"
        source[0] += "\n".join(["\n```{toctree}", options, *pages, "```\n"])


def skip_inherited(app, what, name, value, skip, options):
    """Leave out what scikit-learn and Keras define, and document."""
    home = getattr(value, "fget", None) or value
    module = getattr(home, "__module__", None) or ""
    return skip or not module.startswith(f"{sk_imbalance_nn.__name__}.")


def escape_types(app, what, name, value, options, lines):
    """Keep ``(n_features_in_,)`` in the type of an attribute from being read as a link."""
    for i, line in enumerate(lines):
        if re.match(r"\w+ : ", line):
            names, kind = line.split(" : ", 1)
            lines[i] = f"{names} : " + re.sub(r"(?<=\w)_(?!\w)", r"\\_", kind)


def leave_names_that_are_no_objects(app, env, node, contnode):
    """Print parameters, fitted attributes and others' names in single backticks as code.

    A name of this package that leads nowhere stays an error.
    """
    own = node.get("reftarget", "").startswith(sk_imbalance_nn.__name__)
    return contnode if node.get("reftype") == "obj" and not own else None


def setup(app):
    """Connect the functions above."""
    app.connect("source-read", add_navigation)
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("autodoc-process-docstring", escape_types, priority=100)  # before numpydoc
    app.connect("missing-reference", leave_names_that_are_no_objects)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
