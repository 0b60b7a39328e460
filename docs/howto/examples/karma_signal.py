"""Vehicles of SUMO bid karma for green: pip install 'rivalry[envs]' eclipse-sumo traci."""

import subprocess
import tempfile
from pathlib import Path
from random import Random

import rivalry as rv

ARMS = {"north": (0, 200), "east": (200, 0), "south": (0, -200), "west": (-200, 0)}  # metres
RED, GREEN = 3, 7  # seconds between two greens, and of a green
QUIET = ("--no-step-log", "--no-warnings")
REST = 60  # most seconds between two trips of a commuter


def write_crossing(folder, netconvert):
    """Write four roads that meet at a signal."""
    places = {"middle": (0, 0), **ARMS}
    nodes = [
        f'<node id="{name}" x="{x}" y="{y}" type="{"priority" if name in ARMS else "traffic_light"}"/>'
        for name, (x, y) in places.items()
    ]
    edges = [
        f'<edge id="{tail}_{head}" from="{tail}" to="{head}" numLanes="1" speed="13.9"/>'
        for arm in ARMS
        for tail, head in ((arm, "middle"), ("middle", arm))
    ]
    (folder / "crossing.nod.xml").write_text(f"<nodes>{''.join(nodes)}</nodes>")
    (folder / "crossing.edg.xml").write_text(f"<edges>{''.join(edges)}</edges>")
    files = ["-n", folder / "crossing.nod.xml", "-e", folder / "crossing.edg.xml"]
    network = folder / "crossing.net.xml"
    subprocess.run([netconvert, *files, "-o", network, "--no-turnarounds"], check=True, capture_output=True)
    return network


class Commuters:
    """Trips of the account's holders across the junction, each of an urgency drawn at its start."""

    def __init__(self, traci, account, seed):
        self.traci, self.account, self.random = traci, account, Random(seed)
        self.ready = {name: self.random.randint(0, REST) for name in account.balances}
        self.urgency, self.waited, self.waits = {}, {}, {1.0: [], 5.0: []}

    def depart(self, second):
        for name in [name for name, start in self.ready.items() if start <= second]:
            del self.ready[name]
            origin, destination = self.random.sample(sorted(ARMS), 2)
            route, edges = f"{name} at {second}", [f"{origin}_middle", f"middle_{destination}"]
            self.traci.route.add(route, edges)
            self.traci.vehicle.add(name, route)
            self.urgency[name], self.waited[name] = self.random.choice([1.0, 5.0]), 0.0

    def arrive(self, second):
        for name in self.traci.vehicle.getIDList():
            self.waited[name] = self.traci.vehicle.getAccumulatedWaitingTime(name)
        for name in self.traci.simulation.getArrivedIDList():
            self.waits[self.urgency.pop(name)].append(self.waited.pop(name))
            self.ready[name] = second + self.random.randint(1, REST)

    def first_in_line(self):
        """Return the commuter next to the signal on each arm, by arm."""
        first = {}
        for arm in ARMS:
            vehicles = self.traci.edge.getLastStepVehicleIDs(f"{arm}_middle")
            if vehicles:
                first[max(vehicles, key=self.traci.vehicle.getLanePosition)] = arm
        return first

    def bid(self):
        """Return the arm whose first commuter bids most; the end of the contest is a step of the economy."""
        for name, urgency in self.urgency.items():
            self.account.set_urgency(name, urgency)
        first = self.first_in_line()
        served = self.account.contest(first)
        self.account.advance()
        return first[served[0]] if served else None


def run(policy, seconds=3600, commuters=40, seed=1):
    """Return waiting seconds by urgency, and the account, where a signal serves the highest bidder."""
    import sumo
    import traci

    programs = Path(sumo.SUMO_HOME) / "bin"
    game = rv.games.karma(payment="PBS", mean_karma=4.0, max_karma=8)
    account = rv.envs.karma_account(game, [f"commuter {k}" for k in range(commuters)], policy, seed=seed)
    with tempfile.TemporaryDirectory() as name:
        network = write_crossing(Path(name), programs / "netconvert")
        traci.start([str(programs / "sumo"), "-n", str(network), "--seed", str(seed), *QUIET])
        try:
            travellers = Commuters(traci, account, seed)
            arms = [links[0][0].split("_")[0] for links in traci.trafficlight.getControlledLinks("middle")]
            green, previous = None, None
            for second in range(seconds):
                travellers.depart(second)
                phase = second % (RED + GREEN)
                if phase == 0:
                    green, previous = travellers.bid(), green
                colour, shown = ("y", previous) if phase < RED else ("G", green)
                state = "".join(colour if arm == shown else "r" for arm in arms)
                traci.trafficlight.setRedYellowGreenState("middle", state)
                traci.simulationStep()
                travellers.arrive(second)
        finally:
            traci.close()
    return travellers.waits, account


if __name__ == "__main__":
    for policy in ("zero", "equilibrium"):
        waits, account = run(policy)
        means = {urgency: round(sum(times) / len(times), 1) for urgency, times in waits.items()}
        print(policy, "seconds of waiting by urgency:", means)
