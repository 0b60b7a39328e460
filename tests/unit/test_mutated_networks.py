"""Files of roads with a mistake in them: one line of refusal, or the numbers that a plain reader finds."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.roads.model import RouteGame
from tests.networks import FORMATS, Drawn, drawn_network

pytestmark = pytest.mark.slow

Rng = np.random.Generator
FILES = {
    "tntp": ("net.tntp", "trips.tntp"),
    "csv": ("links.csv", "trips.csv"),
    "gmns mile mph": ("link.csv", "node.csv", "demand.csv", "config.csv"),
}
ENTRIES = (
    "",
    "nan",
    "inf",
    "-3",
    "0",
    "0x3",
    "3.0",
    "03",
    "7",
    "1e1",
    "many",
    "1_0",
    "4 5",
    "12 min",
    "\u0663",
    "5,5",
)
NAMES = (
    "many",
    "12 min",
    "0x3",
    "1e1",
    "1_0",
    "4 5",
    "\u0663",
    "5,5",
    "-3",
)  # of nodes, where they may be text
OTHERS = {"from": "init_node from_node_id", "to": "term_node to_node_id", "b": "alpha vdf_alpha"}
OTHERS |= {"power": "beta vdf_beta", "free_flow_time": "free_flow_time(min) vdf_fftt"}
CANONICAL = {other: name for name, others in OTHERS.items() for other in others.split()}
Links = dict[str, tuple[float, ...]]
Numbers = tuple[Links, dict[str, float]]


def mutated(text: str, rng: Rng) -> str:
    """The text with one mistake: in an entry, a row, a column, or a mark."""
    lines = text.splitlines()
    at = int(rng.integers(len(lines)))
    words = re.split(r"([\s,;:<>~]+)", lines[at])
    entries = [k for k, word in enumerate(words) if re.fullmatch(r"[^\s,;:<>~]+", word)]
    kind = rng.integers(7)
    if kind < 3 and entries:
        words[rng.choice(entries)] = str(rng.choice(ENTRIES))
        lines[at] = "".join(words)
    elif kind == 3 and len(entries) > 1:
        first, second = rng.choice(entries, 2, replace=False)
        words[first], words[second] = words[second], words[first]
        lines[at] = "".join(words)
    elif kind == 4:
        del lines[at]
    elif kind == 5:
        lines.insert(int(rng.integers(len(lines))), lines[at])
    else:
        mark = rng.choice([",", ";", ":", " ", "~", ">"])
        lines[at] = lines[at].replace(str(mark), str(rng.choice([",", ";", ":", "\t", ""])), 1)
    return "\n".join(lines) + "\n"


def number(text: str) -> float:
    if not re.fullmatch(
        r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?\s*", text, re.ASCII | re.IGNORECASE
    ):
        raise ValueError(text)
    if float(text) < 0:
        raise ValueError(text)
    return float(text)


def node(text: str) -> str:
    """A whole number, or a name that no mistake in a number makes."""
    text = text.strip().removesuffix(".0")
    is_name = text in NAMES or re.fullmatch(r"[0-9]+\.[0-9]+", text)
    if not is_name and (not text.isascii() or not text.isdigit() or (text.startswith("0") and text != "0")):
        raise ValueError(text)
    return text


def rows_of_csv(text: str) -> list[dict[str, str]]:
    head, *rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line]
    if any(len(row) != len(head) for row in rows) or len(set(head)) < len(head):
        raise ValueError("rows")
    return [{CANONICAL.get(name, name): cell for name, cell in zip(head, row, strict=True)} for row in rows]


def rows_of_tntp(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("<")]
    (head,) = [line.strip("~ ;").lower().split() for line in lines if line.startswith("~")]
    rows = [line.strip("; ").split() for line in lines if not line.startswith("~")]
    (count,) = [line.split()[-1] for line in text.splitlines() if line.startswith("<NUMBER OF LINKS>")]
    rows = [row for row in rows if row]
    if int(count) != len(rows):
        raise ValueError(count)
    return rows_of_csv("\n".join(map(",".join, [head, *rows])))


def links_of(rows: list[dict[str, str]]) -> Links:
    links: Links = {}
    for row in rows:
        name = ">".join(node(row[end]) for end in ("from", "to"))
        parallel = sum(other.partition(" ")[0] == name for other in links)
        texts = (row["free_flow_time"], row["capacity"], row.get("b", "0.15"), row.get("power", "4"))
        time, capacity, b, power = map(number, texts)
        rises = power > 0 and time * b > 0
        constant = time if power else time * (1 + b)
        terms = (constant, time * b / capacity**power, power) if rises else (constant, 0.0, 1.0)
        links[name if not parallel else f"{name} ({parallel + 1})"] = terms
    return links


def trips_of(rows: list[dict[str, str]]) -> dict[str, float]:
    trips: dict[str, float] = {}
    for row in rows:
        name = ">".join(node(row[end]) for end in ("from", "to"))
        trips[name] = trips.get(name, 0.0) + number(row["trips"])
    return {name: amount for name, amount in trips.items() if amount and len(set(name.split(">"))) > 1}


def plain_tntp(texts: dict[str, str]) -> Numbers:
    rows, origin = [], ""
    for line in texts["trips.tntp"].splitlines():
        if line.startswith("Origin "):
            origin = line.split(" ")[1]
            continue
        for entry in filter(str.strip, line.split(";")):
            head, amount = entry.split(":")
            rows.append({"from": origin, "to": head, "trips": amount})
    links = links_of(rows_of_tntp(texts["net.tntp"]))
    if not all(name.partition(" ")[0].replace(">", "").isdigit() for name in links):
        raise ValueError("names")
    return links, trips_of(rows)


def plain_csv(texts: dict[str, str]) -> Numbers:
    return links_of(rows_of_csv(texts["links.csv"])), trips_of(rows_of_csv(texts["trips.csv"]))


def plain_gmns(texts: dict[str, str]) -> Numbers:
    (config,) = rows_of_csv(texts["config.csv"])
    if (config["long_length"], config["speed"]) != ("mile", "mph"):
        raise ValueError("units")
    rows = rows_of_csv(texts["link.csv"])
    for row in rows:
        if row.pop("directed", "1") not in ("1", "True"):
            raise ValueError("directed")
        row["capacity"] = str(number(row["capacity"]) * number(row.get("lanes", "1")))
        row["free_flow_time"] = repr(60 * number(row["length"]) / number(row["free_speed"]))
    nodes = {row["zone_id"]: row["node_id"] for row in rows_of_csv(texts["node.csv"])}
    trips = [
        {"from": nodes[row["o_zone_id"]], "to": nodes[row["d_zone_id"]], "trips": row["volume"]}
        for row in rows_of_csv(texts["demand.csv"])
    ]
    return links_of(rows), trips_of(trips)


PLAIN: dict[str, Callable[[dict[str, str]], Numbers]] = {
    "tntp": plain_tntp,
    "csv": plain_csv,
    "gmns mile mph": plain_gmns,
}


def numbers_of(game: RouteGame) -> Numbers:
    coefficients = game.coefficient.sum(axis=0).tolist()
    columns = game.constant.tolist(), coefficients, game.power[0].tolist()
    links = dict(zip(game.link_names().tolist(), zip(*columns, strict=True), strict=True))
    return links, dict(zip(game.pair_names().tolist(), game.trips.tolist(), strict=True))


def game_or_refusal(source: Any, demand: Any) -> RouteGame | str:
    try:
        game: RouteGame = rv.games.routes(source, demand=demand)
    except ValueError as error:
        return str(error)
    return game


def plain_numbers(form: str, texts: dict[str, str], changed: dict[str, str]) -> Numbers:
    """Numbers of the changed texts; of those before where no plain reader reads them: a mark, at most."""
    try:
        return PLAIN[form](texts | changed)
    except (ValueError, KeyError, ZeroDivisionError):
        return PLAIN[form](texts)


def are_equal(first: Numbers, second: Numbers) -> bool:
    return all(
        one.keys() == other.keys() and all(one[name] == pytest.approx(other[name], rel=1e-9) for name in one)
        for one, other in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("seed", range(15))
def test_a_mistake_is_refused_or_read_as_it_is_written(form: str, seed: int, tmp_path: Path) -> None:
    network: Drawn = drawn_network(seed)
    rng = np.random.default_rng(seed)
    source, demand = FORMATS[form](network, tmp_path, rng)
    texts = {name: (tmp_path / name).read_text() for name in FILES[form]}
    for _ in range(10):
        name = str(rng.choice(FILES[form]))
        text = mutated(texts[name], rng)
        (tmp_path / name).write_text(text)
        game = game_or_refusal(source, demand)
        if isinstance(game, str):
            assert "\n" not in game
            assert len(game) < 400
        else:
            expected = plain_numbers(form, texts, {name: text})
            assert are_equal(numbers_of(game), expected), f"{name}:\n{text}"
            strange = set(game.node_names) - set("123456")
            assert strange <= set(dict(game.notes).get("nodes that lead nowhere", "").split(", "))
        (tmp_path / name).write_text(texts[name])
