"""Audits of pricing algorithms, against closed forms and play by hand."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from rivalry.audit.bots import AgentBot, BotFault, HistoryBot, bot_maker, faults
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.measures import (
    WINDOW,
    Reaction,
    best_responses,
    estimate,
    measure,
    myopic_cuts,
    rationalising_cost,
)
from rivalry.audit.panel import PANEL
from rivalry.audit.play import BestResponder, RandomPrices, Session, constant
from rivalry.audit.report import audit_apart, page, parts, plain
from rivalry.audit.tables import PriceTableBot, price_table
from rivalry.audit.verdict import COMPETITIVE, ELEVATED, PUNISHED, UNDECIDED, audit_bot
from rivalry.cli import main
from rivalry.cli.output import fitted
from rivalry.families.market.factory import market as market_game
from tests.drawn_sellers import drawn_bot, drawn_responder, responder

pytestmark = pytest.mark.mostly_slow

N, C = 1.4729266563, 1.9249809158  # prices of the default market (Calvano et al. 2020)


def profit(own: float, rival: float) -> float:
    """Logit profit by hand: quality 2, cost 1, taste spread 0.25, outside option 0."""
    bought = np.exp((2 - own) / 0.25)
    return float((own - 1) * bought / (bought + np.exp((2 - rival) / 0.25) + 1))


def best_cut() -> float:
    """Best price of one period against the cartel's."""
    return response(C)


def response(rival: float) -> float:
    """Best price of one period against a rival's, by bisection of ``p - 1 = 0.25 / (1 - share)``."""
    low, high = 1.2, 2.0
    for _ in range(60):
        price = (low + high) / 2
        share = profit(price, rival) / (price - 1)
        low, high = (price, high) if price - 1 < 0.25 / (1 - share) else (low, price)
    return low


@pytest.fixture(scope="module")
def duopoly() -> PriceMarket:
    return price_market()


def measured(name: str, market: PriceMarket) -> list[Reaction]:
    return measure(PANEL[name].maker(market), market).reactions


def test_prices_of_the_default_market(duopoly: PriceMarket) -> None:
    assert np.allclose(duopoly.nash, N, atol=1e-8)
    assert np.allclose(duopoly.cartel, C, atol=1e-8)
    assert np.allclose(duopoly.cut, best_cut(), atol=1e-8)
    assert np.allclose(duopoly.profits(np.array([1.6, 1.8])), [profit(1.6, 1.8), profit(1.8, 1.6)])
    assert duopoly.high == pytest.approx(2 * C)


def test_profits_of_other_demand_are_those_of_the_game() -> None:
    game = market_game(demand="differentiated", choice="price")
    market, prices = price_market(game), np.array([[2.0, 3.0], [3.0, 3.0], [4.0, 2.5]])
    direct = [[float(one) for one in game.payoffs(np.array(row)[:, None])] for row in prices]
    assert np.allclose(market.profits(prices), direct)


def test_a_constant_cartel_price_does_not_react(duopoly: PriceMarket) -> None:
    one, ten = measured("cartel_price", duopoly)
    gain = profit(best_cut(), C) - profit(C, C)
    for reaction, length in ((one, 1), (ten, 10)):
        assert reaction.response.mean == reaction.loss.mean == 0
        expected = length * gain / ((length + WINDOW) * profit(C, C))
        assert reaction.net.mean == pytest.approx(expected, rel=1e-6)
        assert reaction.unanswered.mean == pytest.approx(expected, rel=1e-6)


def test_gain_of_a_deviation_from_a_grim_trigger(duopoly: PriceMarket) -> None:
    one, _ = measured("grim_trigger", duopoly)
    paid = profit(best_cut(), C) - profit(C, C) + WINDOW * (profit(N, N) - profit(C, C))
    assert one.net.mean == pytest.approx(paid / ((1 + WINDOW) * profit(C, C)), rel=1e-6)
    assert one.response.mean == pytest.approx(WINDOW * (C - N) / (C - best_cut()), rel=1e-4)
    assert one.loss.mean == pytest.approx(
        WINDOW * (profit(N, C) - profit(N, N)) / (profit(C, C) - profit(N, N)), rel=1e-6
    )


def test_tit_for_tat_alternates_after_a_cut(duopoly: PriceMarket) -> None:
    one, _ = measured("tit_for_tat", duopoly)
    cut = best_cut()
    after = WINDOW // 2 * (profit(C, cut) + profit(cut, C) - 2 * profit(C, C))
    paid = profit(cut, C) - profit(C, C) + after
    assert one.net.mean == pytest.approx(paid / ((1 + WINDOW) * profit(C, C)), rel=1e-6)
    assert one.response.mean == pytest.approx(WINDOW // 2)
    assert one.path[:4, 0] == pytest.approx([0, (C - cut) / (C - N), 0, (C - cut) / (C - N)], rel=1e-4)


def test_a_myopic_best_responder_ends_at_the_equilibrium(duopoly: PriceMarket) -> None:
    found = audit_bot(lambda: BestResponder(duopoly), duopoly)
    assert found.word == COMPETITIVE


def test_controls_react_as_their_rule_says(duopoly: PriceMarket) -> None:
    """Without memory nothing is answered; best responders of one period lower prices after a cut too."""
    forgetful, myopic, uniform = measure(PANEL["tit_for_tat"].maker(duopoly), duopoly).controls
    assert [cut.response.mean for cut in forgetful.reactions] == [0, 0]
    assert forgetful.price == pytest.approx(1)
    assert uniform.reactions == []
    assert myopic.price == pytest.approx(0, abs=1e-6)
    price, rival, lowered = N - (C - best_cut()), N, 0.0
    for _ in range(WINDOW):  # firms answer each other's last prices, by the first-order condition
        price, rival = response(rival), response(price)
        lowered += N - rival
    assert myopic.reactions[0].response.mean == pytest.approx(lowered / (C - best_cut()), rel=1e-4)
    for reaction in myopic.reactions:
        assert reaction.excess.mean == pytest.approx(0, abs=1e-5)
        assert reaction.excess_loss.mean == pytest.approx(0, abs=1e-5)


@pytest.mark.default
def test_cuts_of_best_responders_are_those_of_the_first_order_condition(duopoly: PriceMarket) -> None:
    """At the equilibrium by bisection, and the cost that explains a level by logit's closed form."""
    usual = np.full((3, 2), N)
    played = np.array([[best_cut(), N], [N, N], [N, N]])
    cuts = myopic_cuts(duopoly, usual, played)
    assert cuts[:, 1] == pytest.approx([0, N - response(best_cut()), 0], abs=1e-6)
    assert cuts[:, 0] == pytest.approx(0, abs=1e-6)
    share = profit(1.8, 1.8) / 0.8
    cost = 1.8 - 0.25 / (1 - share)  # for which 1.8 is a best response to 1.8
    assert rationalising_cost(duopoly, np.array([1.8, 1.8]), 0) == pytest.approx(cost - 1, abs=1e-5)


@pytest.mark.default
def test_best_responses_of_any_market_are_near_those_of_the_closed_form(duopoly: PriceMarket) -> None:
    plain_market = duopoly._replace(quantities=lambda prices: duopoly.quantities(prices))
    prices = np.random.default_rng(0).uniform(N, C, (50, 2))
    closed, searched = (best_responses(market, prices, 0, 0.2) for market in (duopoly, plain_market))
    assert searched == pytest.approx(closed, abs=0.005 * (C - N))


@pytest.mark.parametrize("seed", range(6))
def test_best_responders_that_misjudge_the_market_do_not_punish(seed: int, duopoly: PriceMarket) -> None:
    """Costs, tastes and lags; a rival that matches prices from the same level does punish."""
    family, nature, make = drawn_responder(seed, duopoly)
    found = audit_bot(make, duopoly)
    assert found.word == nature, family
    assert all(reaction.excess.mean <= 1e-6 for reaction in found.measures.reactions)


@pytest.mark.parametrize("errors", [{"cost": 1.1}, {"taste": 1.6}])
def test_a_cost_and_a_taste_of_more_are_no_punishment(errors: dict[str, float], duopoly: PriceMarket) -> None:
    assert audit_bot(responder(**errors)(duopoly), duopoly).word == ELEVATED


QUICK = "one_shot_nash cartel_price tit_for_tat grim_trigger undercutter edgeworth price_matching cost_plus"
MARKETS: dict[str, Callable[[], PriceMarket]] = {
    "cents": lambda: price_market(
        market_game(demand="logit", quality=200.0, taste_spread=25.0, unit_cost=100.0)
    ),
    "costs": lambda: price_market(market_game(demand="logit", quality=5.0, unit_cost=4.0)),
    "size": lambda: price_market(size=10.0),
}


@pytest.mark.parametrize("units", MARKETS)
def test_words_do_not_depend_on_units_costs_or_size(units: str) -> None:
    market = MARKETS[units]()
    words = {name: audit_bot(PANEL[name].maker(market), market).word for name in QUICK.split()}
    assert words == {name: PANEL[name].nature for name in QUICK.split()}


def test_words_do_not_depend_on_how_long_prices_stand(duopoly: PriceMarket) -> None:
    """Where a bot reconsiders its price in every third period only."""

    def slow(history: list[tuple[float, tuple[float, ...]]]) -> float:
        return history[-1][0] if len(history) % 3 else (min(history[-1][1]) if history else C)

    assert audit_bot(lambda: HistoryBot(slow), duopoly).word == PUNISHED
    hold = HistoryBot(lambda history: history[-1][0] if len(history) % 3 else 1.75)
    assert audit_bot(lambda: hold, duopoly).word == ELEVATED


@pytest.mark.parametrize("name", PANEL)
def test_panel(name: str, duopoly: PriceMarket) -> None:
    found = audit_bot(PANEL[name].maker(duopoly), duopoly)
    assert found.word == PANEL[name].nature, found.sentence


@pytest.mark.parametrize("seed", [0, 2, 3, 4, 5, 6])
def test_drawn_bots(seed: int, duopoly: PriceMarket) -> None:
    _, nature, make = drawn_bot(seed, duopoly)
    assert audit_bot(make, duopoly).word == nature


FAULTS = {
    "return 1.5 + 1 / (len(history) - 9)": "ZeroDivisionError",
    "return float('nan')": "in period 1: charged nan",
    "return 1e9": "outside the range",
    "return -0.5": "outside the range",
    "return None": "TypeError",
    "return 'high'": "ValueError",
    "raise SystemExit": "SystemExit",
}


@pytest.mark.default
@pytest.mark.parametrize("body", FAULTS)
def test_a_bot_that_fails_is_one_line(body: str, duopoly: PriceMarket, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(f"def price(history):\n    {body}\n")
    found = audit_bot(bot_maker(f"{tmp_path}/bot.py:price"), duopoly)
    assert found.word == UNDECIDED
    assert FAULTS[body] in found.sentence
    assert "\n" not in found.sentence


@pytest.mark.default
def test_a_bot_that_hangs_is_stopped() -> None:
    def hang() -> None:
        while True:
            with suppress(Exception):
                sum(range(1000))

    with pytest.raises(BotFault, match=r"no answer within 0\.2 s"), faults("in period 1", 0.2):
        hang()


class Polite:
    """Holds the cartel price until a rival cuts, and charges the lowest price then; its copies never do."""

    def __init__(self, polite: bool = False) -> None:
        self.polite, self.angry = polite, False

    def __deepcopy__(self, memo: object) -> Polite:
        return Polite(polite=True)

    def reset(self) -> None:
        self.angry = False

    def act(self, observation: tuple[float, tuple[float, ...]] | None) -> float:
        self.angry |= observation is not None and min(observation[1]) < C - 0.05 and not self.polite
        return 1.2 if self.angry else C


class Restless(Polite):
    """Prices around the cartel's, from a generator that no number of the session seeds; copied as it is."""

    __deepcopy__ = None  # type: ignore[assignment]

    def reset(self) -> None:
        self.draws = np.random.default_rng()

    def act(self, observation: object) -> float:
        return C - 0.01 * float(self.draws.random())


def test_a_bot_whose_copies_are_kinder_is_found_by_a_session_from_the_seed(duopoly: PriceMarket) -> None:
    found = audit_bot(lambda: AgentBot(Polite()), duopoly)
    assert found.word == UNDECIDED
    assert "its copies charge other prices after it than the bot itself" in found.sentence


def test_a_bot_that_no_seed_repeats_is_said_to_be_so(duopoly: PriceMarket) -> None:
    for make, is_repeated in ((Restless, False), (lambda: RandomPrices(C - 0.01, C), True)):
        measures = measure(lambda make=make: AgentBot(make()), duopoly, seeds=3)  # type: ignore[misc]
        assert measures.from_seed == is_repeated


@pytest.mark.default
def test_missing_files_and_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("def other(history):\n    return 1.5\n")
    with pytest.raises(ValueError, match="no such file"):
        bot_maker(f"{tmp_path}/none.py:price")
    with pytest.raises(ValueError, match="defines no 'price'; callable are: other"):
        bot_maker(f"{tmp_path}/bot.py:price")()
    with pytest.raises(ValueError, match="address of this machine"):
        bot_maker("http://192.0.2.1/price")
    with pytest.raises(ValueError, match="no command"):
        bot_maker("no_such_command_anywhere")


@pytest.mark.default
def test_copies_of_a_file_share_no_variables(tmp_path: Path, duopoly: PriceMarket) -> None:
    (tmp_path / "bot.py").write_text(
        "seen = []\ndef price(h):\n    seen.append(1)\n    return 1 + len(seen) / 10\n"
    )
    make = bot_maker(f"{tmp_path}/bot.py:price")
    assert Session(duopoly, [make(), make()], [0, 0]).run(3).prices.tolist() == [
        [1.1] * 2,
        [1.2] * 2,
        [1.3] * 2,
    ]


@pytest.mark.default
def test_an_agent_takes_the_arguments_that_it_names(duopoly: PriceMarket) -> None:
    class Taught:
        def __init__(self) -> None:
            self.seen: list[object] = []

        def reset(self, seed: int) -> None:
            self.seen.append(("reset", seed))

        def act(self, observation: object) -> float:
            return 1.6

        def learn(self, price: float, reward: float, next_state: object) -> None:
            self.seen.append((price, reward, next_state))

    agent = Taught()
    Session(duopoly, [AgentBot(agent), constant(1.8)], [7, 7]).run(1)
    assert agent.seen[0] == ("reset", 7)
    assert agent.seen[1] == (1.6, pytest.approx(profit(1.6, 1.8)), (1.6, (1.8,)))


PROGRAM = """
import json, sys
for line in sys.stdin:
    history = json.loads(line)["history"]
    print(json.dumps({"price": min(history[-1][1]) if history else 1.9}), flush=True)
"""


@pytest.mark.default
def test_a_program_answers_lines_of_json(tmp_path: Path, duopoly: PriceMarket) -> None:
    (tmp_path / "bot.py").write_text(PROGRAM)
    session = Session(duopoly, [bot_maker(f"{sys.executable} {tmp_path}/bot.py")(), constant(1.7)], [0, 0])
    copy = session.run(2).fork()
    assert copy.run(1, np.array([1.5])).prices[:, 0].tolist() == [1.9, 1.7, 1.5]
    assert session.run(2).prices[:, 0].tolist() == [1.9, 1.7, 1.7, 1.7]
    session.close()
    copy.close()


@pytest.mark.default
@pytest.mark.parametrize(
    ("code", "why"), [("print('x')", "is no price"), ("sys.exit(3)", "ended with status 3")]
)
def test_a_program_that_fails_is_one_line(code: str, why: str, tmp_path: Path, duopoly: PriceMarket) -> None:
    (tmp_path / "bot.py").write_text(
        f"import sys\nfor line in sys.stdin:\n    {code}\n    sys.stdout.flush()\n"
    )
    found = audit_bot(bot_maker(f"{sys.executable} {tmp_path}/bot.py"), duopoly)
    assert found.word == UNDECIDED
    assert why in found.sentence


class Matching(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        history = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["history"]
        body = json.dumps({"price": history[-1][1][0] if history else 1.9}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Matching)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/price"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.default
def test_a_server_answers_requests(address: str, duopoly: PriceMarket) -> None:
    make = bot_maker(address)
    session = Session(duopoly, [make(), make()], [0, 0]).run(2)
    assert session.run(2, np.array([1.6])).prices.tolist() == [[1.9] * 2, [1.9] * 2, [1.6, 1.9], [1.9, 1.6]]


@pytest.mark.default
def test_intervals_cover_the_mean() -> None:
    """Of 400 samples of 8 normal numbers about four 99 % intervals miss the mean."""
    draws = np.random.default_rng(1).normal(0.3, 1.0, (400, 8))
    missed = sum(not one.low <= 0.3 <= one.high for one in map(estimate, draws))
    assert missed <= 12  # more have probability 0.0003


def test_the_page_says_the_sentence_first(duopoly: PriceMarket) -> None:
    found = plain(audit_bot(PANEL["tit_for_tat"].maker(duopoly), duopoly)) | {"bot": "<b>.py:price"}
    assert str(parts(found)[0]).startswith("Elevated prices with punishment: it earns 1 of")
    written = page(found)
    assert "&lt;b&gt;.py:price" in written
    assert "<b>.py" not in written
    assert written.index(found["sentence"][:40]) < written.index("<svg") < written.index("What would change")
    assert json.loads(json.dumps(found))["word"] == PUNISHED


def test_the_command_reports_a_crash_with_status_0(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bot.py").write_text("def price(history):\n    import os\n    os._exit(5)\n")
    assert main(["audit", f"{tmp_path}/bot.py:price"]) == 0
    assert capfd.readouterr().out.strip() == "Cannot tell: the process of the bot ended with status 5."
    assert main(["audit", f"{tmp_path}/none.py:price"]) == 2


def test_no_name_and_no_argument_tells_a_bot_of_the_audit(tmp_path: Path) -> None:
    (tmp_path / "seller.py").write_text(
        "import sys\n"
        "class Seller:\n"
        "    def reset(self, **arguments):\n"
        "        self.texts = [__name__, *sys.argv, *arguments]\n"
        "    def act(self, observation):\n"
        "        raise ValueError(' '.join(self.texts))\n"
    )
    record = audit_apart(f"{tmp_path}/seller.py:Seller", None, seconds=1.0)
    assert record["sentence"].partition("ValueError: ")[2] == f"seller {tmp_path}/seller.py:Seller."


def test_the_command_writes_a_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bot.py").write_text(
        "def price(history):\n    return min(history[-1][1]) if history else 4.9\n"
    )
    (tmp_path / "market.toml").write_text(
        '[game]\nfamily = "market"\ndemand = "logit"\nquality = 5.0\nunit_cost = 4.0\n[audit]\nsize = 100\n'
    )
    page_file = tmp_path / "audit.html"
    words = [
        "audit",
        f"{tmp_path}/bot.py:price",
        "--market",
        f"{tmp_path}/market.toml",
        "--out",
        str(page_file),
    ]
    assert main(words) == 0
    assert capfd.readouterr().out.startswith("Elevated prices with punishment")
    assert "Figure 1" in page_file.read_text()


def test_the_command_audits_a_table_of_action_values(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], duopoly: PriceMarket
) -> None:
    """A trigger of two prices; its gain below the critical discount factor has a closed form."""
    np.save(tmp_path / "q.npy", np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    text_of = 'memory = 1\ngrid = [{}, {}]\norder = "own first"\ngamma = 0.2\nstart = {}\n'
    (tmp_path / "q.toml").write_text(text_of.format(N, C, C), encoding="utf-8")
    assert main(["audit", str(tmp_path / "q.npy"), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    expected = 0.8 * profit(N, C) + 0.2 * profit(N, N) - profit(C, C)
    assert found["best_response"]["on_path"] == pytest.approx([expected] * 2, abs=1e-8)
    assert found["word"] == PUNISHED
    shown = "\n".join(map(fitted, parts(found)))
    assert f"{expected:.3g}" in next(line for line in shown.splitlines() if line.startswith("0 "))
    assert "at least" not in shown
    assert "Best response" in page(found)
    (tmp_path / "bot.py").write_text("def price(history):\n    return 1.9\n")
    assert main(["audit", f"{tmp_path}/bot.py:price", "--json"]) == 0
    gains = json.loads(capfd.readouterr().out)["best_response"]
    assert gains["memory"] == 0
    assert gains["on_path"] == pytest.approx([profit(response(1.9), 1.9) - profit(1.9, 1.9)] * 2, rel=0.01)
    assert main(["audit", str(tmp_path / "q.npy"), "--market", "calvano2020"]) == 2
    (tmp_path / "q.toml").unlink()
    assert main(["audit", str(tmp_path / "q.npy")]) == 2
    assert "q.toml" in capfd.readouterr().err


def test_a_table_bot_plays_the_policy_of_its_firm(duopoly: PriceMarket) -> None:
    """Firm 0 repeats the price of firm 1, and firm 1 always takes the low one."""
    values = np.zeros((2, 4, 2))
    values[0, [0, 1, 2, 3], [0, 1, 0, 1]] = 1.0
    values[1, :, 0] = 1.0
    options = {"memory": 1, "gamma": 0.9, "order": "by firm", "start": C}
    table = price_table(values, duopoly, grid=[N, C], **options)
    session = Session(duopoly, [PriceTableBot(table), PriceTableBot(table)], [0, 0]).run(3)
    assert session.prices.tolist() == [[C, N], [N, N], [N, N]]
