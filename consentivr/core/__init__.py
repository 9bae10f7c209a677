"""The product without FreeSWITCH: who agreed to what, and what follows from it.

Standard library only; no input or output, no clock, no gevent.
"""
