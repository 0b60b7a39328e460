"""How the documentation is built: MyST pages, their code cells executed, errors and warnings fatal."""

import os as _os
from importlib.metadata import version as _version
from pathlib import Path as _Path

# pages are executed in a folder of their own, and find the files they show by this
_os.environ["RIVALRY_DOCS"] = str(_Path(__file__).parent)

project = "rivalry"
author = "The rivalry developers"
copyright = "2026, The rivalry developers"
release = version = _version("rivalry")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "rivalry"

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_execution_in_temp = True
nb_merge_streams = True

default_role = "code"
add_module_names = False
autosummary_generate = True
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "member-order": "bysource"}
