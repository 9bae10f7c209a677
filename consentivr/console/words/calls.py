"""Calls: the list, and one call."""

WORDS = {
    "en": {
        "calls.title": "Calls",
        "calls.call": "Call",
        "calls.at": "At",
        "calls.line": "Line",
        "calls.queue": "Queue",
        "calls.decision": "Decision",
        "calls.reason": "How",
    },
    "de": {
        "calls.title": "Anrufe",
        "calls.call": "Anruf",
        "calls.at": "Am",
        "calls.line": "Leitung",
        "calls.queue": "Warteschlange",
        "calls.decision": "Entscheidung",
        "calls.reason": "Wie",
    },
}
