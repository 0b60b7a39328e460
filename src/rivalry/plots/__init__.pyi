"""Charts, and the recipes of families that are drawn with them: labelled data in, Matplotlib axes out."""

from rivalry.economies.figures.bidding import bid_distribution as bid_distribution
from rivalry.economies.figures.bidding import karma_histogram as karma_histogram
from rivalry.economies.figures.bidding import mean_bids as mean_bids
from rivalry.economies.figures.bidding import policy_map as policy_map
from rivalry.economies.figures.congestion import bid_congestion as bid_congestion
from rivalry.economies.figures.congestion import lane_load as lane_load
from rivalry.economies.figures.design_search import design_search as design_search
from rivalry.economies.figures.example_agents import example_bids as example_bids
from rivalry.economies.figures.fairness import fairness_plane as fairness_plane
from rivalry.economies.figures.learning import agent_histogram as agent_histogram
from rivalry.economies.figures.learning import exploitability_curve as exploitability_curve
from rivalry.economies.figures.learning import social_traces as social_traces
from rivalry.economies.figures.streets import example_routes as example_routes
from rivalry.economies.figures.streets import street_map as street_map
from rivalry.families.influencer.figures import influence as influence
from rivalry.families.influencer.figures import resource as resource
from rivalry.families.influencer.figures import shares as shares
from rivalry.families.market.figures import commitment as commitment
from rivalry.families.market.figures import valuation_path as valuation_path
from rivalry.families.race.figures import deviation as deviation
from rivalry.families.race.figures import payoff_landscape as payoff_landscape
from rivalry.families.race.figures import precipice as precipice
from rivalry.families.race.figures import safety_frontier as safety_frontier
from rivalry.families.race.figures import schedule as schedule
from rivalry.families.race.figures import subsidy as subsidy
from rivalry.families.race.figures import technology as technology
from rivalry.plots.charts.best_responses import cycle as cycle
from rivalry.plots.charts.best_responses import reaction as reaction
from rivalry.plots.charts.bifurcation import bifurcation as bifurcation
from rivalry.plots.charts.class_gains import class_gains as class_gains
from rivalry.plots.charts.ends import basins as basins
from rivalry.plots.charts.ends import end_positions as end_positions
from rivalry.plots.charts.enumeration import enumeration as enumeration
from rivalry.plots.charts.flow_map import flow_map as flow_map
from rivalry.plots.charts.histogram import histogram as histogram
from rivalry.plots.charts.learning_curve import learning_curve as learning_curve
from rivalry.plots.charts.logit_branch import logit_branch as logit_branch
from rivalry.plots.charts.paths import paths as paths
from rivalry.plots.charts.phase import landscape as landscape
from rivalry.plots.charts.proved_numbers import proved_numbers as proved_numbers
from rivalry.plots.charts.scenario import heat as heat
from rivalry.plots.charts.scenario import scenario as scenario
from rivalry.plots.charts.spectra import spectrum as spectrum
from rivalry.plots.charts.spectra import stability_window as stability_window
from rivalry.plots.charts.strategies import impulse_response as impulse_response
from rivalry.plots.charts.strategies import policy as policy
from rivalry.plots.charts.strategies import strategies as strategies
from rivalry.plots.charts.triangle import ternary as ternary
from rivalry.plots.films import film as film
from rivalry.roads.figures import arrivals as arrivals
from rivalry.schema.register import PlotEntry

PATH_VIEWS: tuple[str, ...]
PLOTS: dict[str, PlotEntry]

def entry_of(kind: str) -> PlotEntry | None: ...
