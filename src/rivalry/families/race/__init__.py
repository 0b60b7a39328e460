"""Races for a risky technology: safety and performance as inputs, once or over many periods.

Modules, each importing only from those above it:

- `rules`: what decides one period, as classes with their keys (contest, risk, reward, cost, technology);
- `model`: the race as data, with its payoffs;
- `symmetric`: symmetric first-order points, and the slopes of safety there;
- `best`: candidates for best responses; `bounds`: bounds on payoffs of one period;
- `oracles`: what is registered of all this for `Race`: metrics, plot data, native play, games at a state;
- `beliefs`: players that believe in different races;
- `factory`: from keys to a race;
- `figures`: charts of results, which import none of these.
"""
