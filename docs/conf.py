"""How the documentation is built: MyST pages with stored outputs, errors and warnings fatal."""

import sys as _sys
from importlib.metadata import version as _version
from pathlib import Path as _Path

_sys.path.insert(0, str(_Path(__file__).parent))

project = "rivalry"
author = "The rivalry developers"
copyright = "2026, The rivalry developers"
release = version = _version("rivalry")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "offline", "reference_pages"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "rivalry"
html_static_path = ["style"]
html_css_files = ["pages.css"]
html_js_files = ["copy.js"]
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
# execute.py fills in outputs, so that MyST-NB itself has nothing to execute
nb_custom_formats = {".md": ["execute.read_page", {}, False]}
nb_execution_mode = "off"
nb_merge_streams = True

default_role = "code"
add_module_names = False
autodoc_typehints = "signature"
autodoc_default_options = {"member-order": "bysource"}
