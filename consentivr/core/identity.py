"""Who is on a leg: only by what no other leg can carry (FREESWITCH.md, section 7)."""

from __future__ import annotations

from collections.abc import Mapping


def agent_on(channel: Mapping[str, str], users: Mapping[str, str]) -> str | None:
    """The agent that a leg was dialled for, from its own variables; None: nobody known.

    mod_callcenter sets ``cc_side=agent`` on the leg that it dialled, and on no other. The directory's user stands on
    the dialling leg too, and ``presence_id`` on the dialled one alone. A leg that was redirected ended up elsewhere.
    """
    if channel.get("variable_sip_redirected_to") or channel.get("Call-Direction") != "outbound":
        return None
    if channel.get("variable_cc_side") == "agent" and channel.get("variable_cc_member_session_uuid"):
        return _name(channel.get("variable_cc_agent"))
    user = f"{channel.get('variable_dialed_user')}@{channel.get('variable_dialed_domain')}"
    presence = channel.get("variable_presence_id") or channel.get("Channel-Presence-ID")
    return users.get(user) if presence == user else None


def _name(text: str | None) -> str | None:
    return text if text and len(text) <= 200 and text.isprintable() else None
