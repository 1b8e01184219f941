"""Many processes lease and release ports in one range, while the kernel hands out numbers of its own.

A table in shared memory says who has which number: written after each claim, cleared before each release. A claim that
finds its number taken, or changed when it is given back, is a collision; so is a held number that the kernel gives to
an outgoing connection or to `bind(0)`. A claim is lost if somebody else can bind its number while it is held, or if a
server that is bound over it does not get the connection that is made to it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import socket
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any

from measure import table

from envspec.leases.ports import Hold, claim
from envspec.leases.sysctl import ephemeral_range

CONTEXT = multiprocessing.get_context("fork")
NOISE_PROCESSES = 2
NOISE_AT_A_TIME = 200  # connections, and as many sockets bound to port 0
SERVE_EVERY = 50  # cycles between two servers that are started over a hold
PATIENCE = 300  # seconds after which a process that does not answer has failed


@dataclass(frozen=True)
class Load:
    """How much of what to do, and the first port of the range."""

    first: int
    processes: int
    cycles: int
    held: int
    ports: int

    @property
    def last(self) -> int:
        return self.first + self.ports - 1


@dataclass
class Count:
    """What one process, or all of them, did and saw. `seconds` holds the duration of each claim."""

    numbers: int = 0
    collisions: int = 0
    lost: int = 0
    seconds: list[float] = field(default_factory=list)


def lease_and_release(load: Load, me: int, owners: Any, counts: Any) -> None:
    """Claim a number, check it and another, and give one back once enough are held: so many times."""
    count, chance = Count(), random.Random(me)
    held: list[Hold] = []
    for cycle in range(load.cycles):
        begin = time.perf_counter()
        [hold] = claim("127.0.0.1", [(load.first, load.last)])
        count.seconds.append(time.perf_counter() - begin)
        count.numbers += 1
        count.collisions += owners[hold.number] != 0
        owners[hold.number] = me
        held.append(hold)
        count.lost += not is_exclusive(chance.choice(held))
        if cycle % SERVE_EVERY == 0:
            count.lost += not is_served(chance.choice(held))
        if len(held) > load.held:
            count.collisions += release(held.pop(chance.randrange(len(held))), me, owners)
    count.collisions += sum(release(hold, me, owners) for hold in held)
    counts.put(count)


def release(hold: Hold, me: int, owners: Any) -> bool:
    """Give a number back; tell whether somebody else has entered himself as its owner."""
    changed = bool(owners[hold.number] != me)
    owners[hold.number] = 0
    hold.close()
    return changed


def is_exclusive(hold: Hold) -> bool:
    """Whether a stranger's bind to a held number fails."""
    with socket.socket() as stranger:
        try:
            stranger.bind(("127.0.0.1", hold.number))
        except OSError:
            return True
    return False


def is_served(hold: Hold) -> bool:
    """Whether a server that is bound over the hold gets the connection that is made to it."""
    with socket.create_server(("127.0.0.1", hold.number)) as server:
        server.settimeout(10)
        with socket.create_connection(("127.0.0.1", hold.number), timeout=10) as client:
            connection, peer = server.accept()
            connection.close()
            return bool(peer == client.getsockname())


def make_noise(owners: Any, over: Event, counts: Any) -> None:
    """Open connections and bind to port 0, look at the numbers that the kernel gave, close all, and so on."""
    count, parent = Count(), os.getppid()
    while not over.is_set() and os.getppid() == parent:  # a benchmark that was killed must not leave its noise behind
        with ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(NOISE_AT_A_TIME):
                client = stack.enter_context(socket.create_connection(listener.getsockname()))
                stack.enter_context(listener.accept()[0])
                bound = stack.enter_context(socket.socket())
                bound.bind(("127.0.0.1", 0))
                given = [sock.getsockname()[1] for sock in (client, bound)]
                count.numbers += len(given)
                count.collisions += sum(owners[number] != 0 for number in given)
    counts.put(count)


def measure(load: Load) -> tuple[Count, Count, float]:
    """Run the load with its noise; return what the claimers saw, what the noise saw, and the seconds it took."""
    owners, over = CONTEXT.RawArray("i", 65536), CONTEXT.Event()
    leased, noise = CONTEXT.Queue(), CONTEXT.Queue()
    begin = time.perf_counter()
    noisy = [
        CONTEXT.Process(target=make_noise, args=(owners, over, noise), daemon=True) for _ in range(NOISE_PROCESSES)
    ]
    busy = [
        CONTEXT.Process(target=lease_and_release, args=(load, me, owners, leased), daemon=True)
        for me in range(1, load.processes + 1)
    ]
    for process in noisy + busy:
        process.start()
    of_leases = total([leased.get(timeout=PATIENCE) for _ in busy])
    took = time.perf_counter() - begin
    over.set()
    of_noise = total([noise.get(timeout=PATIENCE) for _ in noisy])
    for process in noisy + busy:
        process.join()
    return of_leases, of_noise, took


def total(counts: list[Count]) -> Count:
    return Count(
        numbers=sum(count.numbers for count in counts),
        collisions=sum(count.collisions for count in counts),
        lost=sum(count.lost for count in counts),
        seconds=[seconds for count in counts for seconds in count.seconds],
    )


def row(where: str, load: Load) -> list[object]:
    leases, noise, took = measure(load)
    micro = sorted(seconds * 1e6 for seconds in leases.seconds)
    return [
        f"{where}: {load.first}-{load.last}",
        f"{leases.numbers:,}",
        f"{noise.numbers:,}",
        leases.collisions + noise.collisions,
        leases.lost,
        f"{statistics.median(micro):.0f} / {micro[len(micro) * 95 // 100]:.0f}",
        f"{took:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("processes", 16), ("cycles", 2000), ("held", 500), ("ports", 10000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = vars(parser.parse_args())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = [
        row("below the kernel's own range", Load(first=20000, **asked)),
        row("within it", Load(first=ephemeral_range()[0] + 1000, **asked)),
    ]
    print("## Port leases\n")
    print(
        f"{asked['processes']} processes, {asked['cycles']:,} lease and release cycles each, up to {asked['held']} held"
    )
    print(
        f"by each, in a range of {asked['ports']:,}; meanwhile {NOISE_PROCESSES} processes open connections and bind to"
    )
    print("port 0. Bound: 0 collisions, 0 lost claims.\n")
    print(table(["range", "leases", "given by the kernel", "collisions", "lost", "µs a claim p50 / p95", "s"], rows))


if __name__ == "__main__":
    main()
