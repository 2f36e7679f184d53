"""Fleets that are killed, stopped and cut off while their stream changes, on virtual time: seed by seed.

`HEADRACE_SEEDS` says how many seeds (60; `make soak` thousands), a quarter of them over Kinesis as its connector reads
it too; `HEADRACE_SEED` runs one.
"""

from __future__ import annotations

import os

import pytest

from headrace.testing import virtual
from support.simulated_kinesis import SimulatedKinesis
from support.simulation import RECORDS, Simulation

ONE = os.environ.get("HEADRACE_SEED")
SEEDS = [int(ONE)] if ONE else range(int(os.environ.get("HEADRACE_SEEDS", "60")))


async def holds(simulation: Simulation) -> None:
    found = await simulation.run()
    assert found.holds, found
    assert found.settled == RECORDS


@pytest.mark.parametrize("seed", SEEDS)
@virtual
async def test_a_fleet_keeps_its_promises(seed: int) -> None:
    print(f"HEADRACE_SEED={seed}")  # noqa: T201 - pytest shows it for a seed that fails
    await holds(Simulation(seed))


@pytest.mark.parametrize("seed", SEEDS[::4])
@virtual
async def test_a_fleet_over_kinesis_keeps_its_promises(seed: int) -> None:
    print(f"HEADRACE_SEED={seed}")  # noqa: T201 - as above
    await holds(SimulatedKinesis(seed))


@pytest.mark.parametrize("seed", SEEDS[::20])
@pytest.mark.parametrize("kind", [Simulation, SimulatedKinesis])
def test_a_seed_replays_exactly(kind: type[Simulation], seed: int) -> None:
    """Mutation: chance that is not the seed's (tried)."""

    @virtual
    async def run() -> object:
        simulation = kind(seed)
        await simulation.run()
        return simulation.history, simulation.fleet.ledger.writes

    assert run() == run()
