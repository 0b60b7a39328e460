"""A page with one view in Chromium, for tests: a small model, and modules served from the package."""

import json
import mimetypes
from typing import Any

from tests.living.javascript import STATIC

ORIGIN = "http://figure.test"

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Figure</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/style.css"></head><body class="page"><main><div id="view"></div></main>
<script type="module" src="/page.js"></script></body></html>"""

SCRIPT = """
import view from "/views/VIEW.js";
const values = GIVEN;
const listeners = new Map();
let dirty = [];
const model = {
  get: (key) => values[key],
  set(key, value) { values[key] = value; dirty.push(key); },
  save_changes() {
    const now = dirty;
    dirty = [];
    for (const key of now) for (const f of listeners.get("change:" + key) ?? []) f();
  },
  on(event, f) { listeners.set(event, [...(listeners.get(event) ?? []), f]); },
  off(event, f) { listeners.set(event, (listeners.get(event) ?? []).filter((one) => one !== f)); },
};
globalThis.model = model;
globalThis.answer = (value) => { model.set("answer", value); model.save_changes(); };
globalThis.close_view = view.render({ model, el: document.getElementById("view") });
"""


def serve(page: Any, found: tuple[str, str, dict[str, Any]], view: str, **values: Any) -> Any:
    """Open a view on a page of its own and wait until it is drawn; return the page."""
    title, text, data = found
    figure = {"view": view, "title": title, "text": text, "data": data}
    given = {"figure": figure, "state": {}, "answer": None, "host": "workbench", **values}
    script = SCRIPT.replace("VIEW", view).replace("GIVEN", json.dumps(given))

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            headers = {"content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'"}
            route.fulfill(body=PAGE, content_type="text/html", headers=headers)
        elif path == "/page.js":
            route.fulfill(body=script, content_type="text/javascript")
        elif (STATIC / path[1:]).is_file():
            kind = mimetypes.guess_type(path)[0] or "text/plain"
            route.fulfill(body=(STATIC / path[1:]).read_text(), content_type=kind)
        else:
            route.fulfill(status=404 if path != "/favicon.ico" else 204)

    page.unroute_all()
    page.route("**/*", answer)
    page.goto(f"{ORIGIN}/")
    page.wait_for_selector("#view[data-ready=true]", timeout=10_000)
    return page
