"""Tables of a report on a narrow screen: the last column is seen without a swipe."""

from importlib.resources import files
from typing import Any

import pytest

COLUMNS = ["exploration", "strategies", "payoff, player 0", "payoff, player 1", "largest gain"]
ROW = ["0.05", "(cooperate 0.0272 ± 0.0041, defect 0.9728 ± 0.0041), …", *["1.065 ± 0.012"] * 3]


@pytest.mark.slow
def test_a_table_of_learners_fits_into_a_narrow_screen(browser: Any) -> None:
    style = (files("rivalry.lab.report") / "page.css").read_text(encoding="utf-8")
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(f"<td>{text}</td>" for text in ROW)
    table = f'<table class="results"><thead><tr>{head}</tr></thead><tbody><tr>{body}</tr></tbody></table>'
    page = browser.new_page(viewport={"width": 400, "height": 700})
    page.set_content(f'<style>{style}</style><main><div class="wide">{table}</div></main>')
    last = page.locator("th").last.bounding_box()
    page.close()
    assert last["x"] + last["width"] <= 400
