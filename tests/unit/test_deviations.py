"""Deviations from limit cycles, against simulated play with full histories and known punishments."""

from typing import Any

import numpy as np
import pytest

from rivalry.tables.history import limit_cycles, whole_states
from rivalry.tables.one_deviation import deviations, static_best_response
from rivalry.tables.response_gaps import response_values
from tests.histories import CERTAIN, GAMES, drawn_policies, one_round, past_of
from tests.unit.test_history import dilemma

GAMMA, HORIZON, LONG, SESSIONS = 0.8, 7, 120, 3
EACH = [(name, player) for name in CERTAIN for player in range(len(GAMES[name].sizes))]
GRIM = [[[0, 1, 1, 1]] * 2]


def best_now(tables: Any, policy: Any, player: int, past: Any, row: int, nature: int) -> int:
    """Return the static best response, or the prescribed action if no other is better."""
    pays = [
        one_round(tables, policy, past, row, nature, {player: a})[0][player]
        for a in range(int(tables.sizes[player]))
    ]
    stays, follows = one_round(tables, policy, past, row, nature)
    own: int = follows[0][1][0][player]
    return int(np.argmax(pays)) if max(pays) > stays[player] + 1e-9 else own


def played(tables: Any, policy: Any, player: int, begin: Any, action: Any, periods: int) -> Any:
    """Return joint actions and payoffs of ``LONG`` rounds, and the history after each."""
    (past, row, nature), stood, paid, after = begin, [], [], []
    for _ in range(LONG):
        forced = {}
        if periods > 0 and player in tables.order[row].tolist():
            chosen = (
                best_now(tables, policy, player, past, row, nature) if action == "static_best" else action
            )
            forced, periods = {player: chosen}, periods - 1
        pays, [(_, past, row, nature)] = one_round(tables, policy, past, row, nature, forced)
        stood.append(past[0][: len(tables.sizes)])
        paid.append(pays)
        after.append((past, row, nature))
    return np.array(stood), np.array(paid), after


@pytest.mark.slow
@pytest.mark.parametrize(("action", "periods"), [("static_best", 1), ("static_best", 3), (1, 2)])
@pytest.mark.parametrize(("name", "player"), EACH)
def test_deviations_agree_with_simulated_play(name: str, player: int, action: Any, periods: int) -> None:
    tables, draw = GAMES[name], np.random.default_rng(10)
    whole, policies = whole_states(tables), drawn_policies(GAMES[name], SESSIONS, draw)
    cycles = limit_cycles(tables, policies, draw.integers(whole.size, size=SESSIONS))
    given = {"player": player, "gamma": GAMMA, "action": action, "periods": periods, "horizon": HORIZON}
    found = deviations(tables, policies, cycles, **given)
    powers = GAMMA ** np.arange(LONG)
    for session in range(SESSIONS):
        met = cycles.state[session, : cycles.length[session]].tolist()
        paths, gains, back = [], [], []
        for turn, state in enumerate(met):
            begin = past_of(whole, tables, state, draw)
            if player not in tables.order[begin[1]].tolist():
                assert np.isnan(found.gain[session, turn])
                continue
            left = played(tables, policies[session], player, begin, action, periods)
            stays = played(tables, policies[session], player, begin, action, 0)
            paths.append([left[0][:HORIZON], left[1][:HORIZON], stays[0][:HORIZON], stays[1][:HORIZON]])
            gains.append(powers @ (left[1] - stays[1])[:, player])
            np.testing.assert_allclose(found.gain[session, turn], gains[-1], atol=1e-9)
            relative = gains[-1] / abs(powers @ stays[1][:, player])
            np.testing.assert_allclose(found.relative_gain[session, turn], relative, atol=1e-9)
            first = 1 + np.flatnonzero(
                [player in tables.order[(begin[1] + k) % whole.rounds] for k in range(20)]
            )
            on = [
                k + 1
                for k in range(LONG)
                if int(whole.number(*left[2][k])) in met and k + 1 >= first[periods - 1]
            ]
            back.append(on[0] if on else np.nan)
        shown = found.actions, found.payoffs, found.base_actions, found.base_payoffs
        for got, want in zip(shown, zip(*paths, strict=True), strict=True):
            np.testing.assert_allclose(got[session], np.mean(want, axis=0), atol=1e-12)
        assert found.profitable[session] == np.mean(np.array(gains) > 1e-8)
        assert found.returned[session] == np.mean(~np.isnan(back))
        came = np.array(back)[~np.isnan(back)]
        np.testing.assert_equal(found.rounds_back[session], came.mean() if len(came) else np.nan)


@pytest.mark.slow
def test_a_deviation_from_grim_trigger_is_punished_for_ever() -> None:
    cycles = limit_cycles(dilemma(), GRIM, [0])
    found = deviations(dilemma(), GRIM, cycles, player=1, gamma=0.5, horizon=3)
    np.testing.assert_array_equal(found.actions, [[[0, 1], [1, 1], [1, 1]]])
    np.testing.assert_array_equal(found.payoffs, [[[0, 4], [1, 1], [1, 1]]])
    np.testing.assert_allclose(found.gain, [[4 + 1 - 6]])
    assert found.profitable.tolist() == found.returned.tolist() == [0]
    assert np.isnan(found.rounds_back).all()


def test_win_stay_lose_shift_punishes_once() -> None:
    """Win-stay, lose-shift cooperates after equal actions, so a defector is punished for one round."""
    pavlov = [[[0, 1, 1, 0]] * 2]
    cycles = limit_cycles(dilemma(), pavlov, [0])
    found = deviations(dilemma(), pavlov, cycles, player=0, gamma=0.75, horizon=4)
    np.testing.assert_array_equal(found.actions[0, :, 0], [1, 1, 0, 0])
    np.testing.assert_array_equal(found.base_actions, 0)
    np.testing.assert_allclose(found.gain, [[1 - 0.75 * 2]])
    assert found.rounds_back.tolist() == [3]  # until memory holds only the cycle
    assert found.returned.tolist() == [1]
    patient = deviations(dilemma(), pavlov, cycles, player=0, gamma=0.4, periods=1)
    np.testing.assert_allclose(patient.gain, [[1 - 0.4 * 2]])
    np.testing.assert_allclose(patient.relative_gain, [[0.2 / 5]])
    assert patient.profitable.tolist() == [1]


def test_levels_replace_action_indices() -> None:
    cycles = limit_cycles(dilemma(), GRIM, [0])
    levels = [[1.5, 1.2], [2.5, 2.2]]
    found = deviations(dilemma(), GRIM, cycles, player=0, gamma=0.5, horizon=2, levels=levels)
    np.testing.assert_allclose(found.actions, [[[1.2, 2.5], [1.2, 2.2]]])


def test_a_deviation_to_the_prescribed_action_has_no_effect() -> None:
    both = [[[1, 1, 1, 1]] * 2]
    cycles = limit_cycles(dilemma(), both, [0])
    found = deviations(dilemma(), both, cycles, player=0, gamma=0.5)
    assert (found.gain.tolist(), found.rounds_back.tolist()) == ([[0.0]], [1])


def test_a_deviation_gains_no_more_than_the_best_response() -> None:
    tables, draw = GAMES["in stages"], np.random.default_rng(11)
    policies = drawn_policies(tables, 20, draw)
    cycles = limit_cycles(tables, policies, np.zeros(20, dtype=int))
    for player in range(2):
        values = response_values(tables, policies, player, GAMMA)
        at = np.maximum(cycles.state, 0)
        once, best = (np.take_along_axis(v - values.own, at, axis=1) for v in (values.once, values.best))
        for action in range(int(tables.sizes[player])):
            given = {"player": player, "gamma": GAMMA, "action": action}
            gain = np.nan_to_num(deviations(tables, policies, cycles, **given).gain, nan=-np.inf)
            assert (gain <= once + 1e-10).all()
            longer = deviations(tables, policies, cycles, **given, periods=5).gain
            assert (np.nan_to_num(longer, nan=-np.inf) <= best + 1e-10).all()


@pytest.mark.parametrize(("name", "player"), EACH)
def test_static_best_responses(name: str, player: int) -> None:
    tables, draw = GAMES[name], np.random.default_rng(12)
    whole, policies = whole_states(tables), drawn_policies(GAMES[name], 2, draw)
    found = static_best_response(tables, policies, player)
    for session in range(2):
        for state in range(whole.size):
            past, row, nature = past_of(whole, tables, state, draw)
            want = -1
            if player in tables.order[row].tolist():
                want = best_now(tables, policies[session], player, past, row, nature)
            assert found[session, state] == want


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"player": 2}, "player: 2 must be a whole number in 0..1"),
        ({"action": "best"}, "action: 'best' must be 'static_best' or a whole number in 0..1"),
        ({"action": 2}, "action: 2 must be"),
        ({"periods": 0}, "periods: 0 must be a whole number of at least 1"),
        ({"horizon": 0}, "horizon: 0 must be a whole number of at least 1"),
        ({"gamma": 1.0}, r"gamma\[0\]: 1.0 must be in \[0, 1\)"),
        ({"levels": [[1.0, 2.0]]}, r"levels: shape \(1, 2\) must be \(2, 2\)"),
    ],
    ids=["player", "word", "action", "periods", "horizon", "gamma", "levels"],
)
def test_wrong_input_is_refused(given: dict[str, Any], says: str) -> None:
    cycles = limit_cycles(dilemma(), GRIM, [0])
    with pytest.raises(ValueError, match=says):
        deviations(dilemma(), GRIM, cycles, **{"player": 0, "gamma": 0.5} | given)


@pytest.mark.slow
def test_random_nature_is_refused() -> None:
    tables = GAMES["chance"]
    policies = drawn_policies(tables, 1, np.random.default_rng(13))
    cycles = limit_cycles(tables, policies, [0])
    with pytest.raises(ValueError, match="game: nature moves at random"):
        deviations(tables, policies, cycles, player=0, gamma=0.5)
