"""Every view in its three hosts, in Chromium: what is drawn, and what mouse, touch and keys do.

Frozen: a page as `rivalry freeze` writes it, opened from disk without a network.

Workbench: `rivalry open` in a process of its own. Its page, security policy, modules and answers are real;
the test puts the figures on the page, by the server's modules, as the workbench's own pages do.

Notebook: there is no Jupyter here. The widget is real, and so are its module and its style, which a page
loads as anywidget does (an imported blob, a style element). Jupyter's model and connection are stood in for:
as with Backbone, an equal value is no change, and what is saved goes to the widget in this process.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rivalry.living.bundle import VIEWS
from rivalry.living.figure import MOVED
from rivalry.living.page import frozen_page
from rivalry.living.widget import widget_of
from tests.living.javascript import MODULES
from tests.living.samples import every_figure

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
HOSTS = ("frozen", "workbench", "notebook")
DESK = {"viewport": {"width": 1400, "height": 900}}
PHONE = {"viewport": {"width": 400, "height": 850}, "has_touch": True, "color_scheme": "dark"}
NOTEBOOK = "http://notebook.test/"


class Opened:
    """A page with all figures in one host, and what went wrong on it."""

    def __init__(self, context: Any, allowed: str) -> None:
        self.page, self.faults = context.new_page(), list[str]()
        self.page.on(
            "console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "request",
            lambda r: None if r.url.startswith((allowed, f"blob:{allowed}")) else self.faults.append(r.url),
        )
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => console.error(`refused: ${e.blockedURI}`))"
        )

    def room(self, view: str) -> Any:
        """The drawn figure of a view; a notebook shows one at a time."""
        choice = self.page.locator("#cell > .rv > label > select")
        if choice.count():
            choice.select_option(str(VIEWS.index(view)))
            found = self.page.locator("#cell > [role=figure]")
        else:
            found = self.page.locator(f"[data-figure='{VIEWS.index(view)}']")
        self.page.wait_for_selector(f"[role=figure][aria-label='{TITLES[view]}'][data-ready=true]")
        return found


TITLES: dict[str, str] = {}


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    found = every_figure(tmp_path_factory.mktemp("figures"))
    assert tuple(one.view for one in found) == VIEWS
    TITLES.update({one.view: one.title for one in found})
    return found


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a workbench in an empty folder."""
    for name in ("fastapi", "uvicorn", "tomlkit"):
        pytest.importorskip(name)
    command = [sys.executable, "-m", "rivalry", "open", "--port", "0", "--no-browser", "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("bench"), stdout=subprocess.PIPE, text=True
    )
    yield json.loads(process.stdout.readline())["url"]
    process.send_signal(signal.SIGINT)
    process.wait(15)
    process.stdout.close()


MOUNT = """async (figures) => {
  const { Model, mount } = await import("/static/living/host.js");
  const { ask, follower } = await import("/static/api.js");
  const games = { triangle: ["matrix", { name: "rock_paper_scissors" }] };
  const room = document.getElementById("page");
  for (const { state, ...figure } of figures) {
    const view = (await import(`/static/living/views/${figure.view}.js`)).default;
    const box = document.createElement("div");
    box.dataset.figure = room.childElementCount;
    room.append(box);
    const [family, parameters] = games[figure.view] ?? [];
    const answer = (state) => ask(`/api/games/${family}/answer`, { parameters, state });
    const follow = family && follower(answer, document.createElement("div"));
    mount(box, view, new Model({ figure, state, host: "workbench" }, follow));
  }
}"""

CELL = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notebook</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'">
</head><body><main id="cell"></main></body></html>"""

RENDER = """async ([esm, css, values]) => {
  const calls = {};
  let dirty = {};
  const take = (changes) => {
    const differs = (key) => JSON.stringify(values[key]) !== JSON.stringify(changes[key]);
    const keys = Object.keys(changes).filter(differs);
    for (const key of keys) values[key] = changes[key];
    for (const key of keys) for (const f of [...(calls[`change:${key}`] ?? [])]) f();
  };
  const model = {
    get: (key) => values[key],
    set(key, value) { dirty[key] = value; take({ [key]: value }); },
    save_changes() { const sent = dirty; dirty = {}; python(sent).then(take); },
    on(event, f) { calls[event] = [...(calls[event] ?? []), f]; },
    off(event, f) { calls[event] = (calls[event] ?? []).filter((one) => one !== f); },
  };
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  URL.revokeObjectURL(url);
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  await widget.initialize?.({ model });
  await widget.render({ model, el: document.getElementById("cell") });
}"""


def told_by(widget: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what takes saved values to a widget, and returns those that the widget then sets itself."""
    changed: dict[str, Any] = {}
    widget.observe(lambda change: changed.update({change["name"]: change["new"]}))

    def save(sent: dict[str, Any]) -> dict[str, Any]:
        changed.clear()
        for name, value in sent.items():
            setattr(widget, name, value)
        return {name: value for name, value in changed.items() if name not in sent or value != sent[name]}

    return save


@pytest.fixture(scope="module")
def opened(
    browser: Any, figures: list[Any], tmp_path_factory: pytest.TempPathFactory, request: Any
) -> Iterator[Callable[[str, bool], Opened]]:
    """Open the page of a host at a desk or on a phone; each is opened once."""
    known: dict[tuple[str, bool], Opened] = {}
    path = tmp_path_factory.mktemp("frozen") / "page.html"
    path.write_text(frozen_page("All views", [], figures, []), encoding="utf-8")
    content = [{**one.content, "state": one.state} for one in figures]

    def open_one(host: str, phone: bool) -> Opened:
        if (host, phone) in known:
            return known[host, phone]
        context = browser.new_context(**(PHONE if phone else DESK), offline=host == "frozen")
        if host == "frozen":
            found = Opened(context, path.as_uri())
            found.page.goto(path.as_uri())
        elif host == "workbench":
            address = request.getfixturevalue("workbench")
            found = Opened(context, address.partition("?")[0])
            entered = [one.page.context for (other, _), one in known.items() if other == host]
            if entered:  # the token of the address is taken once
                context.add_cookies(entered[0].cookies())
            else:
                found.page.goto(address)
            found.page.goto(f"{address.partition('?')[0]}compare")
            found.page.wait_for_selector("#page[data-ready]")
            found.page.evaluate("document.getElementById('page').replaceChildren()")
            found.page.evaluate(MOUNT, content)
        else:
            pytest.importorskip("anywidget")
            widget = widget_of(figures)
            found = Opened(context, NOTEBOOK)
            found.page.route(NOTEBOOK, lambda route: route.fulfill(body=CELL, content_type="text/html"))
            found.page.expose_function("python", told_by(widget))
            found.page.goto(NOTEBOOK)
            keys = ("titles", "chosen", "figure", "state", "current", "answer", "host")
            values = {key: getattr(widget, key) for key in keys}
            found.page.evaluate(RENDER, [widget._esm, widget._css, values])
        known[host, phone] = found
        return found

    yield open_one
    for one in known.values():
        one.page.context.close()


def centre(node: Any) -> tuple[float, float]:
    node.scroll_into_view_if_needed()
    # a touch goes to what the last frame showed at its place, and that may be from before the page scrolled
    node.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    box = node.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Any, node: Any, up: float) -> None:
    x, y = centre(node)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - up / 2, y - up, steps=2)
    page.mouse.up()


def touch(page: Any, node: Any, up: float) -> None:
    x, y = centre(node)
    session = page.context.new_cdp_session(page)
    for kind, part in (("touchStart", 0), ("touchMove", 0.5), ("touchMove", 1)):
        points = [{"x": x - part * up / 2, "y": y - part * up}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


TYPED = {
    "line": ("0.3", "0.3"),
    "triangle": ("0.2, 0.3, 0.5", "rock 0.2, paper 0.3, scissors 0.5"),
    "responses": ("30 25", "player 0 30, player 1 25"),
    "branches": ("0.7", "0.7"),
    "impulse": ("2", "2"),
}
"""What is typed into the first handle of a view, and what its value then is."""


def has_handles(host: str, view: str) -> bool:
    """True if a person moves something in the view; players only where Python computes what they earn."""
    return view in TYPED and not (host == "frozen" and view in MOVED)


def use_handle(page: Any, room: Any, view: str, move: Callable[[Any, Any, float], None]) -> None:
    """Drag the first handle to two places."""
    knob = room.locator(".rv-handle").first
    values = []
    for up in (40, -80):
        move(page, knob.locator(".rv-knob"), 4 * up if view == "impulse" else up)
        values.append(knob.get_attribute("aria-valuetext"))
    assert len(set(values)) > 1, values


def type_into_handle(page: Any, room: Any, view: str) -> None:
    knob = room.locator(".rv-handle").first
    knob.focus()
    values = [knob.get_attribute("aria-valuetext")]
    for key in ("ArrowUp", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
        values.append(knob.get_attribute("aria-valuetext"))
    assert len(set(values)) > 1, values
    page.keyboard.press("Enter")
    page.keyboard.type(TYPED[view][0])
    page.keyboard.press("Enter")
    assert room.locator(".rv-type").count() == 0
    assert knob.get_attribute("aria-valuetext") == TYPED[view][1]


def use_others(page: Any, room: Any, view: str, press: Callable[[Any], None]) -> None:
    """Press and move what the views without handles have."""
    if view == "policy":
        room.locator("input[type=range]").last.focus()
        page.keyboard.press("End")
        assert "bids 2 with probability 1" in room.inner_text()  # half of 4
        press(room.locator(".rv-svg").first)
        assert "With 2 karma" in room.inner_text()
    elif view == "streets":
        button = room.get_by_role("button", name="unlucky (agent 7)")
        room.get_by_label("Colour").select_option(label="queue (agents refused per step)")
        assert "agents refused per step" in room.locator(".rv-row.rv-note").inner_text()
        press(button)
        assert button.get_attribute("aria-pressed") == "true"
        room.locator("input[type=range]").focus()
        page.keyboard.press("ArrowRight")
        assert "Position 2 of 2: lane b>c" in room.inner_text()
        room.get_by_role("button", name="a>b").focus()
        page.keyboard.press("Enter")
        assert "Lane a>b" in room.inner_text()
        press(button)
    elif view == "sweep":
        detail = room.locator(".rv-side .rv-card")
        room.locator(".rv-cells").focus()
        page.keyboard.press("Home")
        first = detail.inner_text()
        page.keyboard.press("ArrowRight")
        assert detail.inner_text() != first
        page.keyboard.press("Enter")
        press(room.locator(".rv-cells"))
        assert "reach 0" in detail.inner_text()
        room.get_by_label("Colour").select_option("value threshold")
        assert room.locator(".rv-legend .rv-scale").count() == 1
    else:
        row = room.locator(".rv-reference").first
        press(row.locator("summary"))
        assert row.get_attribute("open") is not None
        row.locator("summary").focus()
        page.keyboard.press("Enter")
        assert row.get_attribute("open") is None


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("host", HOSTS)
def test_mouse_and_keys_move_every_view(opened: Any, figures: list[Any], host: str, view: str) -> None:
    one = opened(host, False)
    page, room = one.page, one.room(view)
    note = page.locator(f"#{room.get_attribute('aria-describedby')}")
    assert note.text_content() == figures[VIEWS.index(view)].text
    if has_handles(host, view):
        use_handle(page, room, view, drag)
        type_into_handle(page, room, view)
    elif view not in TYPED:
        use_others(page, room, view, lambda node: page.mouse.click(*centre(node)))
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert one.faults == []


DARK = """(room) => {
  const light = ["rgb(255, 255, 255)", "rgb(43, 47, 54)", "rgb(0, 114, 178)"]; // paper, ink, the first player
  const drawn = [...room.querySelectorAll("svg *")].flatMap((node) => {
    const { fill, stroke } = getComputedStyle(node);
    return [fill, stroke];
  });
  const white = [...room.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width || 1, canvas.height || 1);
    let count = 0;
    for (let k = 0; k < data.length; k += 4) {
      if (data[k + 3] > 200 && Math.min(data[k], data[k + 1], data[k + 2]) > 235) count++;
    }
    return count;
  });
  const [r, g, b] = getComputedStyle(room).backgroundColor.match(/\\d+/g).map(Number);
  return { light: drawn.filter((colour) => light.includes(colour)), white, paper: r + g + b };
}"""

BEYOND = """(room) => [...room.querySelectorAll("*")].filter((node) => {
  const { right, width } = node.getBoundingClientRect();
  const end = room.getBoundingClientRect().right;
  return width > 1 && right > end + 1 && !node.closest("svg, .rv-hidden, .rv-command");
}).map((node) => `${node.tagName} ${node.className} ${node.textContent.slice(0, 60)}`)"""


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("host", HOSTS)
def test_every_view_is_dark_narrow_and_touched(opened: Any, host: str, view: str) -> None:
    one = opened(host, True)
    page, room = one.page, one.room(view)
    drawn = room.evaluate(DARK)
    assert drawn["light"] == []
    assert not any(drawn["white"])
    assert drawn["paper"] < 200
    if has_handles(host, view):
        use_handle(page, room, view, touch)
    elif view not in TYPED:
        use_others(page, room, view, lambda node: page.touchscreen.tap(*centre(node)))
    controls = room.locator(".rv-button, select, summary")
    sizes = controls.evaluate_all("(all) => all.map((one) => one.offsetHeight)")
    assert min((size for size in sizes if size), default=44) >= 44
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if host == "frozen":  # the same style in all hosts
        page.set_viewport_size({"width": 320, "height": 700})
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        beyond = room.evaluate(BEYOND)
        page.set_viewport_size(PHONE["viewport"])
        assert beyond == []
    assert one.faults == []


@pytest.mark.parametrize("host", ["workbench", "notebook"])
def test_the_claim_of_a_live_host_comes_from_python(opened: Any, host: str) -> None:
    """A third each is the equilibrium of rock, paper, scissors."""
    one = opened(host, False)
    room = one.room("triangle")
    questions: list[Any] = []
    answers = "**/api/games/*/answer"

    def delay_the_first(route: Any) -> None:
        questions.append(route)
        if len(questions) > 1:
            route.continue_()

    one.page.route(answers, delay_the_first)
    room.get_by_role("button", name="Reset").click()
    for knob in room.locator(".rv-handle").all():
        knob.focus()
        one.page.keyboard.press("Enter")
        one.page.keyboard.type("1, 1, 1")
        one.page.keyboard.press("Enter")
    if host == "workbench":  # what was set since the question is asked together
        assert len(questions) == 1
        questions[0].continue_()
    word = room.locator(".rv-claim-word", has_text="quilibrium")
    word.wait_for(timeout=90_000)  # the process that answers begins with the first question
    assert "at most" in room.locator(".rv-claim").inner_text()
    assert len(questions) == (2 if host == "workbench" else 0)
    one.page.unroute(answers)
    assert one.faults == []


@pytest.mark.parametrize("phone", [False, True])
def test_pages_of_all_views_are_accessible(opened: Any, phone: bool) -> None:
    script = MODULES / "axe-core" / "axe.min.js"
    if not script.exists():
        pytest.skip("needs axe-core below NODE_PATH")
    page = opened("frozen", phone).page
    page.evaluate(script.read_text())
    found = page.evaluate("axe.run().then((found) => found.violations)")
    kept = [one for one in found if one["impact"] in ("serious", "critical") or "landmark" in one["id"]]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in kept] == []
