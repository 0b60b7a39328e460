"""Films of runs: the drawings of a plot at steps of the path."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text
from PIL import Image

import rivalry as rv


@pytest.fixture(scope="module")
def run() -> rv.Solution:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    return rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.8])


@pytest.mark.parametrize("kind", ["influence", "shares"])
def test_the_last_drawing_is_the_plot_of_the_solution(run: rv.Solution, kind: str) -> None:
    *earlier, last = rv.plots.film(run, kind, count=4).drawings
    chart = getattr(rv.plots, kind)
    for mark, expected in zip(last.marks, chart.marks_of(run).marks, strict=True):
        np.testing.assert_allclose(mark.y, expected.y, rtol=1e-12)
        assert (mark.label, mark.hollow) == (expected.label, expected.hollow)
    assert all(any(mark.hollow for mark in drawing.marks) for drawing in earlier)


def test_players_move_equally_far_between_drawings(run: rv.Solution) -> None:
    film = rv.plots.film(run, "paths", count=5)
    ends = np.array([drawing.marks[0].y[-1] for drawing in film.drawings])
    moved = np.abs(np.diff(ends, axis=0)).sum(axis=1)[:4]
    # a step of the path is the resolution
    largest_step = np.abs(np.diff(run.data.path.values, axis=0)).sum(axis=(1, 2)).max()
    np.testing.assert_allclose(moved, moved.mean(), atol=2 * largest_step)
    assert film.steps[0] == 0
    assert film.steps[-1] == run.steps


def test_all_drawings_have_equal_limits(run: rv.Solution) -> None:
    film = rv.plots.film(run, "influence", count=3)
    assert len({drawing.frames[0].y_limits for drawing in film.drawings}) == 1
    figure = film.panels()
    written = {text.get_text() for text in figure.findobj(Text)}
    assert {f"step {k:g}" for k in film.steps} <= written
    plt.close(figure)


def test_a_file_holds_every_drawing(run: rv.Solution, tmp_path: Path) -> None:
    film = rv.plots.film(run, "shares", count=3)
    with Image.open(film.save(tmp_path / "shares.gif")) as image:
        assert image.n_frames == len(film.steps)
    assert "<img" in film.save(tmp_path / "shares.html").read_text()
    with pytest.raises(ValueError, match=r"^path: '.txt'"):
        film.save(tmp_path / "shares.txt")
    assert not plt.get_fignums()


def test_what_has_no_film_is_refused(run: rv.Solution) -> None:
    with pytest.raises(ValueError, match=r"^solution: must be a result with a path"):
        rv.plots.film(dataclasses.replace(run, record={}))
    with pytest.raises(ValueError, match=r"^kind: 'heat'"):
        rv.plots.film(run, "heat")
