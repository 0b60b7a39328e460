"""Subgame-perfect equilibria against textbooks, backward induction and enumeration of pure profiles."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import with_
from rivalry.families.extensive import Chance, Decision, Extensive
from rivalry.methods.finite.subgame_perfect_equilibria import SubgamePerfectEquilibria, subgame_roots

Rules = Callable[[tuple[Any, ...]], Any]


def solved(rules: Rules, players: int = 2, **options: Any) -> Any:
    return rv.solve(Extensive.from_rules(rules, players=players), SubgamePerfectEquilibria(**options))


def plays(rules: Rules, players: int = 2) -> tuple[Any, list[dict[str, float]]]:
    """The data, and the moves of positive probability of every equilibrium with their probabilities."""
    game = Extensive.from_rules(rules, players=players)
    data = rv.solve(game, SubgamePerfectEquilibria()).data
    found = [
        {
            name: float(p)
            for names, row in zip(game.names, x, strict=True)
            for name, p in zip(names, row, strict=False)
            if p
        }
        for x in data.equilibria.values
    ]
    return data, found


def histories(rules: Rules, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    node = rules(start)
    moves = (
        node.probabilities if isinstance(node, Chance) else node.actions if isinstance(node, Decision) else ()
    )
    return [start, *(h for move in moves for h in histories(rules, (*start, move)))]


def value(rules: Rules, plan: dict[Any, Any], start: tuple[Any, ...]) -> tuple[Fraction, ...]:
    """Payoffs after a history where players move as the plan says."""
    node = rules(start)
    if isinstance(node, Decision):
        return value(rules, plan, (*start, plan[node.player, node.information]))
    if isinstance(node, Chance):
        parts = [(p, value(rules, plan, (*start, move))) for move, p in node.probabilities.items()]
        return tuple(sum(p * pays[k] for p, pays in parts) for k in range(len(parts[0][1])))
    return tuple(map(Fraction, node))


def roots_by_definition(rules: Rules) -> list[tuple[Any, ...]]:
    """Histories after which no information set has another node that is not after them."""
    every = histories(rules)
    sets: dict[Any, list[tuple[Any, ...]]] = {}
    for h in every:
        if isinstance(node := rules(h), Decision):
            sets.setdefault((node.player, node.information), []).append(h)
    found = []
    for root in every:
        if not isinstance(rules(root), Decision | Chance):
            continue
        inside = [[h[: len(root)] == root for h in nodes] for nodes in sets.values()]
        if root == () or all(all(row) or not any(row) for row in inside):
            found.append(root)
    return found


def excluded(rules: Rules, plan: dict[Any, Any], key: Any, h: tuple[Any, ...], roots: Any) -> bool:
    """Whether own moves in the smallest subgame around a history of an information set exclude the set."""
    root = max((r for r in roots if h[: len(r)] == r), key=len)
    for k in range(len(root), len(h)):
        node = rules(h[:k])
        own = isinstance(node, Decision) and node.player == key[0]
        if own and plan[node.player, node.information] != h[k]:
            return True
    return False


def information_sets(rules: Rules) -> tuple[dict[Any, Any], dict[Any, tuple[Any, ...]]]:
    """The moves of the information sets, and the first history of each."""
    sets: dict[Any, tuple[Any, ...]] = {}
    first: dict[Any, tuple[Any, ...]] = {}
    for h in histories(rules):
        if isinstance(node := rules(h), Decision):
            sets[node.player, node.information] = tuple(node.actions)
            first.setdefault((node.player, node.information), h)
    return sets, first


def pure_by_enumeration(rules: Rules) -> set[Any]:
    """Pure subgame-perfect equilibria; None in place of moves that the own strategy excludes in a subgame."""
    roots, (sets, first) = roots_by_definition(rules), information_sets(rules)
    found = set()
    for moves in product(*sets.values()):
        plan = dict(zip(sets, moves, strict=True))
        good = True
        for root in roots:
            within = {k for k in sets if first[k][: len(root)] == root}
            now = value(rules, plan, root)
            for player in {p for p, _ in within}:
                own = [k for k in within if k[0] == player]
                for other in product(*(sets[k] for k in own)):
                    if value(rules, plan | dict(zip(own, other, strict=True)), root)[player] > now[player]:
                        good = False
        if good:
            out = {k: excluded(rules, plan, k, first[k], roots) for k in sets}
            found.add(tuple(None if out[k] else plan[k] for k in sorted(sets, key=str)))
    return found


def pure_of(rules: Rules, players: int = 2) -> set[Any]:
    """The same of the list."""
    game = Extensive.from_rules(rules, players=players)
    data = rv.solve(game, SubgamePerfectEquilibria(most=100_000), tolerance=None).data
    roots, (sets, first) = roots_by_definition(rules), information_sets(rules)
    found = set()
    for x in data.equilibria.values:
        plan: dict[Any, Any] = {}
        for (player, information), actions in sets.items():
            row = x[player, [game.names[player].index(f"{information}: {move}") for move in actions]]
            sure = [move for move, p in zip(actions, row, strict=True) if p == 1]
            plan[player, information] = sure[0] if sure else None
        mixed = [k for k, move in plan.items() if move is None]
        if all(excluded(rules, plan, k, first[k], roots) for k in mixed):
            found.add(tuple(plan[k] for k in sorted(sets, key=str)))
    return found


def entry(h: Any) -> Any:
    if h == ():
        return Decision(0, "entrant", ("in", "out"))
    if h == ("in",):
        return Decision(1, "incumbent", ("share", "fight"))
    return {"out": (1, 2), "share": (2, 1), "fight": (-1, -1)}[h[-1]]


def centipede(h: Any, legs: int = 6) -> Any:
    if h and h[-1] == "stop":
        pile = (2 ** (len(h) + 1), 2 ** (len(h) - 1))
        return pile if len(h) % 2 else pile[::-1]
    if len(h) == legs:
        return (2 ** (legs + 2), 2**legs)
    return Decision(len(h) % 2, len(h), ("stop", "go"))


def ultimatum(h: Any) -> Any:
    if h == ():
        return Decision(0, "offer", (0, 1, 2))
    if len(h) == 1:
        return Decision(1, h[0], ("yes", "no"))
    return (2 - h[0], h[0]) if h[1] == "yes" else (0, 0)


def horse(h: Any) -> Any:
    if h == ():
        return Decision(0, "one", ("down", "across"))
    if h == ("across",):
        return Decision(1, "two", ("down", "across"))
    if h == ("across", "across"):
        return (1, 1, 1)
    if h[-1] in ("left", "right"):
        return {
            ("down", "left"): (3, 3, 2),
            ("down", "right"): (0, 0, 0),
            ("across", "down", "left"): (4, 4, 0),
            ("across", "down", "right"): (0, 0, 1),
        }[h]
    return Decision(2, "three", ("left", "right"))


def battle(h: Any) -> Any:
    if h == ():
        return Decision(0, "first", ("in", "out"))
    if h == ("out",):
        return (2, 2)
    if len(h) < 3:
        return Decision(len(h) - 1, "stage", ("B", "S"))
    return {"BB": (3, 1), "SS": (1, 3)}.get(h[1] + h[2], (0, 0))


def stackelberg(h: Any) -> Any:
    if len(h) < 2:
        return Decision(len(h), h, (1, 2, 3, 4))
    return tuple(own * (7 - sum(h)) for own in h)


def weather(h: Any) -> Any:
    if h == ():
        return Chance({"sun": Fraction(1, 3), "rain": Fraction(2, 3)})
    if len(h) < 3:
        return Decision(len(h) - 1, h[0], ("a", "b"))
    if h[0] == "sun":
        return {"aa": (2, 1), "bb": (1, 2)}.get(h[1] + h[2], (0, 0))
    return {"aa": (2, 2), "ab": (0, 3), "ba": (3, 0), "bb": (1, 1)}[h[1] + h[2]]


def beer_quiche(h: Any) -> Any:
    if h == ():
        return Chance({"weak": Fraction(1, 10), "strong": Fraction(9, 10)})
    if len(h) == 1:
        return Decision(0, h[0], ("beer", "quiche"))
    if len(h) == 2:
        return Decision(1, h[1], ("fight", "retreat"))
    likes = {"weak": "quiche", "strong": "beer"}[h[0]]
    pays = (h[1] == likes) + 2 * (h[2] == "retreat")
    return pays, int((h[2] == "fight") == (h[0] == "weak"))


STAGE = {"CC": (2, 2), "CD": (0, 3), "DC": (3, 0), "DD": (1, 1)}


def dilemma_twice(h: Any, stage: Any = STAGE) -> Any:
    if len(h) == 4:
        pays = [stage[h[k] + h[k + 1]] for k in (0, 2)]
        return tuple(sum(own) for own in zip(*pays, strict=True))
    past = h[:2] if len(h) > 1 else ()
    return Decision(len(h) % 2, (len(h) // 2, past), ("C", "D"))


def coordination_twice(h: Any) -> Any:
    return dilemma_twice(h, {"CC": (2, 2), "CD": (0, 0), "DC": (0, 0), "DD": (1, 1)})


def investment(h: Any) -> Any:
    """A decision problem: a test of given quality, then investing or not."""
    if h == ():
        return Decision(0, "test", ("yes", "no"))
    if h == ("yes",):
        return Chance({"good": Fraction(1, 2), "bad": Fraction(1, 2)})
    if h[-1] in ("go", "stay"):
        odds = {"good": Fraction(4, 5), "bad": Fraction(1, 5)}.get(h[1], Fraction(1, 2))
        pays = 10 * odds - 6 if h[-1] == "go" else Fraction(0)
        return (pays - (1 if h[0] == "yes" else 0) * Fraction(1, 2),)
    return Decision(0, h, ("go", "stay"))


def test_entry_is_not_deterred_by_a_threat_that_would_not_be_carried_out() -> None:
    # gambitproject/gambit issue 523: the normal form has three equilibria, one of them credible
    data, found = plays(entry)
    assert found == [{"entrant: in": 1.0, "incumbent: share": 1.0}]
    assert bool(data.complete)
    assert str(data.concept.values) == "subgame-perfect, proved"
    assert data.subgame.values.tolist() == ["root", "in"]
    assert data.subgame_payoff.values.tolist() == [[[2, 1], [2, 1]]]
    assert not data.subgame_regret.values.any()
    assert solved(entry).claim == "equilibrium"


def test_players_stop_at_every_node_of_the_centipede() -> None:
    data, found = plays(centipede)
    assert found == [{f"{k}: stop": 1.0 for k in (0, 2, 4, 1, 3, 5)}]
    assert data.equilibrium_payoff.values.tolist() == [[4, 1]]


def test_the_ultimatum_game_has_ties_which_leave_the_list_open() -> None:
    data, found = plays(ultimatum)
    assert [("offer: 0" in x, "0: yes" in x) for x in found] == [(1, True), (0, False)]
    assert "offer: 1" in found[1]
    assert not bool(data.complete)
    assert "not isolated pay differently" in str(data.complete_reason.values)
    assert pure_of(ultimatum) == pure_by_enumeration(ultimatum)


def test_seltens_horse_has_no_proper_subgame() -> None:
    data, found = plays(horse, players=3)
    assert data.sizes["subgame"] == 1
    moves = [frozenset(name for name, p in x.items() if p == 1) for x in found]
    assert {"one: down", "two: across", "three: left"} in moves
    assert {"one: across", "two: across", "three: right"} in moves
    assert not bool(data.complete)  # both are ends of continua


def test_the_outside_option_of_the_battle_leaves_three() -> None:
    data, found = plays(battle)
    assert bool(data.complete)
    assert sorted(map(tuple, data.equilibrium_payoff.values.tolist())) == [(2, 2), (2, 2), (3, 1)]
    mixed = next(x for x in found if "stage: B" in x and x["stage: B"] not in (0, 1))
    assert mixed["first: out"] == 1
    assert {"1/4", "3/4"} <= set(data.exact_equilibria.values.ravel().tolist())
    assert int(data.pure_count) == 2
    assert data.radius.values.max() <= 2.0**-54


def test_a_leader_of_few_quantities_anticipates_the_follower() -> None:
    data, _ = plays(stackelberg)
    best = {q: max((r * (7 - q - r), r) for r in (1, 2, 3, 4)) for q in (1, 2, 3, 4)}
    # ties of the follower, as after 1 and after 3, are all in the list
    pays = {tuple(pay) for pay in data.equilibrium_payoff.values.tolist()}
    ways = [[r for r in (1, 2, 3, 4) if r * (7 - q - r) == best[q][0]] for q in (1, 2, 3, 4)]
    expected = set()
    for rows in product(*ways):
        gains = [(q * (7 - q - r), r * (7 - q - r)) for q, r in zip((1, 2, 3, 4), rows, strict=True)]
        expected |= {pay for pay in gains if pay[0] == max(g[0] for g in gains)}
    assert pays == expected


def test_chance_that_is_observed_begins_subgames() -> None:
    data, found = plays(weather)
    assert bool(data.complete)
    assert data.subgame.values.tolist() == ["root", "chance 0", "chance 1"]
    assert all(x["rain: b"] == 1 for x in found)
    sun = {tuple(pay) for pay in (np.round(data.subgame_payoff.values[:, 1], 12)).tolist()}
    assert sun == {(2, 1), (1, 2), (round(2 / 3, 12),) * 2}


def test_signals_begin_no_subgame_and_both_kinds_of_pooling_are_listed() -> None:
    data, found = plays(beer_quiche)
    assert data.sizes["subgame"] == 1
    assert bool(data.complete)
    pooling = {
        drink for x in found for drink in ("beer", "quiche")
        if x.get(f"weak: {drink}") == x.get(f"strong: {drink}") == 1
    }  # fmt: skip
    assert pooling == {"beer", "quiche"}
    assert all(x.get("weak: beer") != 1 or x.get("strong: quiche") != 1 for x in found)
    assert not data.subgame_regret.values.any()


def test_ends_of_sets_are_counted_as_such() -> None:
    # after T the other player moves at a set that is not reached: any mixture does that keeps T best
    def threat(h: Any) -> Any:
        if len(h) < 2:
            return Decision(len(h), "rc"[len(h)], ("TB", "LR")[len(h)])
        return {"TL": (1, 1), "TR": (1, 1), "BL": (0, 0), "BR": (0, 1)}["".join(h)]

    # two independent ties of one player: the list has four corners of a square
    def ties(h: Any) -> Any:
        if not h:
            return Chance({"rain": Fraction(1, 2), "sun": Fraction(1, 2)})
        return Decision(0, h[0], ("a", "b")) if len(h) == 1 else (1, 2)

    for rules, ends, components in ((threat, 2, 1), (beer_quiche, 4, 2), (ties, 4, 1), (battle, 3, 3)):
        data = solved(rules).data
        assert (int(data.extreme_count), int(data.component_count)) == (ends, components)
        words = repr(solved(rules))
        assert ("infinitely many equilibria" in words) == (ends > components)


@pytest.mark.slow
def test_components_are_those_of_the_table_where_moves_are_simultaneous() -> None:
    for seed in range(30):
        tables = np.random.default_rng(seed).integers(0, 2, (2, 3, 3)).tolist()

        def rules(h: Any, tables: Any = tables) -> Any:
            if len(h) < 2:
                return Decision(len(h), "rc"[len(h)], (0, 1, 2))
            return tuple(table[h[0]][h[1]] for table in tables)

        data = solved(rules).data
        listed = rv.solve(rv.games.matrix(payoffs=tables), rv.methods.MixedEquilibria()).data
        for name in ("component_count", "extreme_count", "pure_count"):
            assert int(data[name]) == int(listed[name]), name


def test_a_dilemma_played_twice_is_defection_after_every_history() -> None:
    data, found = plays(dilemma_twice)
    assert bool(data.complete)
    assert data.sizes["subgame"] == 5
    assert len(found) == 1
    assert set(found[0].values()) == {1.0}
    assert all(name.endswith("D") for name in found[0])


@pytest.mark.slow
def test_coordination_played_twice_has_threats_that_are_credible() -> None:
    data, _ = plays(coordination_twice)
    assert bool(data.complete)
    assert pure_of(coordination_twice) == pure_by_enumeration(coordination_twice)
    # the bad outcome first, which the good one after it supports: 1 + 2 against 0 + 1
    assert [3, 3] in data.equilibrium_payoff.values.tolist()


def test_a_decision_problem_of_one_player() -> None:
    data, found = plays(investment, players=1)
    # with the test 1/2 (8 - 6) + 0 - 1/2 = 1/2, without 5 - 6 < 0 or 0
    assert data.equilibrium_payoff.values.tolist() == [[0.5]]
    assert found[0]["test: yes"] == 1
    assert bool(data.complete)


def test_three_players_in_turn_have_exact_mixed_play_refused_and_pure_play_proved() -> None:
    def chain(h: Any) -> Any:
        return Decision(len(h), h, (0, 1)) if len(h) < 3 else tuple((sum(h) + k) % 3 for k in range(3))

    assert pure_of(chain, players=3) == pure_by_enumeration(chain)


def random_tree(seed: int, levels: int, *, simultaneous: bool, tied: bool) -> Rules:
    """Two players move in turn or at once, after chance sometimes; payoffs depend on the history alone."""
    draw = np.random.default_rng(seed)
    kinds: dict[Any, Any] = {}

    def rules(h: tuple[Any, ...]) -> Any:
        if h in kinds:
            return kinds[h]
        node: Any
        level = sum(isinstance(move, str) for move in h)
        if h and isinstance(h[-1], int):  # the second of two who move at once
            node = Decision(1, ("at once", h[:-1]), ("a", "b"))
        elif level >= levels or (h and draw.random() < 0.2):
            high = 3 if tied else 10**6
            node = tuple(int(n) for n in draw.integers(0, high, 2))
        elif draw.random() < 0.2:
            node = Chance({"x": Fraction(1, 4), "y": Fraction(3, 4)})
        elif simultaneous and draw.random() < 0.6:
            node = Decision(0, h, (0, 1))
        else:
            node = Decision(int(draw.integers(2)), h, ("a", "b"))
        kinds[h] = node
        return node

    histories(rules)  # fixes all draws
    return rules


def by_backward_induction(rules: Rules, h: tuple[Any, ...] = ()) -> tuple[Fraction, ...]:
    node = rules(h)
    if isinstance(node, Decision):
        return max(
            (by_backward_induction(rules, (*h, m)) for m in node.actions), key=lambda v: v[node.player]
        )
    if isinstance(node, Chance):
        parts = [(p, by_backward_induction(rules, (*h, m))) for m, p in node.probabilities.items()]
        return tuple(sum(p * pays[k] for p, pays in parts) for k in range(2))
    return tuple(map(Fraction, node))


@pytest.mark.parametrize("seed", range(20))
def test_random_trees_of_perfect_information_against_backward_induction(seed: int) -> None:
    rules = random_tree(seed, 4, simultaneous=False, tied=False)
    data, found = plays(rules)
    assert len(found) == 1
    assert bool(data.complete)
    assert data.equilibrium_payoff.values[0].tolist() == list(map(float, by_backward_induction(rules)))


@pytest.mark.parametrize("seed", range(24))
def test_random_trees_with_information_sets_against_enumeration(seed: int) -> None:
    rules = random_tree(seed, 2, simultaneous=True, tied=seed % 2 == 1)
    game = Extensive.from_rules(rules)
    assert len(subgame_roots(game.tree)) == len(roots_by_definition(rules))
    data = rv.solve(game, SubgamePerfectEquilibria(most=100_000), tolerance=None).data
    assert not data.subgame_regret.values.any()
    assert pure_of(rules) == pure_by_enumeration(rules)


@pytest.mark.slow
def test_one_equilibrium_is_a_member_of_the_list() -> None:
    for rules in (battle, coordination_twice, ultimatum):
        every = solved(rules).data.equilibria.values
        one = solved(rules, one=True).data
        assert one.sizes["equilibrium"] == 1
        assert any(np.array_equal(one.equilibria.values[0], x) for x in every)
        assert not bool(one.complete)
        assert "one was asked for" in str(one.complete_reason.values)


def test_too_many_combinations_leave_the_list_open() -> None:
    data = solved(coordination_twice, most=10).data
    assert not bool(data.complete)
    assert "81 combinations of equilibria of subgames, of which 10 are followed" in str(
        data.complete_reason.values
    )


def test_outcomes_at_inner_nodes_of_a_file_are_added(tmp_path: Path) -> None:
    path = tmp_path / "fee.efg"
    path.write_text(
        'EFG 2 R "" { "one" "two" } p "" 1 1 "" { "in" "out" } 0\n'
        'p "" 2 1 "" { "a" "b" } 1 "fee" { -1, 1/2 }\nt "" 2 "" { 3, 0 } t "" 3 "" { 9, -1/3 }\n'
        't "" 4 "" { 1, 0 }'
    )
    data = rv.solve(rv.interop.read_extensive(path), SubgamePerfectEquilibria()).data
    assert data.equilibrium_payoff.values.tolist() == [[2, 0.5]]
    assert bool(data.complete)


def test_payoffs_that_were_replaced_are_refused() -> None:
    game = Extensive.from_rules(entry)
    other = with_(game, paid=2 * np.asarray(game.paid))
    with pytest.raises(ValueError, match="payoffs were replaced since the tree was read"):
        rv.solve(other, SubgamePerfectEquilibria())


def test_the_answer_has_a_row_per_equilibrium() -> None:
    text = repr(rv.solve(Extensive.from_rules(battle), SubgamePerfectEquilibria()))
    assert "3 equilibria listed, 2 of them in pure strategies, in 3 components; complete: true" in text
    assert ["first: in, stage: B", "stage: B"] in [
        re.split("  +", line.strip())[:2] for line in text.splitlines()
    ]
    assert "subgame-perfect, proved" in text
