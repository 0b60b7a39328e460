"""Wrong input to karma economies: one line that names the parameter, its value and the rule."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.oracles import to_agents
from rivalry.economies.karma.checks import numbers
from rivalry.lab.study import StudyError
from rivalry.population import evaluate_policy
from rivalry.population.oracles import mean_field_refusal

UNIFORM = "uniform"

UP_TO_ONE: dict[str, Any] = {"max_karma": 1, "mean_karma": 1.0}
CHARGES: dict[str, Any] = {  # message -> charge
    ": shape (2, 2) must be (21, 21): [bid][rival's bid]": [[0, 0], [1, 1]],
    "[1][0]: 0.5 must be a whole number in 0..1, at most the bid": "bid / 2",
    "[0][0]: 1 must be a whole number in 0..0, at most the bid": lambda bid, losing_bid: 1,
    ": unknown name 'price' in 'price'; allowed are bid, losing_bid": "price",
}
REWARDS: dict[str, Any] = {  # message -> reward
    "0 when served at urgency 1 must be at least 1, that of being refused": "urgency*(1 - served)",
    "must be larger at served = 1 at some urgency: nobody would bid": "urgency",
    "unknown name 'bid' in 'bid'; allowed are served, urgency": "bid",
}
TYPES: dict[str, list[dict[str, Any]]] = {  # message -> types
    "types: [] must be a list of tables, at least one": [],
    "types[0].urgency: is unknown; did you mean 'urgencies'?": [{"urgency": [1.0]}],
    "types: shares [0.5, 0.6] sum to 1.1; must sum to 1": [{"share": 0.5}, {"share": 0.6}],
    "types[1].share: 0 must be in (0, 1]: a type has agents": [{"share": 1.0}, {"share": 0.0}],
    "types[1].count: 0 must be a whole number of at least 1": [{"count": 2}, {"count": 0}],
    "types: share clashes with count; give one of them, in every type": [{"share": 0.5}, {"count": 2}],
    "types[1].share: is missing; every type must have one, or none": [{"share": 1.0}, {"gamma": 0.5}],
    "types[1].max_karma: 30 must be max_karma = 20, the same for all types": [
        {"max_karma": 20},
        {"max_karma": 30},
    ],
    "types[1].gamma: 2 must be in [0, 1)": [{}, {"gamma": 2}],
    "types[0].chain[0]: [0.5, 0.6] must be probabilities that sum to 1": [
        {"chain": [[0.5, 0.6], [0.5, 0.5]]}
    ],
    "types[1].name: 'a' must differ from those of the other types": [{"name": "a"}, {"name": "a"}],
    "types[0].initial_karma: 2 amounts must be 4, one per agent of the type": [
        {"count": 4, "initial_karma": [10, 10]}
    ],
}
WRONG: dict[str, dict[str, Any]] = {  # message -> keywords
    **{message: {"types": types} for message, types in TYPES.items()},
    "mean_karma: 25 must be in [0, max_karma = 20]": {"mean_karma": 25.0},
    "mean_karma: -1 must be in [0, max_karma = 20]": {"mean_karma": -1.0},
    "mean_karma: 10 must be in [0, max_karma = 5]": {"max_karma": 5},
    "mean_karma: 10.005 times 100 agents is 1000.5; must be a whole number": {
        "mean_karma": 10.005,
        "agents": 100,
    },
    "max_karma: 0 must be a whole number of at least 1": {"max_karma": 0},
    "urgencies: [] must be a list of numbers, at least one": {"urgencies": []},
    "urgencies[1]: -5 must be at least 0": {"urgencies": [1.0, -5.0]},
    "urgencies: [0.0, 0.0] must not all be 0: nobody would bid": {"urgencies": [0.0, 0.0]},
    "chain: shape (1, 2) must be square, or one distribution": {"chain": [[0.5, 0.5]]},
    "chain[1]: [0.5, 0.6] must be probabilities that sum to 1": {"chain": [[0.5, 0.5], [0.5, 0.6]]},
    "chain: [[1.0, 0.0], [0.0, 1.0]] must have one stationary distribution, and has several": {
        "chain": [[1.0, 0.0], [0.0, 1.0]]
    },
    "chain: 3 rows must be 2, one for each of the urgencies": {"chain": [0.2, 0.3, 0.5]},
    "gamma: 1 must be in [0, 1)": {"gamma": 1.0},
    "gamma: -0.1 must be in [0, 1)": {"gamma": -0.1},
    "gamma: nan must be finite": {"gamma": float("nan")},
    "agents: 1 must be at least 2": {"agents": 1, "idle": "random"},
    "agents: 101 must be even, or idle = 'random'": {"agents": 101},
    "agents: 0 must be a whole number of at least 1": {"agents": 0},
    "receiver: 'society' clashes with payment = 'PBP'; use 'PBS'": {"receiver": "society"},
    "overflow: 'burn' is about what losers receive, and clashes with payments to society; must be"
    " 'surplus'": {"payment": "PBS", "overflow": "burn"},
    "price: None goes with payment = 'fixed_price', and must be given there alone": {
        "payment": "fixed_price"
    },
    "price: -1 must be a whole number of at least 0": {"payment": "fixed_price", "price": -1},
    "price: 2 goes with payment = 'fixed_price', and must be given there alone": {"price": 2},
    "charge: clashes with payment = 'difference', which says what is paid; omit one of them": {
        "payment": "difference",
        "charge": "bid",
    },
    **{f"charge{message}": {"charge": charge} for message, charge in CHARGES.items()},
    **{f"reward: {message}": {"reward": reward} for message, reward in REWARDS.items()},
    "agents: 3 must be even: reward has no value for idle agents": {
        "reward": "served",
        "agents": 3,
        "idle": "random",
    },
    "types[0].reward: 2 must be a formula or function of urgency and served (1, or 0)": {
        "types": [{"reward": 2}]
    },
    "types[0].chain: unknown name 'next' in 'next'; allowed are next_urgency, served, urgency": {
        "types": [{"chain": "next"}]
    },
    "chain[0]: [0.5, 1.0] must be probabilities that sum to 1": {
        "urgencies": [1.0, 2.0],
        "chain": "next_urgency/2",
    },
    "charge[1][0]: 2 must be a whole number in 0..1, at most the bid": UP_TO_ONE
    | {"charge": [[0, 0], [2, 1]]},
    "tax[0]: 1 must be in [0, 0], the karma there is to take": {"tax": "1 + karma"},
    "tax: 1.5 must be a rate in [0, 1], or a list of one amount a karma level": {"tax": 1.5},
    "tax: -0.5 must be at least 0": {"tax": -0.5},
    "tax: 2 amounts must be 21, one for each karma 0..20": {"tax": [0.0, 1.0]},
    "tax[2]: 2.5 must be in [0, 2], the karma there is to take": {
        "max_karma": 2,
        "mean_karma": 1.0,
        "tax": [0.0, 1.0, 2.5],
    },
    "redistribute_every: 0 must be a whole number of at least 1": {"redistribute_every": 0},
    "initial_karma: sums to 999; must be 1000, that is 100 agents times mean_karma = 10": {
        "initial_karma": [10] * 99 + [9]
    },
    "initial_karma: 99 amounts must be 100, one per agent": {"initial_karma": [10] * 99},
    "initial_karma[98]: 21 must be a whole number in 0..20": {"initial_karma": [10] * 98 + [21, -1]},
    "private_names: ['home'] must be 2 labels, one for each of the urgencies": {"private_names": ["home"]},
    "agents: 10 with a share of 0.25 make 2.5 of 'type 0'; must be a whole number, at least 1": {
        "agents": 10,
        "types": [{"share": 0.25}, {"share": 0.75}],
    },
    "agents: 10 must be 6, the sum of the types' counts": {
        "agents": 10,
        "types": [{"count": 2}, {"count": 4}],
    },
    "served_chain: 3 rows must be 2, one for each of the urgencies": {"served_chain": [0.2, 0.3, 0.5]},
    "chain and served_chain, in the mean: [[1.0, 0.0], [0.0, 1.0]] must have one stationary distribution,"
    " and has several": {"chain": [[1, 0], [0, 1]], "served_chain": [[1, 0], [0, 1]]},
    "types[0].chain: 2 rows must be 3, one for each of the urgencies": {
        "chain": [[0.5, 0.5], [0.5, 0.5]],
        "types": [{"urgencies": [1.0, 2.0, 3.0]}],
    },
    "initial_karma: clashes with types[0].initial_karma; give one of them": {
        "initial_karma": [10] * 4,
        "types": [{"count": 4, "initial_karma": 10}],
    },
}


@pytest.mark.parametrize("option", ["payment", "tie", "overflow", "idle", "receiver"])
def test_unknown_options_are_refused_with_the_allowed_ones(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option}: 'else' must be one of '"):
        rv.games.karma(**{option: "else"})


@pytest.mark.parametrize("message", WRONG)
def test_wrong_input(message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the whole message is compared)
        rv.games.karma(**WRONG[message])
    assert str(error.value) == message


def test_validator_of_numbers() -> None:
    """Values that the annotations refuse already where they are checked."""
    for call, message in (
        (lambda: numbers("gamma", "high"), "gamma: 'high' must be a number"),
        (
            lambda: numbers("urgencies", [[1.0]], dims=1),
            r"urgencies: [[1.0]] must be a list of numbers, at least one",
        ),
    ):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            call()
        assert str(error.value) == message


STUDIES = {
    "max_karma": ({"max_karma": 20.5}, "game.max_karma: 20.5 must be a whole number"),
    "payment": ({"payment": "PBX"}, "game.payment: 'PBX' must be one of 'PBP'"),
    "gamma": ({"gamma": 1.0}, "game.gamma: 1.0 must be below 1"),
    "chain": ({"chain": [[0.5, 0.6], [0.5, 0.5]]}, r"game.chain\[0\]: \[0.5, 0.6\] must be probabilities"),
    "type": ({"types": [{"gamma": 1.0}]}, r"game.types\[0\].gamma: 1 must be in \[0, 1\)"),
    "key": ({"max_carma": 20}, "game.max_carma: unknown key; did you mean 'max_karma'"),
    "burn": (
        {"overflow": "burn"},
        "method.newton: overflow: 'burn' loses karma .*; use 'surplus', or let agents play",
    ),
}


@pytest.mark.representative
@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.filterwarnings("ignore:overflow. 'burn' does not conserve")
def test_studies_name_the_key_of_wrong_input(name: str) -> None:
    table, message = STUDIES[name]
    study = rv.Study(name="mistyped", game={"family": "karma", **table}, method={"kind": "newton"})
    with pytest.raises(StudyError, match=message) as error:
        study.check()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_wrong_policies_are_refused() -> None:
    game = rv.games.karma()
    policy = np.array(rv.oracles.named_start(game, "zero"))
    above, negative, short = policy.copy(), policy.copy(), policy.copy()
    above[5, [0, 6]], negative[21 + 7, [0, 1]], short[30, 0] = (0.98, 0.02), (1.5, -0.5), 1 - 2e-8
    for wrong, message in (
        (above, r"policy puts 0.02 on bid 6 at u=1, k=5; must be 0: no bid is above karma"),
        (negative, r"policy puts -0.5 on bid 1 at u=5, k=7; must be at least 0"),
        (short, r"policy sums to 0.99999998 at u=5, k=9; must sum to 1"),
        (
            policy[:, :20],
            r"policy: shape \(42, 20\) must be \(42, 21\) \(states, bids\), or \(1, 2, 21, 21\)",
        ),
        (policy * np.nan, "policy puts nan on bid 0 at u=1, k=0"),
        ("all", r"policy: must be numbers of shape \(42, 21\)"),
    ):
        with pytest.raises(ValueError, match=message):
            game.space.check(wrong, "policy")
    with pytest.raises(ValueError, match=r"start: policy puts 0.02 on bid 6 at u=1, k=5"):
        game.space.check(above)
    nearly = policy.copy()
    nearly[30, 0] = 1 - 1e-9  # from a file with few digits
    assert float(game.space.check(nearly)[30].sum()) == 1.0
    with pytest.raises(ValueError, match="start: 'half' must be a policy, or uniform, all_in, zero"):
        rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start="half")


MEAN_FIELD = {
    "burnt": ({"overflow": "burn"}, "overflow: 'burn' loses karma in every step, .*; use 'surplus'"),
    "now and then": ({"redistribute_every": 5}, "redistribute_every: 5 makes populations .*; use 1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MEAN_FIELD)
@pytest.mark.filterwarnings("ignore:overflow. 'burn' does not conserve")
def test_rules_without_a_mean_field_are_refused_there_but_not_for_agents(name: str) -> None:
    given, message = MEAN_FIELD[name]
    game = rv.games.karma(**given)
    with pytest.raises(ValueError, match=message):
        evaluate_policy(game, rv.oracles.named_start(game, UNIFORM))
    with pytest.raises(ValueError, match=message):
        rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start=UNIFORM)
    assert len(to_agents(game).karma) == game.agents


def test_burning_karma_warns() -> None:
    with pytest.warns(UserWarning, match="overflow: 'burn' does not conserve karma"):
        rv.games.karma(overflow="burn")


def test_numbers_of_agents_and_karma_are_integers_for_agents_only() -> None:
    """A mean field needs no agents, so fractions are refused only when agents are requested."""
    thirds = rv.games.karma(types=[{"share": 1 / 3}, {"share": 2 / 3}])
    assert mean_field_refusal(thirds) == ""
    with pytest.raises(ValueError, match=r"agents: 100 with a share of 0.333333 make 33.3333 of 'type 0'"):
        to_agents(thirds)
    with pytest.raises(
        ValueError, match=r"mean_karma: 3.33333 times 100 agents is 333.333; must be a whole number"
    ):
        to_agents(rv.games.karma(mean_karma=10 / 3))
