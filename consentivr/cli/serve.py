"""``consentivr serve``: the process, as signals and systemd know it."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import click

from consentivr.cli.common import CONFIG, Refused, load_configuration
from consentivr.cli.log import Rate, configure_log


@click.command()
@CONFIG
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option("--log-json", is_flag=True, help="Log JSON lines.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=20.0,
    show_default=True,
    help="Seconds to let questions under way end when told to stop; conversations go on in any case.",
)
@click.option(
    "--standby",
    is_flag=True,
    help="Beside another 'serve', on service.standby: asks callers, and watches, while that is restarted or dead.",
)
@click.option(
    "--new-ledger",
    is_flag=True,
    help="Begin a ledger although another should be there, or go on with an older one; a row says so.",
)
def serve(config_path: Path, log_level: str, log_json: bool, grace: float, standby: bool, new_ledger: bool) -> None:
    """Answer for the calls that FreeSWITCH hands over, until told to stop.

    SIGHUP takes the configuration and the announcements anew, for callers who arrive from then on; on any error
    everything stays as it is. SIGTERM ends it: questions under way are let end, conversations go on.
    """
    import gevent
    import gevent.event

    from consentivr.service.build import CannotServe
    from consentivr.service.service import Application
    from consentivr.service.supervised import Supervised

    told_to_stop, told_to_reload = gevent.event.Event(), gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, told_to_stop.set)
    gevent.signal_handler(signal.SIGHUP, told_to_reload.set)
    configuration = load_configuration(config_path)
    rate = Rate()
    configure_log(log_level, json_lines=log_json, rate=rate)
    supervised = Supervised()
    try:
        application = Application(configuration, standby=standby)
        application.start(new_ledger=new_ledger)
    except CannotServe as error:
        raise Refused(str(error)) from None
    # What is there now stays, and a call leaves no garbage: looking for some all the time would make calls wait.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    supervised.ready()
    supervised.beat(application.in_a_line)

    def reload_when_told() -> None:
        while True:
            told_to_reload.wait()
            told_to_reload.clear()
            supervised.reloading()
            application.reload(config_path)
            supervised.ready()

    gevent.spawn(reload_when_told)
    while not told_to_stop.wait(60):
        rate.tell()
    supervised.stopping()
    application.stop(grace)
    rate.tell()
