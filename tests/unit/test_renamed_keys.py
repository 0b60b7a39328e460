"""Former names of keys and kinds are refused with their present names, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rivalry as rv
from rivalry.core.validate import RENAMED
from rivalry.lab.study.errors import StudyError

STUDY = """
title = "Bids"
question = "How much do agents bid?"
[game]
family = "karma"
{game}
[[method]]
{method}
"""


@pytest.mark.parametrize(
    ("given", "now"),
    [
        ({"kbar": 1.0}, "mean_karma"),
        ({"kmax": 4}, "max_karma"),
    ],
)
@pytest.mark.parametrize("family", ["karma", "city"])
def test_factories_name_the_present_key(family: str, given: dict[str, Any], now: str) -> None:
    (old,) = given
    with pytest.raises(ValueError, match=f"^{old}: is no argument of {family}; it is now called '{now}'$"):
        getattr(rv.games, family)(**given)


@pytest.mark.parametrize("key", ["urgency", "trip"])
def test_cities_name_the_present_distributions(key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}_law: .*; it is now called '{key}_distribution'$"):
        rv.games.city(**{f"{key}_law": [0.5, 0.5]})  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=rf"types\[0\]\.{key}_law: .*; it is now called '{key}_distribution'"
    ):
        rv.games.city(types=[{f"{key}_law": [0.5, 0.5]}])


def test_plots_name_the_present_kind() -> None:
    with pytest.raises(AttributeError, match=r"bid_law is now rivalry\.plots\.bid_distribution\(\)$"):
        _ = rv.plots.bid_law


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "method", "key", "now"),
    [
        ("kbar = 1.0", 'kind = "newton"', "game.kbar", "mean_karma"),
        ("", 'kind = "newton"\neps = 0.1', "method.newton.eps", "exploration"),
        ("", 'kind = "q_learning"\nq0 = 0.1', "method.q_learning.q0", "initial_q"),
        ("", 'kind = "q_learning"\np_update = 0.1', "method.q_learning.p_update", "update_probability"),
        ("", 'kind = "q_learning"\nkeep = true', "method.q_learning.keep", "store_tables"),
        ("", 'kind = "q_learning"\ncarry_on = "a.npz"', "method.q_learning.carry_on", "resume_from"),
        ("", 'kind = "design"\ninner = { kind = "newton" }', "method.design.inner", "response_method"),
        ("", 'kind = "omd"', "method.omd.kind", "online_mirror_descent"),
        ("", 'kind = "mirror"', "method.mirror.kind", "mirror_ascent"),
        ("", 'kind = "smoothing"', "method.smoothing.kind", "damped_fixed_point"),
        ("", 'kind = "theory"', "method.theory.kind", "analytic_constants"),
        ("", 'kind = "newton"\n[sweep]\n"game.kmax" = [2, 4]', "game.kmax", "max_karma"),
    ],
)
def test_studies_name_the_present_key(tmp_path: Path, game: str, method: str, key: str, now: str) -> None:
    (tmp_path / "bids.toml").write_text(STUDY.format(game=game, method=method))
    with pytest.raises(StudyError) as found:
        rv.load_study(tmp_path / "bids.toml").check()
    words = str(found.value)
    assert key in words
    assert f"it is now called '{now}'" in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('kind = "given"', "evaluate"),
        ('kind = "plan_options"', "commitment_with_switching_cost"),
        ('kind = "q_learning"\nplaces = 5', "action_grid"),
        ('kind = "double_oracle"\nenough = 1e-6', "gain_tolerance"),
        ('kind = "double_oracle"\nmost = 8', "max_atoms"),
        ('kind = "hedge"\nplaces = { kind = "log", from = 1.0, to = 2.0, count = 3 }', "action_grid"),
        ('kind = "repeated_q_learning"\ncap = 5', "max_periods"),
        ('kind = "repeated_q_learning"\nperiods = 5\nlast = 5', "average_last"),
        ('kind = "repeated_q_learning"\nnotes = 5', "checkpoints"),
        ('kind = "repeated_q_learning"\ncontrols = false', "negative_controls"),
    ],
)
def test_methods_name_the_present_key(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / "play.toml").write_text(f'[game]\nfamily = "matrix"\nname = "chicken"\n[[method]]\n{table}\n')
    with pytest.raises(StudyError) as found:
        rv.load_study(tmp_path / "play.toml").check()
    assert f"it is now called '{words}'" in str(found.value)


def test_present_names_are_not_former_ones() -> None:
    assert not set(RENAMED.values()) & set(RENAMED)
