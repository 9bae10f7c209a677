"""What a switch answers on which nothing is to be found; the tests change one answer."""

from __future__ import annotations

import json
from collections.abc import Mapping

from consentivr import switch
from consentivr.check import Answers, Wanted
from consentivr.check.answers import NOT_SET, NOTHING_THERE

LOADED = "callcenter commands conference dialplan_xml dptools event_socket logfile lua sofia"

WANTED = Wanted(
    queues={"support@default": "${consent_record_file}", "trade@default": "/rec/${uuid}.wav", "sales@default": None},
    demanded=frozenset({"trade@default"}),
    users=("1001@pbx.example",),
    context="default",
    extensions=("consentivr-support",),
    hosts="127.0.0.1:8184",
    secret="geheim",
)


def rows(*found: Mapping[str, object]) -> str:
    return json.dumps({"row_count": len(found), "rows": list(found)}) if found else '{"row_count": 0}'


def response(*found: Mapping[str, object]) -> str:
    return json.dumps({"command": "callcenter_config", "status": "success", "response": list(found)})


def loaded(*more: str) -> str:
    """In ``show modules``; ``module_exists`` is asked as well, and says the same."""
    names = [*(f"mod_{name}" for name in LOADED.split()), *more]
    return rows(*({"type": "generic", "name": name, "ikey": name} for name in names))


def queue(name: str, template: str = "") -> str:
    return f'<queue name="{name}"><param name="record-template" value="{template}"/></queue>'


def callcenter(queues: str = "", agents: str = "") -> str:
    return f"<configuration><queues>{queues}</queues><agents>{agents}</agents></configuration>"


def settings(inside: str, around: str = "settings") -> str:
    return f"<configuration><{around}>{inside}</{around}></configuration>"


def profile(inside: str = "", name: str = "internal", before: str = "") -> str:
    return (
        f"<configuration>{before}<profiles><profile name='{name}'><settings>{inside}</settings></profile></profiles>"
        "</configuration>"
    )


def sip(nomedia: str = "false", proxy: str = "false", dtmf: str = "rfc2833") -> str:
    return (
        f"<profile><profile-info><bind-url>sip:mod_sofia@127.0.0.1:5060;transport=udp</bind-url><dtmf-mode>{dtmf}</dtmf-mode>"
        f"<nomedia>{nomedia}</nomedia><proxy-media>{proxy}</proxy-media></profile-info></profile>"
    )


LINE = (
    '<extension name="consentivr-support"><condition><action application="socket" data="127.0.0.1:8184 async full"/>'
    "</condition></extension>"
)


def dialplan(
    action: str = '<action application="answer"/>', *, name: str = "local", condition: str = "", line: str = LINE
) -> str:
    return (
        f'<section name="dialplan"><context name="default">{line}<extension name="{name}">{condition}'
        f'<condition field="destination_number" expression="^1$">{action}</condition></extension></context></section>'
    )


def directory(variable: str = "") -> str:
    return (
        '<section name="directory"><domain name="pbx.example"><groups><group name="all"><users><user id="1001">'
        f"<variables>{variable}</variables></user></users></group></groups></domain></section>"
    )


OURS = (
    queue("support@default", "${consent_record_file}")
    + queue("trade@default", "/rec/${uuid}.wav")
    + queue("sales@default")
)

WELL: dict[str, str | None] = {
    switch.STATUS: "UP 0 years, 0 days\nFreeSWITCH (Version 1.10.12 64bit) is ready\n",
    switch.MODULES: loaded(),
    switch.APIS: rows({"name": "uuid_record", "ikey": "mod_commands"}),
    switch.GLOBALS: "hostname=pbx\nconsent_record_file=/dev/null/no-record/never-asked.wav\nconf_dir=/etc/freeswitch\n"
    "consent_secret=geheim\ndefault_password=1234\n",
    switch.QUEUES: response(
        {"name": "support@default", "record_template": "${consent_record_file}"},
        {"name": "trade@default", "record_template": "/rec/${uuid}.wav"},
        {"name": "sales@default"},
    ),
    switch.AGENTS: response({"name": "1001@default", "contact": "[leg_timeout=10]user/1001@pbx.example"}),
    switch.DIALPLAN: dialplan(),
    switch.DIRECTORY: directory(),
    switch.PROFILES: "<profiles><profile><name>internal</name></profile></profiles>",
    switch.CONFERENCES: "[]",
    switch.LOG: "info held\nlogfile default not-kept\nsip internal silent",
    switch.profile("internal"): sip(),
    switch.user_is_there("1001@pbx.example"): "true",
    switch.variable_of_user("1001@pbx.example", "user_record"): NOT_SET,
    switch.configuration("callcenter"): callcenter(OURS),
    switch.configuration("sofia"): profile(),
    switch.configuration("conference"): "<configuration><profiles><profile name='default'/></profiles></configuration>",
    switch.configuration("lua"): settings(""),
    switch.configuration("switch"): settings('<param name="loglevel" value="notice"/>'),
    switch.configuration("logfile"): profile(name="default"),
    switch.configuration("event_socket"): settings(
        '<param name="listen-ip" value="127.0.0.1"/><param name="password" value="a secret of the house"/>'
    ),
    switch.configuration("xml_cdr"): NOTHING_THERE + "\n",
}


def answers(**changed: str | None) -> Answers:
    """``WELL`` with these answers in their places."""
    return Answers({**WELL, **changed})
