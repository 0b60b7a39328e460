"""Traffic assignment: travellers of a continuum choose routes through a road network.

Terms (after Sheffi 1985 and Patriksson 1994):

- *link*: a road in one direction; its *cost* rises with its *flow*, in the unit of demand;
- *trips*: the demand of an origin-destination pair;
- *user equilibrium*: no traveller has a cheaper route (Wardrop's first principle);
- *system optimum*: total cost is lowest (his second); *marginal tolls* make it a user equilibrium.
"""
