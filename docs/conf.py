"""How the documentation is built: ``make docs``."""

from importlib.metadata import version as installed

project = "derain-harness"
author = "The derain-harness authors"
version = release = installed("derain-harness")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = "derain-harness"
html_static_path = ["sample-report", "site.css"]
html_css_files = ["site.css"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "undoc-members": False}
suppress_warnings = ["myst.header", "ref.python"]
