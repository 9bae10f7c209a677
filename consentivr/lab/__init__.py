"""A simulated FreeSWITCH that dials us: for the demonstration, the tests and the benchmarks.

It proves nothing about FreeSWITCH. It is held against recorded conversations with a real one, on a call's own socket
(tests/flow/test_recorded.py) and on the event socket (tests/lab/test_beside_the_real_one.py).
"""
