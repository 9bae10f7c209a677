"""The event socket of a switch on which nothing happens, in a process of its own: so that the server under test is
allowed to record. What a watch costs is not measured with it.

Run by ``bench.server`` as ``python -m consentivr.bench.silent PASSWORD``; prints its port.
"""

from __future__ import annotations

import sys

import gevent

from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.switch import SimulatedSwitch

if __name__ == "__main__":
    socket = SimulatedEventSocket(SimulatedSwitch("<context/>", {}), sys.argv[1])
    print(socket.address[1], flush=True)
    while True:
        gevent.sleep(3600)
