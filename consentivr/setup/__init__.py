"""From an existing FreeSWITCH to a first consented call, and back: facts, a plan, and doing it with a journal.

``facts`` asks the switch and this machine; ``plan`` says from that what is to be done, and does nothing; ``steps`` are
what it may say; ``doing`` does and undoes them, each durably noted (``journal``) before it is begun. ``edits`` changes
a line in a file that an administrator owns; ``texts`` are our own files.
"""
