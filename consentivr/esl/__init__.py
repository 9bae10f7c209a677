"""The wire to FreeSWITCH. Nothing in this room knows of consent."""
