"""Mathematics as MathML, converted when the pages are built: browsers draw it without a script."""

from typing import Any

from docutils.nodes import SkipNode
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging

_converter = LatexToMathML()
_log = logging.getLogger(__name__)


def _append(translator: Any, node: Any, *, display: bool) -> None:
    try:
        translator.body.append(_converter.convert_with_local_state(node.astext(), displaystyle=display))
    except LatexError as error:
        _log.warning("formula %r: %s", node.astext(), error, location=node)


def _visit_inline(translator: Any, node: Any) -> None:
    _append(translator, node, display=False)
    raise SkipNode


def _visit_block(translator: Any, node: Any) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    _append(translator, node, display=True)
    translator.body.append("</div>\n")
    raise SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
