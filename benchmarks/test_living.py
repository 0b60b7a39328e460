"""Living figures in Chromium: how long a figure takes to follow a dragged player.

The rival is a frame at 60 Hz, 16 ms: a longer update is seen as a jerk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import size
from tests.living.javascript import CHROMIUM
from tests.living.pages import serve

FRAMES = size(30, 2)
DRAG = """(frames) => {
  const { profile, ...rest } = model.get("state");
  for (let k = 0; k < frames; k++) {
    const moved = profile.map((own, i) => (i ? own : own.map((x) => x * (0.9 + (0.1 * k) / frames))));
    model.set("state", { ...rest, parameters: {}, profile: moved, settled: false });
    model.save_changes();
    document.body.getBoundingClientRect();  // the layout belongs to the frame
  }
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as play:
        one = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.mark.parametrize("view", ["line", "responses"])
def test_living_figure(race: Callable[..., Any], browser: Any, view: str) -> None:
    import rivalry as rv
    from rivalry.living import line, responses

    if view == "line":  # three players, each at 401 places, 100 resource points
        profile = [[0.2], [0.5], [0.75]]
        found = line.view_of(
            rv.games.influencer(reach=[0.1, 0.15, 0.2], resource="bimodal"), np.array(profile)
        )
    else:
        profile = [[30.0], [20.0]]
        found = responses.view_of(rv.games.market(unit_cost=[10.0, 20.0]), np.array(profile))
    assert found is not None
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    serve(page, found, view, state={"profile": profile, "parameters": {}, "settled": True})
    race(
        lambda: page.evaluate(DRAG, FRAMES),
        lambda: time.sleep(0.016 * FRAMES),
        rival="a frame at 60 Hz",
        same=None,
        clock="wall",
        items=FRAMES,
        target=1.0,
    )
