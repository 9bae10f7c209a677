"""Who is on a leg: every combination of what a leg can say (FREESWITCH.md, section 7)."""

from __future__ import annotations

import itertools

import pytest

from consentivr.core.identity import agent_on

USERS = {"1001@default": "anna", "1002@default": "ben"}
AGENT = {
    "Call-Direction": "outbound",
    "variable_cc_side": "agent",
    "variable_cc_member_session_uuid": "m",
    "variable_cc_agent": "1001@default",
}
COLLEAGUE = {
    "Call-Direction": "outbound",
    "variable_dialed_user": "1002",
    "variable_dialed_domain": "default",
    "variable_presence_id": "1002@default",
}


def test_who_mod_callcenter_dialled() -> None:
    assert agent_on(AGENT, {}) == "1001@default"


def test_whom_the_directory_was_dialled_for() -> None:
    assert agent_on(COLLEAGUE, USERS) == "ben"
    assert agent_on(COLLEAGUE, {}) is None, "only who is mapped"
    without = {name: text for name, text in COLLEAGUE.items() if name != "variable_presence_id"}
    assert agent_on(without | {"Channel-Presence-ID": "1002@default"}, USERS) == "ben"


@pytest.mark.parametrize("known", [AGENT, COLLEAGUE])
def test_a_leg_that_ended_up_elsewhere_than_dialled_is_nobody(known: dict[str, str]) -> None:
    assert agent_on(known | {"variable_sip_redirected_to": "<sip:mobile@elsewhere>"}, USERS) is None


@pytest.mark.parametrize("known", [AGENT, COLLEAGUE])
@pytest.mark.parametrize("direction", ["inbound", "", None])
def test_a_leg_that_was_not_dialled_is_nobody(known: dict[str, str], direction: str | None) -> None:
    other = {name: text for name, text in known.items() if name != "Call-Direction"}
    assert agent_on(other if direction is None else other | {"Call-Direction": direction}, USERS) is None


def test_the_members_leg_carries_cc_agent_too_and_is_no_agent() -> None:
    assert agent_on(AGENT | {"variable_cc_side": "member"}, USERS) is None


def test_the_dialling_leg_carries_the_dialled_user_too_and_is_not_that_user() -> None:
    assert agent_on(COLLEAGUE | {"variable_presence_id": "1001@default"}, USERS) is None
    alone = {name: text for name, text in COLLEAGUE.items() if name != "variable_presence_id"}
    assert agent_on(alone, USERS) is None


@pytest.mark.parametrize("name", ["", "\x1b[2J", "a\nb", "x" * 201])
def test_a_name_that_is_none(name: str) -> None:
    assert agent_on(AGENT | {"variable_cc_agent": name}, USERS) is None


def test_nobody_is_known_without_the_words_that_only_a_dialled_leg_has() -> None:
    """All subsets of what either kind of leg says."""
    both = {**AGENT, **COLLEAGUE}
    for size in range(len(both) + 1):
        for names in itertools.combinations(both, size):
            leg = {name: both[name] for name in names}
            found = agent_on(leg, USERS)
            queue = {"Call-Direction", "variable_cc_side", "variable_cc_member_session_uuid"} <= set(leg)
            directory = set(COLLEAGUE) <= set(leg)
            assert found == (leg.get("variable_cc_agent") if queue else "ben" if directory else None), leg
