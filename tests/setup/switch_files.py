"""Files of a switch, as short as they can be: what has a place for our lines in it, and traps."""

CALLCENTER = """<configuration name="callcenter.conf" description="CallCenter">
  <!-- <queues> stand below -->
  <queues>

    <queue name="support@default">
    </queue>
  </queues>
</configuration>
"""
VARS = """<include>
  <X-PRE-PROCESS cmd="set" data="domain=pbx.example"/>
  <!-- no </include> here
  </include>
  -->
</include>
"""
MODULES = """<configuration name="modules.conf">
  <modules>
    <load module="mod_sofia"/>
    <!--<load module="mod_callcenter"/>-->
  </modules>
</configuration>
"""
LOG = """<configuration name="logfile.conf">
  <mappings>
    <!-- <map name="all" value="debug"/> -->
\t<map name="all" value="console,debug,info,notice,warning,err,crit,alert"/>
  </mappings>
</configuration>
"""
