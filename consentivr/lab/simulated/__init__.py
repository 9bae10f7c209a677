"""The parts of the simulated switch.

legs and who hears whom: ``legs``, ``bridges``, ``conferences``, ``recorders``; a caller in the dialplan:
``channel``, ``applications``, ``queueing``, ``outbound``; what it says and is asked: ``words``, ``clients``,
``commands``, ``faults``; many made-up conversations at once: ``many``.
"""
