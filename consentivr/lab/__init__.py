"""A simulated FreeSWITCH that dials us: for the demonstration, the tests and the benchmarks.

It proves nothing about FreeSWITCH. It is held against recorded conversations with a real one
(tests/test_simulated_switch.py) and, where there is one, against a running switch.
"""
