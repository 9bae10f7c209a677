"""The outside world as a second FreeSWITCH: callers, agents' telephones, colleagues, outsiders, supervisors.

Each hums a pitch of its own without a pause, so that a decoded recording says who is heard when, in which channel
(``consentivr.lab.listening``). They are real SIP user agents: keys are RTP events, hold is a re-INVITE, transfers are
REFER.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from consentivr.lab.process import HERE, RTP_PORTS, FreeSwitchProcess, Machine, media_ports
from consentivr.rendering import render_lab, write
from consentivr.resources import shipped

CALLER_HZ = 400
MUSIC_HZ = 500
"""What the queue's music should hum; see ``MUSIC``."""

MUSIC = f"tone_stream://%(1000,0,{MUSIC_HZ});loops=-1"
"""Waiting music of one pitch, without pauses."""

PHONES: Mapping[str, int] = {
    "1001": 600,
    "1002": 700,
    "1003": 750,
    "2001": 850,
    "2002": 900,
    "outsider": 950,
    "supervisor": 1100,
    "mobile": 1250,
}
"""The telephones and the pitch of each, in hertz."""

MODULES = (
    "mod_logfile",
    "mod_event_socket",
    "mod_sofia",
    "mod_commands",
    "mod_dptools",
    "mod_dialplan_xml",
    "mod_sndfile",
    "mod_tone_stream",
)


class Outside(FreeSwitchProcess):
    """The second switch. Use it with ``with``.

    ``central`` is the SIP port of the switch in the middle, on the same machine, or its address and port: set it before
    a call. A *leg* is the UUID of a telephone's end of a call, on this switch.
    """

    def __init__(self, folder: Path, phones: Mapping[str, int] = PHONES, *, machine: Machine = HERE) -> None:
        super().__init__(folder, machine=machine)
        self.phones = dict(phones)
        self.central: int | str = 0
        rtp_start = media_ports()
        values = {
            "base": folder,
            "modules": MODULES,
            "rtp_start": rtp_start,
            "rtp_end": rtp_start + RTP_PORTS,
            "address": machine.address,
            "sip_port": self.sip_port,
            "event_socket_port": self.event_socket_port,
            "event_socket_password": self.password,
            "phones": [{"name": name, "hertz": hertz} for name, hertz in self.phones.items()],
        }
        write(folder / "conf", {"freeswitch.xml": render_lab(shipped("freeswitch_xml"), values, "outside")})

    @property
    def _central(self) -> str:
        return self.central if isinstance(self.central, str) else f"{self.machine.address}:{self.central}"

    # --- telephones that ring --------------------------------------------------------------------

    def declines(self, phone: str, *, whether: bool = True) -> None:
        """Whether a telephone is busy; it answers otherwise."""
        self.api(f"global_setvar declines_{phone}={'true' if whether else ''}")

    def forwards(self, phone: str, to: str = "") -> None:
        """Calls to a telephone go to another one, by a redirection (302); empty ends that."""
        self.api(f"global_setvar forwards_{phone}={f'phone-{to}' if to else ''}")

    def answers_after(self, phone: str, milliseconds: int) -> None:
        """How long a telephone rings."""
        self.api(f"global_setvar answers_after_{phone}={milliseconds}")

    def legs_of(self, phone: str) -> list[str]:
        """The calls that a telephone has taken, the newest last."""
        return [
            row["uuid"] for row in self.channels() if row["direction"] == "inbound" and row["dest"] == f"phone-{phone}"
        ]

    # --- telephones that call --------------------------------------------------------------------

    def call(
        self,
        number: str,
        caller_id: str,
        *,
        name: str = "Erika Mustermann",
        hertz: int = CALLER_HZ,
        timeout: int = 60,
        withheld: bool = False,
    ) -> str:
        """Dial a number of the switch in the middle; returns the leg. Does not wait for the answer.

        ``withheld``: with ``Privacy: id``, as a network that tells the number only to the switch.
        """
        leg = self.api("create_uuid")
        variables = (
            f"origination_uuid={leg},origination_caller_id_number={caller_id},"
            f"origination_caller_id_name='{name}',absolute_codec_string=PCMA,originate_timeout={timeout}"
            f"{',origination_privacy=hide_name:hide_number,sip_cid_type=pid' if withheld else ''}"
        )
        self.start(f"originate {{{variables}}}sofia/lab/{number}@{self._central} hum-{hertz} XML public")
        return leg

    def dial(self, phone: str, number: str) -> str:
        """One of the telephones dials a number of the switch in the middle; returns the leg."""
        return self.call(number, phone, name=phone, hertz=self.phones[phone])

    # --- during a call ---------------------------------------------------------------------------

    def press(self, leg: str, keys: str) -> None:
        """Press keys, as RTP events of 100 ms."""
        self.api(f"uuid_send_dtmf {leg} {keys}")

    def hold(self, leg: str) -> None:
        """Put the other side on hold: re-INVITE, sendonly."""
        self.api(f"uuid_hold {leg}")

    def resume(self, leg: str) -> None:
        """Take the other side back: re-INVITE, sendrecv."""
        self.api(f"uuid_hold off {leg}")

    def records(self, leg: str) -> None:
        """Ask the switch in the middle to record this call: INFO with ``Record: on``."""
        self.api(f"uuid_setvar_multi {leg} fs_send_unsupported_info=true;sip_info_h_Record=on")
        self.api(f"uuid_send_info {leg} record")

    def hang_up(self, leg: str) -> None:
        """BYE, or CANCEL before the answer."""
        self.api(f"uuid_kill {leg}")

    def refer(self, leg: str, number: str) -> None:
        """Blind transfer by REFER: send the other side to a number of the switch in the middle."""
        self.start(f"uuid_deflect {leg} sip:{number}@{self._central}")

    def refer_attended(self, leg: str, consultation: str) -> None:
        """Attended transfer by REFER with Replaces: join the other side of ``leg`` with that of ``consultation``."""
        call_id, to_tag, from_tag = (
            self.variable(consultation, f"sip_{name}") for name in ("call_id", "to_tag", "from_tag")
        )
        dialog = urllib.parse.quote(f"{call_id};to-tag={to_tag};from-tag={from_tag}", safe="")
        number = self.variable(consultation, "sip_req_user") or "replaced"
        self.start(f"uuid_deflect {leg} sip:{number}@{self._central}?Replaces={dialog}")

    def sip_call_id(self, leg: str) -> str:
        """What both switches call one call."""
        return self.variable(leg, "sip_call_id")

    def describe(self) -> str:
        """The telephones' calls, for a failing test's message."""
        return json.dumps(self.channels(), indent=1)
