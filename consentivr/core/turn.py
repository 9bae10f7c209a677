"""The kinds of rows."""

from __future__ import annotations

from enum import Enum


class Turn(str, Enum):
    """One row of the ledger is one turn of a call, or of what became of its evidence."""

    ARRIVED = "arrived"
    """A caller met a line: written before the decision."""
    DECISION = "decision"
    RECORDING_WITHHELD = "recording_withheld"
    RECORDING_STARTED = "recording_started"
    RECORDING_FAILED = "recording_failed"
    RECORDING_STOPPED = "recording_stopped"
    FORBIDDEN_RECORDING = "forbidden_recording"
    LOOKED_FOR_RECORDERS = "looked_for_recorders"
    AGENT_ANSWERED = "agent_answered"
    AGENT_STARTED = "agent_started"
    AGENT_STOPPED = "agent_stopped"
    RECORDING_PAUSED = "recording_paused"
    RECORDING_RESUMED = "recording_resumed"
    RECORDING_MASKED = "recording_masked"
    """Silence in the file: a hold, or a party who has not agreed; evidence ``why``, ``parties``, ``paths``."""
    RECORDING_UNMASKED = "recording_unmasked"
    TAPPED = "tapped"
    """Something listens on a leg; evidence names it by its functions."""
    COMMAND_FAILED = "command_failed"
    """The switch refused something that matters."""
    ADOPTED = "adopted"
    """A watch took the conversation up."""
    UNWATCHED = "unwatched"
    """A recorder sounded while nobody watched: that span is taken out of the file."""
    WITHDRAWN = "withdrawn"
    AGREED_LATE = "agreed_late"
    QUEUE_LEFT = "queue_left"
    CALL_ENDED = "call_ended"
    CONNECTION_LOST = "connection_lost"

    RECORDING_REPAIRED = "recording_repaired"
    RECORDING_SEALED = "recording_sealed"
    RECORDING_ERASED = "recording_erased"
    HOLD = "hold"
    HOLD_RELEASED = "hold_released"
    AUDIO_ERASED = "audio_erased"
    ERASURE = "erasure"
    ROWS_ERASED = "rows_erased"
    LEDGER_BEGUN = "ledger_begun"
    """In the place of another one, on purpose; evidence ``instead_of`` (its last known row) and ``found_rows``."""
    TIME_STAMPED = "time_stamped"
    """An authority says when a row was there (RFC 3161); evidence ``position``, ``hash``, ``time``, ``stamp``."""
    CLOCK_SET_BACK = "clock_set_back"
    """Rows that follow seem older than rows before; evidence ``seconds``, and ``newest`` of the times before."""
    RECORDING_DIFFERS = "recording_differs"
    """A file is not what was sealed, or not as long as the talk."""
    AUDIO_CHECKED = "audio_checked"
    """So many recordings were hashed again, through that row."""
    QUARANTINED = "quarantined"
    RECORDING_ADOPTED = "recording_adopted"
    """A file was taken out of quarantine, as a visit's recording."""

    AGENT_AGREED = "agent_agreed"
    AGENT_WITHDREW = "agent_withdrew"
    AGENTS_COUNTED = "agents_counted"
    """Somebody counted or listed by agent: what was asked, on which agreement, by whom."""

    NOTICE_ADDED = "notice_added"
    """A wording is there from now on: decisions name it by its digest."""
    SWITCH_CHECKED = "switch_checked"
    """How a switch is set up is other than it was: evidence ``new``, ``gone``, and all that is found now."""
    TALLIED = "tallied"
    """How far something was counted whose rows are gone, or were written by 0.1.0."""

    # Of the console: who did what there (the access log).
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    """Evidence ``why``, ``times`` (so often since the row before)."""
    ACCOUNT_CHANGED = "account_changed"
    """Evidence ``account``, ``what`` (added, role, password, disabled); what it has from now on: ``roles``, ``queues``,
    ``agent``."""
    PERSON_LOOKED_FOR = "person_looked_for"
    """Somebody searched for a number; evidence ``found``, the number of calls, and ``why``."""
    PERSON_SHOWN = "person_shown"
    """Somebody saw a call's number and agents; evidence ``why``."""
    REQUEST_RECEIVED = "request_received"
    """A person asked for something; evidence ``request`` (its name), ``wishes``, ``received_on``, ``due_on``,
    ``found``, ``call`` (one of the person's, while there is one), ``reference``."""
    REQUEST_EXTENDED = "request_extended"
    """By two months (GDPR art. 12(3)); evidence ``request``, ``due_on``, ``why``."""
    REQUEST_ANSWERED = "request_answered"
    """Evidence ``request``, ``answer``, ``why``."""
    ORDERED = "ordered"
    """Somebody has calls erased, or taken back; durable before anything is done. Evidence ``what``,
    ``calls``, ``why``, ``identity`` (how it was made sure who asked for it), ``request``."""
    LISTENING_REQUESTED = "listening_requested"
    """Evidence ``request`` (an identity of its own), ``purpose``."""
    LISTENING_DECIDED = "listening_decided"
    """By a second person; evidence ``request``, ``approved``, ``until`` (it is to be begun; see ``listening``)."""
    GLASS_BROKEN = "glass_broken"
    """Somebody listens at once and alone; evidence ``request``, ``purpose``, ``why``, ``until``. The works council is
    told, until one of them says so: ``GLASS_SEEN``.
    """
    GLASS_SEEN = "glass_seen"
    """Somebody of the works council has seen that; evidence ``request``."""
    RECORDING_PLAYED = "recording_played"
    """One opening of the player, durable before the first byte; evidence ``request``, ``playing`` (its name), ``path``,
    ``sha256``, ``purpose``, ``agent``, ``second`` (who approved; none after broken glass).
    """
    RECORDING_HEARD = "recording_heard"
    """The player was closed; evidence ``request``, ``playing``, ``path``, ``heard_s``, ``sent_s`` (what left the
    house, at most) and ``counted_by``: 'player', or 'bytes' when it did not say.
    """
    HANDED_OVER = "handed_over"
    """A sheet, a letter, a list left the console; evidence ``what``."""
    ACCESS_OPENED = "access_opened"
    """Somebody opened everybody's rows of the access log; evidence ``why``."""
    INCIDENT_ASSESSED = "incident_assessed"
    """Evidence ``row`` (its position), ``risk``, ``why`` (GDPR art. 33)."""
    OBJECTED = "objected"
    """An agent objects to having been heard; evidence ``request``, ``why``."""
    TRIAL_BEGUN = "trial_begun"
    """Two wordings are asked from now on, as was fixed before: evidence ``trial``, ``calls``, ``until``."""
    TRIAL_ENDED = "trial_ended"


ACCESS = frozenset(
    {
        Turn.SIGNED_IN,
        Turn.SIGN_IN_FAILED,
        Turn.ACCOUNT_CHANGED,
        Turn.PERSON_LOOKED_FOR,
        Turn.PERSON_SHOWN,
        Turn.REQUEST_RECEIVED,
        Turn.REQUEST_EXTENDED,
        Turn.REQUEST_ANSWERED,
        Turn.ORDERED,
        Turn.LISTENING_REQUESTED,
        Turn.LISTENING_DECIDED,
        Turn.GLASS_BROKEN,
        Turn.GLASS_SEEN,
        Turn.RECORDING_PLAYED,
        Turn.RECORDING_HEARD,
        Turn.HANDED_OVER,
        Turn.ACCESS_OPENED,
        Turn.INCIDENT_ASSESSED,
        Turn.OBJECTED,
        Turn.TRIAL_BEGUN,
        Turn.TRIAL_ENDED,
    }
)
"""The access log: each row says ``by`` (the account) and ``role``."""

INCIDENTS = (
    Turn.FORBIDDEN_RECORDING,
    Turn.COMMAND_FAILED,
    Turn.TAPPED,
    Turn.QUARANTINED,
    Turn.UNWATCHED,
    Turn.RECORDING_DIFFERS,
)
"""The turns that somebody should look at: also what was lost or altered is a breach (GDPR art. 4(12))."""
