"""Game families: name, factory and summary of each. A factory's signature is its schema."""

from collections.abc import Callable
from typing import Any, Literal

from numpy import ndarray

from rivalry.economies.city.model import City
from rivalry.economies.karma.model import KarmaEconomy
from rivalry.families.auction import auction as auction
from rivalry.families.continuous import continuous as continuous
from rivalry.families.influencer.model import InfluencerGame
from rivalry.families.lq import lq as lq
from rivalry.families.market.contingent import ContingentMarket
from rivalry.families.market.leaders import StagedMarket
from rivalry.families.market.model import Market
from rivalry.families.matrix import matrix as matrix
from rivalry.families.precipice import precipice as precipice
from rivalry.families.race.factory import race as race
from rivalry.roads.bottleneck import bottleneck as bottleneck
from rivalry.roads.factory import routes as routes
from rivalry.schema.register import FamilyEntry

def city(
    *,
    network: str | dict[str, Any] = ...,
    exclude_same_node: bool = ...,
    agents: int | None = ...,
    paths_per_agent: int | None = ...,
    allocation: int = ...,
    routes: list[list[list[str]]] | None = ...,
    demand: Any = ...,
    planning: Literal["k_shortest", "nodes", "none", "start"] = ...,
    alternatives: int | None = ...,
    urgencies: list[float] | ndarray = ...,
    urgency_distribution: list[float] | None = ...,
    p_dormant: float = ...,
    trip_distribution: list[list[float]] | list[float] | ndarray | None = ...,
    gamma: float = ...,
    types: list[dict[str, Any]] | None = ...,
    max_karma: int = ...,
    mean_karma: float = ...,
    initial_karma: list[int] | ndarray | None = ...,
    capacity: int | list[int] | dict[str, Any] | str | None = ...,
    payment: Literal["PBP", "PBS", "uniform_highest_refused", "uniform_lowest_admitted"] = ...,
    charge_uncontended: bool = ...,
    exclude_dormant: bool = ...,
    toll: float | list[float] | dict[str, Any] = ...,
    subsidy: float | list[float] | dict[str, Any] = ...,
    local: float = ...,
    tie: Literal["coin", "lowest_index"] = ...,
    coalition: int | dict[str, Any] = ...,
    transfer: Literal["even", "independent", "none", "urgent"] = ...,
) -> City: ...
def influencer(
    *,
    players: int | None = ...,
    space: Literal["box", "interval", "simplex"] = ...,
    corners: int | None = ...,
    bounds: list[float] | list[list[float]] | ndarray | None = ...,
    kernel: Literal[
        "beta", "blotto", "custom", "dirichlet", "dirichlet_mode", "exponential", "gaussian", "power_law"
    ] = ...,
    reach: float | list[float] | ndarray | None = ...,
    variance: float | list[float] | ndarray | None = ...,
    covariance: list[list[float]] | list[list[list[float]]] | ndarray | None = ...,
    normalised: bool = ...,
    choose_reach: list[float] | ndarray | None = ...,
    reach_cost: float | list[float] | ndarray | None = ...,
    exponent: float | list[float] | ndarray | None = ...,
    alpha: float | list[float] | ndarray | None = ...,
    reference_corner: int | None = ...,
    distance_floor: float | None = ...,
    influence: str | Callable[..., Any] | None = ...,
    parameters: dict[str, float | list[float] | ndarray] | None = ...,
    resource_points: dict[str, Any] | list[float] | list[list[float]] | ndarray | None = ...,
    resource: str | dict[str, Any] | list[float] | ndarray | Callable[..., Any] = ...,
    normalise: bool = ...,
    budgets: float | list[float] | ndarray = ...,
    third_party: str | dict[str, Any] | list[float] | ndarray | Callable[..., Any] | None = ...,
    abstention: float | dict[str, float] | None = ...,
    zero_influence: Literal["error", "lost", "share"] = ...,
) -> InfluencerGame: ...
def karma(
    *,
    urgencies: list[float] | ndarray = ...,
    chain: list[list[float]] | list[float] | ndarray | str | Callable[..., Any] | None = ...,
    served_chain: list[list[float]] | list[float] | ndarray | str | Callable[..., Any] | None = ...,
    reward: str | Callable[..., Any] | None = ...,
    private_names: list[str] | None = ...,
    gamma: float = ...,
    mean_karma: float = ...,
    max_karma: int = ...,
    payment: Literal["PBP", "PBS", "difference", "fixed_price", "highest_losing_bid"] = ...,
    receiver: Literal["peer", "society"] | None = ...,
    price: int | None = ...,
    charge: list[list[int]] | ndarray | str | Callable[..., Any] | None = ...,
    overflow: Literal["burn", "surplus", "winner_pays_room"] = ...,
    tax: float | list[float] | ndarray | str | Callable[..., Any] = ...,
    redistribute_every: int = ...,
    participants: int = ...,
    places: int = ...,
    bids: list[int] | ndarray | None = ...,
    tie: Literal["coin", "highest_urgency", "lowest_index", "nobody"] = ...,
    signal: Literal["karma", "none", "richer"] | list[list[int]] | ndarray = ...,
    types: list[dict[str, Any]] | None = ...,
    agents: int | None = ...,
    initial_karma: list[int] | ndarray | None = ...,
    idle: Literal["none", "random"] = ...,
) -> KarmaEconomy: ...
def market(
    *,
    players: int | None = ...,
    demand: Literal["differentiated", "isoelastic", "linear", "logit"]
    | str
    | dict[str, Any]
    | Callable[..., Any] = ...,
    choice: Literal["price", "quantity"] | None = ...,
    intercept: float | None = ...,
    slope: float | None = ...,
    substitution: float | None = ...,
    market_size: float | None = ...,
    elasticity: float | None = ...,
    price_flat_below: float | None = ...,
    quality: float | list[float] | ndarray | None = ...,
    outside_option: float | None = ...,
    taste_spread: float | None = ...,
    nests: list[list[int]] | None = ...,
    nesting: float = ...,
    consumers: dict[str, Any] | None = ...,
    unit_cost: float | list[float] | ndarray | None = ...,
    convex_cost: float | list[float] | ndarray = ...,
    fixed_cost: float | list[float] | ndarray = ...,
    capacity: float | list[float] | ndarray = ...,
    tax: float | list[float] | ndarray | dict[str, Any] = ...,
    tax_losses: Literal["none", "refunded"] = ...,
    owners: list[list[int]] | None = ...,
    ownership: list[list[float]] | ndarray | None = ...,
    cost_saving: float | list[float] | ndarray = ...,
    rationing: Literal["efficient", "proportional"] | None = ...,
    low: float | list[float] | ndarray | None = ...,
    high: float | list[float] | ndarray | None = ...,
    grid_margin: float = ...,
    stages: list[list[int]] | None = ...,
    timing: Literal["alternating", "simultaneous", "staged"] | None = ...,
    turns: list[list[int]] | None = ...,
    shock: dict[str, Any] | None = ...,
    shock_observed: bool = ...,
    growth: float = ...,
    adjustment: Literal["none", "predetermined", "spot"] = ...,
    adjustment_cost: float | list[float] | ndarray = ...,
    initial: float | list[float] | ndarray | None = ...,
    sticky: float = ...,
    cash: float | list[float] | ndarray | None = ...,
    cash_min: float | list[float] | ndarray = ...,
    capex: float | list[float] | ndarray | None = ...,
    capex_convex: float | list[float] | ndarray = ...,
    depreciation: float | list[float] | ndarray = ...,
    reversible: bool = ...,
    gamma: float | list[float] | ndarray | None = ...,
    wacc: float | list[float] | ndarray | None = ...,
    survival: float | list[float] | ndarray = ...,
    horizon: int | None = ...,
    convention: Literal["end", "mid", "period0"] = ...,
    terminal: Literal["gordon", "multiple", "none", "perpetuity"] = ...,
    terminal_growth: float = ...,
    multiple: float = ...,
) -> Market | StagedMarket | ContingentMarket: ...

GAMES: dict[str, FamilyEntry]
