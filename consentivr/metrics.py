"""What is counted and measured, for ``/metrics``: every collector of ours, in one place.

No label has more values than the configuration or the code names, and none tells who called (promise P8). What each is
for stands in docs/monitoring.md; a test compares.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]

BUILD = Info("consentivr_build", "The version that runs")

# --- calls -----------------------------------------------------------------------------------

QUESTIONS_OPEN = Gauge("consentivr_questions_open", "Callers who are being asked now")
QUESTIONS_AT_MOST = Gauge("consentivr_questions_at_most", "Callers who can be asked at once")
CONVERSATIONS_OPEN = Gauge("consentivr_conversations_open", "Conversations that are followed now")
CONVERSATIONS_RECORDED = Gauge("consentivr_conversations_recorded", "Conversations that are recorded now")
DECISIONS = Counter(
    "consentivr_decisions", "Decisions of callers, once they are durable", ["line", "decision", "reason"]
)
DECISION_SECONDS = Histogram(
    "consentivr_decision_seconds",
    "From the call's arrival to its decision, of callers who were asked",
    ["decision"],
    buckets=(1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120),
)
WITHDRAWAL_STOP_SECONDS = Histogram(
    "consentivr_withdrawal_stop_seconds",
    "From a withdrawal in a talk until nothing was seen to record any more",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10),
)
DROPPED = Counter("consentivr_calls_dropped", "Calls that went on by the dialplan because of an error")
TURNED_AWAY = Counter("consentivr_calls_turned_away", "Calls that were given back because too many were asked at once")
PEERS_REFUSED = Counter("consentivr_peers_refused", "Connections of who is no switch of ours")

# --- the switches ----------------------------------------------------------------------------

WATCHED = Gauge("consentivr_switch_watched", "1 while this process or another follows the switch, else 0", ["switch"])
INCIDENTS = Counter("consentivr_incidents", "Incidents, as watch.command is told of them", ["incident"])
UNTOLD = Counter("consentivr_incidents_untold", "Incidents that watch.command was not told of")

FINDINGS = Gauge(
    "consentivr_switch_findings",
    "Findings of how the switch is set up, by level: bad, warning, not seen",
    ["switch", "level"],
)

# --- the ledger ------------------------------------------------------------------------------

ROWS = Counter("consentivr_ledger_rows", "Rows made durable, by their turn", ["turn"])
ROWS_PENDING = Gauge("consentivr_ledger_rows_pending", "Rows that are not durable yet")
ROWS_LOST = Counter("consentivr_ledger_rows_lost", "Rows that were never written; the log names each")
TRANSACTIONS = Counter("consentivr_ledger_transactions", "Transactions that made rows durable")
WRITABLE = Gauge("consentivr_ledger_writable", "1 while rows can be written, else 0")
COMMIT_SECONDS = Histogram(
    "consentivr_commit_seconds",
    "How long a call waited until a row was durable that permits recording, or was given up",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

# --- what is around --------------------------------------------------------------------------

SOUNDS_UNCHANGED = Gauge("consentivr_sounds_unchanged", "1 while announcements are what was read, else 0")
DISK_FREE = Gauge("consentivr_disk_free_bytes", "Room on the disk of the recordings, or the ledger", ["what"])
RELOADED = Gauge("consentivr_reload_successful", "1 while the last configuration was taken, else 0")
RESTART_WANTED = Gauge("consentivr_restart_wanted", "Settings that wait for the next start")

RETENTION_RUNS = Counter("consentivr_retention_runs", "Daily retentions, by what came of them", ["outcome"])

# --- the rest --------------------------------------------------------------------------------

HTTP_REFUSED = Counter("consentivr_http_refused", "HTTP requests without a good token")
CONSOLE_REFUSED = Counter(
    "consentivr_console_refused", "Requests that the console refused, by what they lacked", ["why"]
)
