-- Says to FreeSWITCH what consentivr says of a call that it cannot take: the dialplan goes on.
core.register_service("give_back", "tcp", function(applet)
    applet:send("connect\n\n")
    core.msleep(300) -- the channel is parked a moment after the answer, and an earlier exit is forgotten
    applet:send("exit\n\n")
    applet:receive() -- until the switch closes
end)
