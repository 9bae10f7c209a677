"""A simulated switch without an application."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from consentivr.lab.switch import SimulatedSwitch
from tests.lab.talks import OTHER, QUEUE, SPEED, Told

DIALPLAN = """
<context>
<extension name="queue"><condition field="destination_number" expression="^5000$">
  <action application="answer"/><action application="set" data="RECORD_STEREO=true"/>
  <action application="callcenter" data="support@default"/>
  <action application="transfer" data="after XML public"/></condition></extension>
<extension name="sales"><condition field="destination_number" expression="^5001$">
  <action application="answer"/><action application="callcenter" data="sales@default"/>
  <action application="hangup"/></condition></extension>
<extension name="after"><condition field="destination_number" expression="^after$">
  <action application="hangup" data="NORMAL_CLEARING"/></condition></extension>
<extension name="colleague"><condition field="destination_number" expression="^2001$">
  <action application="bridge" data="user/2001@127.0.0.1"/></condition></extension>
<extension name="voicemail"><condition field="destination_number" expression="^2099$">
  <action application="answer"/><action application="record" data="${mailbox} 200 30 200"/></condition></extension>
<extension name="park"><condition field="destination_number" expression="^park$">
  <action application="answer"/><action application="park"/></condition></extension>
</context>
"""


@pytest.fixture
def switch() -> Iterator[SimulatedSwitch]:
    made = SimulatedSwitch(DIALPLAN, {QUEUE: None, OTHER: None}, {}, speed=SPEED)
    yield made
    for leg in list(made.legs.values()):
        leg.hang_up()
    gevent.sleep(0.01)


@pytest.fixture
def told(switch: SimulatedSwitch) -> Told:
    return Told(switch)
