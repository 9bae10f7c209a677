"""Many FreeSWITCHes in one process, as cheap as they can be made: they must not be what is measured.

Run by ``bench.server`` as ``python -m consentivr.bench.load``: says in JSON on which port its event socket is, then
reads one plan a line, and answers each with what was measured. All calls are on one switch.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
import gevent.pool
import gevent.socket

from consentivr.bench.flow import Exchange, Flow


class Load:
    """Carries out plans, one after the other; held calls stay meanwhile."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self._held = gevent.pool.Group()
        self._release = gevent.event.Event()

    def flows(self, plan: dict[str, Any]) -> dict[str, Any]:
        """One flow after the other in ``concurrency`` greenlets; or ``rate`` a second, for ``seconds``."""
        self._wait_for_the_watch(plan)
        reactions, failed = [], 0
        until = time.perf_counter() + plan["seconds"]

        def one() -> None:
            nonlocal failed
            flow = Flow(self.exchange, plan)
            try:
                flow.run(plan["port"])
            except OSError:
                failed += 1
            else:
                reactions.append(flow.reaction_s)

        def many() -> None:
            while time.perf_counter() < until:
                one()

        lags: list[float] = []

        def look_at_the_clock() -> None:
            while True:
                due = time.perf_counter() + 0.005
                gevent.sleep(0.005)
                lags.append(max(0.0, time.perf_counter() - due))

        clock = gevent.spawn(look_at_the_clock)
        began, cpu = time.perf_counter(), time.process_time()
        if plan.get("rate"):
            # Callers come at random, as they do: at even distances two loads would always or never meet.
            chance, due = random.Random(plan["rate"]), began
            under_way = gevent.pool.Group()
            while time.perf_counter() < until:
                under_way.spawn(one)
                due += chance.expovariate(plan["rate"])
                gevent.sleep(max(0.0, due - time.perf_counter()))
            under_way.join(timeout=30)
        else:
            gevent.joinall([gevent.spawn(many) for _ in range(plan["concurrency"])])
        clock.kill()
        known = [reaction for reaction in reactions if reaction is not None]
        return {
            "flows": len(reactions),
            "failed": failed,
            "seconds": time.perf_counter() - began,
            "cpu_s": time.process_time() - cpu,
            "reactions_s": sorted(known),
            "lags_s": sorted(lags),
        }

    def burst(self, plan: dict[str, Any]) -> dict[str, Any]:
        """``calls`` connections at once: seconds until each got its first command."""
        began = time.perf_counter()
        moments: list[float] = []

        def one() -> None:
            with gevent.socket.create_connection(("127.0.0.1", plan["port"])) as sock:
                if sock.recv(65536):
                    moments.append(time.perf_counter() - began)

        cpu = time.process_time()
        gevent.joinall([gevent.spawn(one) for _ in range(plan["calls"])], timeout=60)
        spent = time.process_time() - cpu
        return {"first_commands": len(moments), "seconds": max(moments, default=0.0), "cpu_s": spent}

    def hold(self, plan: dict[str, Any]) -> dict[str, Any]:
        """``calls`` talks, which go on; how many there are after a while."""
        self._wait_for_the_watch(plan)
        there, everyone = 0, gevent.event.Event()

        def arrived() -> None:
            nonlocal there
            there += 1
            if there == plan["calls"]:
                everyone.set()

        for _ in range(plan["calls"]):
            flow = Flow(self.exchange, plan, arrived)
            flow.release = self._release
            self._held.spawn(flow.run, plan["port"])
            gevent.sleep(1 / plan["rate"])
        everyone.wait(timeout=60)
        return {"there": there}

    def _wait_for_the_watch(self, plan: dict[str, Any]) -> None:
        if plan.get("watched"):
            self.exchange.socket.wait_until_watched()


def main() -> None:
    """Until the standard input ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load()
    plans: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]
    plans = {"flows": load.flows, "burst": load.burst, "hold": load.hold}
    print(json.dumps({"event_socket": load.exchange.socket.port}), flush=True)
    while line := gevent.get_hub().threadpool.apply(sys.stdin.readline):
        plan = json.loads(line)
        print(json.dumps(plans[plan["what"]](plan)), flush=True)


if __name__ == "__main__":
    main()
