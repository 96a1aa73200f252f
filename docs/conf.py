"""The documentation's build: `make docs` writes build/docs/index.html. A warning is an error."""

import runpy
from pathlib import Path

ABOUT = runpy.run_path(str(Path(__file__).parents[1] / "flowthings_like" / "about.py"))

project = "flowthings_like"
author = copyright = "the authors of flowthings_like"
release = version = ABOUT["VERSION"]

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_title = f"flowthings_like {release}"

# Links are checked as readers of the plain files see them: relative, from file to file.
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
source_suffix = {".md": "markdown"}

# Docstrings put names between single backticks.
default_role = "code"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
suppress_warnings = ["ref.python"]  # two families have a Client, and an annotation names no module
