"""What is on this machine: whether ``serve`` could work, looked at without making or changing anything."""

from __future__ import annotations

import glob
import os
import pwd
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from consentivr.check import Finding, Level
from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES
from consentivr.config.service import Switch
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.esl.peer import is_told, user_of
from consentivr.files import open_to_others, read_secret
from consentivr.ledger import Ledger, LedgerError, NoLedger, check_head
from consentivr.prompts import AudioProblem, inspect, written_for
from consentivr.resources import room_for_calls
from consentivr.service.build import (
    CannotServe,
    dialplan_secret,
    head_file,
    peer_users,
    signer,
    sounds_folder,
    stamper,
)
from consentivr.service.reach import reach


def good(what: str, said: str) -> Finding:
    return Finding(what, Level.GOOD, said)


def warning(what: str, said: str, mend: str, setting: str = "") -> Finding:
    return Finding(what, Level.WARNING, said, mend, setting)


def bad(what: str, said: str, mend: str, setting: str = "") -> Finding:
    return Finding(what, Level.BAD, said, mend, setting)


def here(configuration: Configuration, *, port: bool = True) -> list[Finding]:
    """Sounds, ledger, private files, recordings, the switches' doors, who may dial us, descriptors, port."""
    looks: list[Callable[[Configuration], Iterator[Finding]]] = [
        sounds,
        ledger,
        private,
        pins,
        numbers,
        recordings,
        reach,
        switches,
        peers,
        descriptors,
    ]
    if port:
        looks.append(listening)
    return [finding for look in looks for finding in look(configuration)]


def sounds(configuration: Configuration) -> Iterator[Finding]:
    """One line for all that are well, and one for each that is not."""
    folder = sounds_folder(configuration)
    heard, well, longest, needed = configuration.heard_files(), 0, 0, _needed(configuration)
    files = ((configuration.language_of(name), configuration.tried_file(name)) for name in configuration.lines)
    tried = {(language, made[0]) for language, made in files if made}
    for (language, stem), text in sorted(configuration.sound_files().items()):
        for rate in SAMPLE_RATES:
            what = f"sound {language}/{rate}/{stem}"
            try:
                spoken = inspect(folder, language, rate, stem, text)
            except AudioProblem as problem:
                mend = "run 'consentivr prompts build'"
                if (language, stem) in needed:
                    yield bad(what, str(problem), mend, "sounds.folder")
                elif (language, stem) in tried:
                    yield warning(what, f"{problem}; until then nobody is asked with it", mend, "sounds.folder")
                else:
                    said = f"{problem}; until then who wants '{language}' is asked in the line's own language"
                    yield warning(what, said, mend, "sounds.folder")
                continue
            if " " in spoken.path:
                yield bad(what, "its path has a blank, where FreeSWITCH ends it", "move the folder", "sounds.folder")
            elif written_for(Path(spoken.path), text, heard.get((language, stem))) is False:
                said = "how much of it must be heard was measured for other keys"
                yield warning(what, said, "run 'consentivr prompts build'", "sounds.folder")
            else:
                well, longest = well + 1, max(longest, spoken.duration_ms)
    if well:
        yield good(
            "sounds", f"{well} files below {folder} are as they should be; the longest lasts {longest / 1000:.1f} s"
        )


def _needed(configuration: Configuration) -> set[tuple[str, str]]:
    """The files without which 'serve' does not start: all but those of further languages."""
    lines = {
        (configuration.language_of(name), stem)
        for name in configuration.lines
        for stem, _ in configuration.announcements_of(name).values()
    }
    return lines | {file for file in configuration.sound_files() if file[1].startswith("agents-")}


def ledger(configuration: Configuration) -> Iterator[Finding]:
    """It can be written, and it is the one that should be there. One that is not there yet is not made here: ``serve``
    makes it, as the user that it runs as."""
    setting = "ledger.url" if configuration.ledger.url else "ledger.path"
    try:
        key = signer(configuration)
        stamper(configuration)
        check_head(configuration.ledger.location, head_file(configuration))
        book = _begun(configuration)
        if book is None:
            yield _no_ledger(configuration, setting)
            return
        book.check_writable()
        book.close()
    except LedgerError as error:
        yield bad("ledger", str(error), "see what it says", setting)
        return
    signed = f"checkpoints are signed by {key.key_id}" if key else "checkpoints are not signed"
    yield good("ledger", f"{book.name} can be written; {signed}")


def _begun(configuration: Configuration) -> Ledger | None:
    """The ledger, where there is one. Raises LedgerError."""
    try:
        return Ledger(configuration.ledger.location, create=False)
    except NoLedger:
        return None


def _no_ledger(configuration: Configuration, setting: str) -> Finding:
    """None that should be there: that was looked at before."""
    if configuration.ledger.url is not None:
        return good("ledger", "there is none yet: 'serve' begins one")
    folder = configuration.ledger.path.parent
    if not folder.is_dir():
        said = f"its folder {folder} is not there"
        return bad("ledger", said, f"make {folder}, mode 0700, for the user that serves", setting)
    owner = pwd.getpwuid(folder.stat().st_uid).pw_name
    return good("ledger", f"there is none yet: 'serve' begins one in {folder}, which belongs to {owner}")


def private_files(configuration: Configuration) -> list[Path]:
    """What nobody but its owner may read, as far as it is there: keys and secrets, the ledger, what lies beside it."""
    line = configuration.agents.line
    named = [
        configuration.ledger.signing_key,
        configuration.ledger.head_file,
        configuration.http.token_file,
        configuration.http.tokens_file,
        configuration.service.secret_file,
        line.pins_file if line else None,
        configuration.console.accounts_file,
        configuration.console.secret_file,
        configuration.console.certificate_key,
        configuration.console.oidc.client_secret_file if configuration.console.oidc else None,
    ]
    named += [switch.password_file for switch in configuration.switches]
    files = [file for file in named if file is not None]
    if configuration.ledger.url is None:
        book = configuration.ledger.path
        files += sorted(book.parent.glob(f"{glob.escape(book.name)}*"))  # WAL, shared memory, leases, copies
    return [path for path in files if path.is_file()]


def private(configuration: Configuration) -> Iterator[Finding]:
    files = private_files(configuration)
    open_ = [(path, others) for path in files if (others := open_to_others(path))]
    for path, others in open_:
        said = f"{path}: others than its owner may read or change it ({others:04o})"
        yield bad(f"mode of {path.name}", said, f"run 'chmod 600 {path}'")
    if not open_:
        yield good("modes", f"{len(files)} files of ledger and secrets are their owner's alone")


def pins(configuration: Configuration) -> Iterator[Finding]:
    """Somebody has a PIN for the line on which agents agree."""
    line = configuration.agents.line
    if line is not None and not line.pins_file.exists():
        said = f"no agent has one yet ({line.pins_file})"
        yield warning("agents' PINs", said, "run 'consentivr agents pin set'", "agents.line.pins_file")


def numbers(configuration: Configuration) -> Iterator[Finding]:
    country = configuration.numbers.country
    if country is None:
        said = "+49..., 0049... and 0... count as three people"
        yield warning("numbers", said, "say where calls come in: numbers.country", "numbers.country")
    else:
        yield good("numbers", f"are read as in {country}; withheld ones are not kept")


def recordings(configuration: Configuration) -> Iterator[Finding]:
    """Their folder, and former ones, are nobody else's."""
    folder, setting = configuration.recordings.folder, "recordings.folder"
    open_ = [
        one
        for one in (folder, *configuration.recordings.former_folders)
        if one.is_dir() and open_to_others(one) & stat.S_IRWXO
    ]
    for one in open_:
        mode = stat.S_IMODE(one.stat().st_mode)
        yield bad(
            "recordings",
            f"{one} has mode {mode:04o}: everybody on this machine can get at the recordings",
            f"run 'chmod 2770 {one}': it belongs to the user that serves, and to a group that FreeSWITCH's user is in",
            setting,
        )
    if open_:
        return
    if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        said = f"{folder}: recordings cannot be sealed and erased"
        yield bad("recordings", said, "run as a user that can, or see docs/database.md, Who may read what", setting)
    elif folder.is_dir():
        yield good("recordings", f"{folder} is there; FreeSWITCH's user must be able to write to it")
    else:
        mend = "'consentivr setup' makes it, with mode 2770, for the user that serves and FreeSWITCH's group"
        yield warning("recordings", f"{folder} is not there yet", mend, setting)


def switches(configuration: Configuration) -> Iterator[Finding]:
    """Each lets us in, and runs as a user whose calls are taken."""
    for switch in configuration.switches:
        yield _switch(configuration, switch)


def _switch(configuration: Configuration, switch: Switch) -> Finding:
    what = f"switch {switch.address}"
    try:
        users = peer_users(configuration)
    except CannotServe:
        users = None  # said elsewhere
    try:
        login = Login(read_secret(switch.password_file), switch.user)
        connection = InboundConnection(switch.address, login)
        connection.connect()
        runs_as = user_of(connection.sock.getpeername(), connection.sock.getsockname()) if is_told() else None
        connection.stop()
    except (OSError, ESLError) as error:
        said = f"{error}; conversations cannot be followed, so nothing is recorded"
        return bad(what, said, "see event_socket.conf.xml, and 'switches'", "switches")
    if runs_as is not None and users is not None and runs_as not in users:
        name = pwd.getpwuid(runs_as).pw_name
        said = f"it runs as {name}, whose calls would be refused"
        return bad(what, said, f"set service.peer_user to {name}", "service.peer_user")
    return good(what, "its event socket lets us in")


def peers(configuration: Configuration) -> Iterator[Finding]:
    """Who may hand over calls. A secret that is not there yet is not made here."""
    file = configuration.service.secret_file
    try:
        secret = "" if file is not None and not file.exists() else dialplan_secret(configuration)
        users = peer_users(configuration)
    except CannotServe as error:
        yield bad("peers", str(error), "see what it says", "service")
        return
    if secret is None or users is None:
        what = "prove nothing" if secret is None else "may be any user's"
        setting = "service.secret_file" if secret is None else "service.peer_user"
        said = f"calls {what}: whoever reaches service.listen can play a switch"
        yield warning("peers", said, f"set {setting}", setting)
    elif not is_told():
        said = "users are not told apart: this kernel does not say whose a connection is"
        yield warning("peers", said, "keep service.allowed_peers to loopback", "service.allowed_peers")
    else:
        made = "" if secret else " ('render' or 'serve' makes it)"
        yield good("peers", f"calls are taken of FreeSWITCH's user, with the dialplan's secret{made}")


def descriptors(configuration: Configuration) -> Iterator[Finding]:
    wanted = configuration.service.max_connections
    room = room_for_calls(wanted)
    if room < wanted:
        level = Level.WARNING if room else Level.BAD
        mend = "raise LimitNOFILE in its systemd unit, or 'ulimit -n'"
        yield Finding("descriptors", level, too_few(wanted, room), mend, "service.max_connections")
    else:
        yield good("descriptors", f"enough for service.max_connections, {wanted} calls")


def too_few(wanted: int, room: int) -> str:
    return (
        f"service.max_connections is {wanted}, but the system allows this process {room} calls at once: raise "
        "LimitNOFILE in its systemd unit, or 'ulimit -n'"
    )


def listening(configuration: Configuration) -> Iterator[Finding]:
    host, port = configuration.service.listen
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        said = f"{configuration.service.listen} cannot be listened on: {error.strerror or error}"
        yield bad(
            "port", said, "if it is 'serve' that listens, say --no-port; else see service.listen", "service.listen"
        )
        return
    yield good("port", f"{configuration.service.listen} is free")
