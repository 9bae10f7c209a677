"""The letter's words, by language. A test sees to it that every reason has one, and that both tables have the same."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "subject": "Your request for access under Article 15 GDPR: recorded telephone calls",
        "whose": "Telephone number {number}",
        "to_holder": "To the holder of the telephone number {number}",
        "greeting": "Dear Sir or Madam,",
        "asked": "You asked us which personal data we hold about you. This letter answers for the system that records "
        "our telephone calls, and for the telephone number {number}, as of {as_of}. All times are those of the time "
        "zone {zone}.",
        "nothing": "We hold no call with this number: no recording, and no entry about you.",
        "calls_one": "We hold one call with this number.",
        "calls_many": "We hold {count} calls with this number.",
        "recordings_none": "There is no recording, or none any more.",
        "recordings_one": "There is one recording.",
        "recordings_many": "There are {count} recordings.",
        "only_number": "We know the number, and no name that goes with it; somebody else may have called from the "
        "same telephone.",
        "kept_given": "Of callers who do not agree to a recording we do not keep the number. Such calls cannot be "
        "traced to anybody, and are not in this letter. If you tell us day and time, we shall see whether it can be "
        "done after all (Article 11 GDPR).",
        "kept_all": "We keep the number of every caller who transmits it.",
        "kept_never": "We keep no telephone numbers. What this letter lists is from before that was so.",
        "your_calls": "Your calls",
        "call": "Call of {at}",
        "line": "You called",
        "ended": "It ended",
        "wording_asked": "What you were asked",
        "wording_told": "What you were told",
        "answer": "What you answered",
        "late": "Later in the call",
        "withdrawn": "Withdrawal",
        "recording": "Recording",
        "silence": "Silence in it",
        "heard_by": "Who was in the call",
        "looked_at": "Looked at since",
        "looked_played": "on {at} somebody of our house heard the recording, for: {why}",
        "looked_shown": "on {at} somebody of our house saw your number, for: {why}",
        "looked_handed": "on {at} somebody of our house made a sheet of evidence, for: {why}",
        "purpose": "Purpose",
        "basis": "Legal basis",
        "kept_until": "Kept until",
        "answer_consent_key": "At {at} you pressed {key}, and so agreed to the recording.",
        "answer_objection_key": "At {at} you pressed {key}, and so objected to the recording.",
        "answer_silence": "You pressed no key. We took that as a no.",
        "answer_wrong_key": "You pressed keys without a meaning. We took that as a no.",
        "answer_too_early": "You pressed {key} before enough of the question was heard. We took that as a no.",
        "answer_hangup": "You hung up before an answer.",
        "answer_could_not_ask": "You could not be asked, because of a fault. We took that as a no.",
        "answer_switch_silent": "Our telephone system reported no answer. We took that as a no.",
        "answer_application_failed": "Your answer was not taken, because of a fault. We took that as a no.",
        "answer_connection_lost": "Your answer was not taken, because of a fault. We took that as a no.",
        "answer_service_stopped": "Your answer was not taken, because the system stopped. We took that as a no.",
        "answer_not_asked": "You were not asked. We took that as a no.",
        "answer_mode_off": "You were not asked: nothing is recorded on this line.",
        "answer_legal_basis": "You were told that the call is recorded, and not asked: the law demands the recording.",
        "answer_none": "The call ended before you had answered.",
        "late_consent_keys": "At {at} you pressed {key}, and so agreed to the recording after all.",
        "withdrawal_keys": "At {at} you took your consent back by pressing {key}.",
        "objection_after_consent": "At {at} you took your consent back by pressing {key}.",
        "by_word": "On {on} you took your consent back by word of mouth.",
        "not_said": "On {on} you took your consent back; by which way was not noted, because our system was "
        "interrupted.",
        "by_letter": "On {on} you took your consent back by letter.",
        "by_mail": "On {on} you took your consent back by e-mail.",
        "identity": "How we made sure that it was you: {identity}.",
        "recorded": "from {at}, {length}",
        "unpermitted": "from {at}, {length}: it was made without permission, and stopped",
        "length_unknown": "length not known",
        "file_enclosed": "file {name}",
        "file_gone": "the file cannot be found",
        "erased": "erased on {at}",
        "no_recording": "none",
        "silence_hold": "from {from_} to {until}, because somebody was on hold",
        "silence_outsider": "from {from_} to {until}, because somebody was heard who had not agreed",
        "silence_other": "from {from_} to {until}",
        "end_unknown": "its end",
        "staff_none": "you alone; nobody answered",
        "staff_one": "you and one member of our staff",
        "staff_many": "you and {count} members of our staff",
        "staff_unknown": "you; whether somebody answered is not noted",
        "outsider": "and for a time somebody else",
        "tapped": "and something else listened, which our telephone system calls {function}",
        "basis_consent": "your consent, Article 6(1)(a) GDPR",
        "basis_none": "Article 6(1)(c), Article 5(2) GDPR, for the entry about the call",
        "basis_law": "{basis}; Article 6(1)(c) GDPR",
        "until_held": "further notice, since the call is needed for legal claims (Article 17(3)(e), Article 18 GDPR)",
        "until_audio": "Recording: {day}",
        "until_rows": "Entry about the call: {day}",
        "until_none_audio": "Recording: no term is set",
        "until_none_rows": "Entry about the call: no term is set",
        "what": "Which data these are",
        "what_number": "your telephone number, as our telephone network transmitted it",
        "what_times": "when you called, which of our numbers, how long, and how the call ended",
        "what_answer": "the wording that you heard, the key that you pressed, and when",
        "what_audio": "where you agreed, or the law demands it, the recording of the conversation",
        "what_staff": "which of our staff took the call. We do not name them here, to protect their rights (Article "
        "15(4) GDPR)",
        "why": "What for, and on which legal basis",
        "why_audio": "Recordings: {purposes}. They rest on your consent (Article 6(1)(a) GDPR), unless another basis "
        "is named with the call.",
        "why_proof": "The entry about the call and your number: we must be able to show that you agreed, and that we "
        "kept your answer (Article 5(2) and Article 7(1) in conjunction with Article 6(1)(c) GDPR).",
        "source": "Where the data come from",
        "source_you": "From your own call. We have nothing from other sources.",
        "who": "Who receives them",
        "who_inside": "Within our house those of our staff who need them for the purposes named.",
        "who_nobody": "We pass them on to nobody outside.",
        "who_outside": "Outside of our house: {recipients}.",
        "how_long": "How long we keep them",
        "how_long_queue": "Queue {queue}: recordings {audio}; the entry about the call {rows}{refusals}.",
        "days": "{days} days after the call",
        "no_term": "without a set term",
        "how_long_refusals": "; where nothing was agreed to and nothing recorded, {days} days after it",
        "how_long_longer": "Longer only while a call is needed for the establishment, exercise or defence of legal "
        "claims.",
        "automated": "Automated decisions",
        "automated_none": "Nothing is decided about you by automated means on the basis of these data, and no profile "
        "is made (Article 22 GDPR).",
        "rights": "Your rights",
        "right_withdraw": "You may take your consent back at any time, without a form and without giving a reason: in "
        "the call by keys, or by telling or writing to us. What was done until then remains lawful (Article 7(3) "
        "GDPR).",
        "right_others": "You may ask us to correct the data (Article 16), to erase them (Article 17), to restrict "
        "their processing (Article 18), and to hand over in a machine-readable form what rests on your consent "
        "(Article 20 GDPR).",
        "right_object": "You may object to processing that rests on Article 6(1)(e) or (f) GDPR (Article 21). None of "
        "what this letter names does.",
        "right_complain": "You may complain to a supervisory authority (Article 77 GDPR): {authority}. You may also "
        "go to court (Article 79 GDPR).",
        "any_authority": "for instance the one of the place where you live or work",
        "contact": "Whom you can ask",
        "write_to": "Please write to {contact}, and name the telephone number.",
        "limits": "This letter says what the recording system knows. It does not cover other systems of our house.",
        "closing": "Yours faithfully",
        "enclosed": "Enclosed",
        "enclosed_data": "export.json: the same data in a machine-readable form, with proof that they are unchanged",
        "enclosed_audio": "recordings: {count} file(s)",
        "minutes": "{minutes} min {seconds} s",
        "copies_enclosed": "Copies are enclosed with this letter.",
        "copies_on_request": "You have a right to copies, free of charge (Article 15(3) GDPR). Tell us by which way "
        "they shall reach you safely.",
        "quote": "“{text}”",
        "clock": "{time}",
        "file_there": "kept",
        "file_elsewhere": "it was written to a place that this system does not look after; please ask us",
        "basis_withdrawn": "until you took it back, your consent, Article 6(1)(a) GDPR",
        "basis_since": "since then the recording is kept because of: {why}",
        "who_abroad": "Transfers to countries outside the European Economic Area: {countries}.",
        "who_not_abroad": "They are not transferred to countries outside the European Economic Area.",
        "dpo": "Data protection officer: {dpo}.",
        "right_more": "If you think that we must erase more than we did, tell us.",
        "erased_subject": "Erasure of your data under Article 17 GDPR: recorded telephone calls",
        "erased_asked": "You asked us to erase your personal data. This letter says what became of that on {at} in the "
        "system that records our telephone calls, for the telephone number {number}.",
        "erased_nothing": "We hold no call with this number: no recording, and no entry about you. So there was "
        "nothing to erase.",
        "erased_all": "Your telephone number and all recordings of your calls are erased. What stays, and why, is said "
        "below.",
        "erased_in_part": "Not everything could be erased. What stays, and why, is said with each call and below.",
        "erased_what": "What was erased",
        "erased_gone": "Erased",
        "erased_stays": "Stays",
        "erased_number": "your telephone number",
        "erased_recordings_one": "the recording",
        "erased_recordings_many": "{count} recordings",
        "erased_left": "What stays of each call, and why",
        "left_entry": "The entry that the call took place: when, which of our numbers, what was asked and answered. "
        "Your number is not in it any more, nor anything else that names you. We must be able to show that we asked, "
        "and kept your answer (Article 17(3)(b) with Article 5(2), Article 7(1) and Article 6(1)(c) GDPR). "
        "Until when, is said with the call.",
        "left_receipt": "A note that something was erased, and when. It does not name you. Without it an erasure would "
        "look like forgery.",
        "left_held": "everything, your number too: the call is needed for the establishment, exercise or defence of "
        "legal claims (Article 17(3)(e) GDPR). Until that is over we use it for nothing else, and erase it then.",
        "left_number": "your number: it belongs to this call and to another of the same connection, which is needed "
        "for legal claims (Article 17(3)(e) GDPR). We erase it when that is over.",
        "left_file_held": "a recording that also belongs to another call, which is needed for legal claims "
        "(Article 17(3)(e) GDPR). We erase it when that is over.",
        "left_file": "a recording that this system could not erase by itself yet. We see to it, and write to you "
        "again.",
        "erased_copies": "Backups",
        "erased_backups": "In backups and logs of the database your number may stand until they expire. They are used "
        "for nothing else; if a backup is restored, we erase again.",
        "erased_recipients": "Those to whom we passed data on are told of the erasure, unless that is impossible or "
        "takes a disproportionate effort (Article 19 GDPR): {recipients}.",
        "erased_told": "Who is told of it",
        "erased_nobody": "We had passed the data on to nobody outside.",
        "receipt_subject": "Receipt: consent taken back, data erased",
        "receipt_of": "This receipt says what was taken back and erased in the system that records our telephone "
        "calls, for the telephone number above, and which rows of our ledger say so. All times are those of the time "
        "zone {zone}.",
        "receipt_nothing": "For the telephone number above nothing was taken back and nothing erased in the system "
        "that records our telephone calls.",
        "receipt_rows": "What the ledger says",
        "receipt_row": "Row {position}",
        "receipt_hash": "check value (SHA-256): {hash}",
        "receipt_number": "Your telephone number was erased on {at}.",
        "receipt_recordings_none": "A recording was not there any more on {at}.",
        "receipt_recordings_one": "One recording was erased on {at}.",
        "receipt_recordings_many": "{count} recordings were erased on {at}.",
        "receipt_check": "How this can be checked",
        "receipt_how": "The ledger is a chain: the check value of each row rests on all rows before it. Keep this "
        "receipt. If you or an authority ask us later to show one of these rows, it must have the check value that "
        "stands here; another one would mean that the ledger was altered.",
        "delay_subject": "Your request: our answer takes longer (Article 12(3) GDPR)",
        "delay_received": "On {day} your request reached us. You asked for: {wishes}.",
        "delay_why": "We cannot answer it within one month. The reason: {why}. You will have our answer by {day} at "
        "the latest.",
        "wish_access": "access to your data (Article 15 GDPR)",
        "wish_erasure": "the erasure of your data (Article 17 GDPR)",
        "wish_withdrawal": "to take your consent back (Article 7(3) GDPR)",
        "wish_rectification": "the correction of your data (Article 16 GDPR)",
        "wish_restriction": "the restriction of their processing (Article 18 GDPR)",
        "wish_portability": "your data in a machine-readable form (Article 20 GDPR)",
        "wish_objection": "to object to their processing (Article 21 GDPR)",
    },
    "de": {
        "subject": "Ihr Auskunftsersuchen nach Art. 15 DSGVO: aufgezeichnete Telefongespräche",
        "whose": "Telefonnummer {number}",
        "to_holder": "An die Inhaberin oder den Inhaber der Telefonnummer {number}",
        "greeting": "Sehr geehrte Damen und Herren,",
        "asked": "Sie haben uns gefragt, welche personenbezogenen Daten wir über Sie gespeichert haben. Dieses "
        "Schreiben gibt Auskunft für das System, mit dem wir Telefongespräche aufzeichnen, und für die Telefonnummer "
        "{number}. Es gibt den Stand vom {as_of} wieder; alle Uhrzeiten sind solche der Zeitzone {zone}.",
        "nothing": "Zu dieser Nummer haben wir keinen Anruf gespeichert: keine Aufzeichnung und keinen Eintrag über "
        "Sie.",
        "calls_one": "Zu dieser Nummer haben wir einen Anruf gespeichert.",
        "calls_many": "Zu dieser Nummer haben wir {count} Anrufe gespeichert.",
        "recordings_none": "Eine Aufzeichnung davon gibt es nicht oder nicht mehr.",
        "recordings_one": "Davon gibt es eine Aufzeichnung.",
        "recordings_many": "Davon gibt es {count} Aufzeichnungen.",
        "only_number": "Wir kennen nur die Nummer und keinen Namen dazu; vom selben Anschluss kann auch jemand "
        "anderes angerufen haben.",
        "kept_given": "Von Anrufenden, die einer Aufzeichnung nicht zustimmen, speichern wir die Nummer nicht. Solche "
        "Anrufe lassen sich niemandem zuordnen und stehen nicht in diesem Schreiben. Nennen Sie uns Tag und Uhrzeit, "
        "so prüfen wir, ob es doch gelingt (Art. 11 DSGVO).",
        "kept_all": "Wir speichern die Nummer von allen Anrufenden, die sie übermitteln.",
        "kept_never": "Wir speichern keine Telefonnummern. Was dieses Schreiben aufführt, stammt aus der Zeit davor.",
        "your_calls": "Ihre Anrufe",
        "call": "Anruf vom {at}",
        "line": "Angerufen",
        "ended": "Ende",
        "wording_asked": "Was Sie gefragt wurden",
        "wording_told": "Was Ihnen gesagt wurde",
        "answer": "Was Sie geantwortet haben",
        "late": "Später im Gespräch",
        "withdrawn": "Widerruf",
        "recording": "Aufzeichnung",
        "silence": "Stille darin",
        "heard_by": "Wer im Gespräch war",
        "looked_at": "Seither eingesehen",
        "looked_played": "am {at} hat jemand aus unserem Haus die Aufzeichnung gehört, Zweck: {why}",
        "looked_shown": "am {at} hat jemand aus unserem Haus Ihre Nummer gesehen, Zweck: {why}",
        "looked_handed": "am {at} hat jemand aus unserem Haus ein Beweisblatt erstellt, Zweck: {why}",
        "purpose": "Zweck",
        "basis": "Rechtsgrundlage",
        "kept_until": "Gespeichert bis",
        "answer_consent_key": "Um {at} haben Sie die {key} gedrückt und damit in die Aufzeichnung eingewilligt.",
        "answer_objection_key": "Um {at} haben Sie die {key} gedrückt und damit der Aufzeichnung widersprochen.",
        "answer_silence": "Sie haben keine Taste gedrückt. Das galt uns als Nein.",
        "answer_wrong_key": "Sie haben Tasten ohne Bedeutung gedrückt. Das galt uns als Nein.",
        "answer_too_early": "Sie haben die {key} gedrückt, bevor genug von der Frage zu hören war. Das galt uns als "
        "Nein.",
        "answer_hangup": "Sie haben vor einer Antwort aufgelegt.",
        "answer_could_not_ask": "Sie konnten wegen einer Störung nicht gefragt werden. Das galt uns als Nein.",
        "answer_switch_silent": "Unsere Telefonanlage meldete keine Antwort. Das galt uns als Nein.",
        "answer_application_failed": "Ihre Antwort wurde wegen einer Störung nicht aufgenommen. Das galt uns als Nein.",
        "answer_connection_lost": "Ihre Antwort wurde wegen einer Störung nicht aufgenommen. Das galt uns als Nein.",
        "answer_service_stopped": "Ihre Antwort wurde nicht aufgenommen, weil das System anhielt. Das galt uns als "
        "Nein.",
        "answer_not_asked": "Sie wurden nicht gefragt. Das galt uns als Nein.",
        "answer_mode_off": "Sie wurden nicht gefragt: auf dieser Leitung wird nichts aufgezeichnet.",
        "answer_legal_basis": "Ihnen wurde gesagt, dass das Gespräch aufgezeichnet wird; gefragt wurden Sie nicht, "
        "denn das Gesetz verlangt die Aufzeichnung.",
        "answer_none": "Der Anruf endete, bevor Sie geantwortet hatten.",
        "late_consent_keys": "Um {at} haben Sie {key} gedrückt und damit doch noch eingewilligt.",
        "withdrawal_keys": "Um {at} haben Sie Ihre Einwilligung mit der Taste {key} widerrufen.",
        "objection_after_consent": "Um {at} haben Sie Ihre Einwilligung mit der Taste {key} widerrufen.",
        "by_word": "Am {on} haben Sie Ihre Einwilligung mündlich widerrufen.",
        "not_said": "Am {on} haben Sie Ihre Einwilligung widerrufen; auf welchem Weg, ist nicht vermerkt, weil unser "
        "System unterbrochen war.",
        "by_letter": "Am {on} haben Sie Ihre Einwilligung durch einen Brief widerrufen.",
        "by_mail": "Am {on} haben Sie Ihre Einwilligung durch eine E-Mail widerrufen.",
        "identity": "Wie wir geprüft haben, dass Sie es sind: {identity}.",
        "recorded": "ab {at}, {length}",
        "unpermitted": "ab {at}, {length}: ohne Erlaubnis angefertigt und beendet",
        "length_unknown": "Länge nicht bekannt",
        "file_enclosed": "Datei {name}",
        "file_gone": "die Datei ist nicht auffindbar",
        "erased": "gelöscht am {at}",
        "no_recording": "keine",
        "silence_hold": "von {from_} bis {until}, weil jemand gehalten wurde",
        "silence_outsider": "von {from_} bis {until}, weil jemand zu hören war, der nicht eingewilligt hatte",
        "silence_other": "von {from_} bis {until}",
        "end_unknown": "zum Schluss",
        "staff_none": "nur Sie; niemand nahm den Anruf an",
        "staff_one": "Sie und eine Person aus unserem Haus",
        "staff_many": "Sie und {count} Personen aus unserem Haus",
        "staff_unknown": "Sie; ob jemand den Anruf annahm, ist nicht vermerkt",
        "outsider": "und zeitweise noch jemand",
        "tapped": "und etwas anderes hörte mit, das unsere Telefonanlage {function} nennt",
        "basis_consent": "Ihre Einwilligung, Art. 6 Abs. 1 lit. a DSGVO",
        "basis_none": "Art. 6 Abs. 1 lit. c, Art. 5 Abs. 2 DSGVO, für den Eintrag über den Anruf",
        "basis_law": "{basis}; Art. 6 Abs. 1 lit. c DSGVO",
        "until_held": "auf Weiteres, weil der Anruf für Rechtsansprüche gebraucht wird (Art. 17 Abs. 3 lit. e, Art. "
        "18 DSGVO)",
        "until_audio": "Aufzeichnung: {day}",
        "until_rows": "Eintrag über den Anruf: {day}",
        "until_none_audio": "Aufzeichnung: keine Frist festgelegt",
        "until_none_rows": "Eintrag über den Anruf: keine Frist festgelegt",
        "what": "Welche Daten das sind",
        "what_number": "Ihre Telefonnummer, wie das Telefonnetz sie uns übermittelt hat",
        "what_times": "wann Sie anriefen, unter welcher unserer Nummern, wie lange, und wie der Anruf endete",
        "what_answer": "der Wortlaut, den Sie hörten, die Taste, die Sie drückten, und wann",
        "what_audio": "wo Sie eingewilligt haben oder das Gesetz es verlangt, die Aufzeichnung des Gesprächs",
        "what_staff": "wer aus unserem Haus den Anruf annahm. Zum Schutz ihrer Rechte nennen wir diese Personen hier "
        "nicht (Art. 15 Abs. 4 DSGVO)",
        "why": "Wozu, und auf welcher Rechtsgrundlage",
        "why_audio": "Aufzeichnungen: {purposes}. Sie beruhen auf Ihrer Einwilligung (Art. 6 Abs. 1 lit. a DSGVO), "
        "soweit beim Anruf keine andere Grundlage genannt ist.",
        "why_proof": "Der Eintrag über den Anruf und Ihre Nummer: Wir müssen nachweisen können, dass Sie eingewilligt "
        "haben und dass wir Ihre Antwort beachtet haben (Art. 5 Abs. 2 und Art. 7 Abs. 1 in Verbindung mit Art. 6 "
        "Abs. 1 lit. c DSGVO).",
        "source": "Woher die Daten stammen",
        "source_you": "Aus Ihrem eigenen Anruf. Aus anderen Quellen haben wir nichts.",
        "who": "Wer sie erhält",
        "who_inside": "In unserem Haus diejenigen, die sie für die genannten Zwecke brauchen.",
        "who_nobody": "Wir geben sie an niemanden außerhalb weiter.",
        "who_outside": "Außerhalb unseres Hauses: {recipients}.",
        "how_long": "Wie lange wir sie speichern",
        "how_long_queue": "Warteschlange {queue}: Aufzeichnungen {audio}; der Eintrag über den Anruf {rows}{refusals}.",
        "days": "{days} Tage nach dem Anruf",
        "no_term": "ohne festgelegte Frist",
        "how_long_refusals": "; wo nicht eingewilligt und nichts aufgezeichnet wurde, {days} Tage danach",
        "how_long_longer": "Länger nur, solange ein Anruf zur Geltendmachung, Ausübung oder Verteidigung von "
        "Rechtsansprüchen gebraucht wird.",
        "automated": "Automatisierte Entscheidungen",
        "automated_none": "Auf Grundlage dieser Daten wird nichts automatisiert über Sie entschieden und kein Profil "
        "gebildet (Art. 22 DSGVO).",
        "rights": "Ihre Rechte",
        "right_withdraw": "Sie können Ihre Einwilligung jederzeit widerrufen, formlos und ohne Begründung: im "
        "Gespräch mit Tasten, oder indem Sie es uns sagen oder schreiben. Was bis dahin geschah, bleibt rechtmäßig "
        "(Art. 7 Abs. 3 DSGVO).",
        "right_others": "Sie können verlangen, dass wir die Daten berichtigen (Art. 16), löschen (Art. 17), ihre "
        "Verarbeitung einschränken (Art. 18), und Ihnen in maschinenlesbarer Form geben, was auf Ihrer Einwilligung "
        "beruht (Art. 20 DSGVO).",
        "right_object": "Einer Verarbeitung, die auf Art. 6 Abs. 1 lit. e oder f DSGVO beruht, können Sie "
        "widersprechen (Art. 21). Nichts von dem, was dieses Schreiben nennt, beruht darauf.",
        "right_complain": "Sie können sich bei einer Aufsichtsbehörde beschweren (Art. 77 DSGVO): {authority}. Auch "
        "der Rechtsweg steht Ihnen offen (Art. 79 DSGVO).",
        "any_authority": "zum Beispiel bei der Ihres Wohn- oder Arbeitsortes",
        "contact": "An wen Sie sich wenden können",
        "write_to": "Bitte schreiben Sie an {contact}, und nennen Sie die Telefonnummer.",
        "limits": "Dieses Schreiben sagt, was das Aufzeichnungssystem weiß. Andere Systeme unseres Hauses umfasst es "
        "nicht.",
        "closing": "Mit freundlichen Grüßen",
        "enclosed": "Anlagen",
        "enclosed_data": "export.json: dieselben Daten in maschinenlesbarer Form, mit dem Nachweis, dass sie "
        "unverändert sind",
        "enclosed_audio": "recordings: {count} Datei(en)",
        "minutes": "{minutes} min {seconds} s",
        "copies_enclosed": "Kopien liegen diesem Schreiben bei.",
        "copies_on_request": "Sie haben Anspruch auf Kopien, unentgeltlich (Art. 15 Abs. 3 DSGVO). Sagen Sie uns, auf "
        "welchem Weg sie sicher zu Ihnen gelangen.",
        "quote": "„{text}“",
        "clock": "{time} Uhr",
        "file_there": "vorhanden",
        "file_elsewhere": "sie wurde an einen Ort geschrieben, den dieses System nicht betreut; bitte fragen Sie uns",
        "basis_withdrawn": "bis zu Ihrem Widerruf Ihre Einwilligung, Art. 6 Abs. 1 lit. a DSGVO",
        "basis_since": "seither bleibt die Aufzeichnung aufgrund von: {why}",
        "who_abroad": "Übermittlung in Länder außerhalb des Europäischen Wirtschaftsraums: {countries}.",
        "who_not_abroad": "In Länder außerhalb des Europäischen Wirtschaftsraums werden sie nicht übermittelt.",
        "dpo": "Datenschutzbeauftragte oder Datenschutzbeauftragter: {dpo}.",
        "right_more": "Meinen Sie, dass wir mehr löschen müssen, als wir gelöscht haben, so sagen Sie es uns.",
        "erased_subject": "Löschung Ihrer Daten nach Art. 17 DSGVO: aufgezeichnete Telefongespräche",
        "erased_asked": "Sie haben verlangt, dass wir Ihre personenbezogenen Daten löschen. Dieses Schreiben sagt, was "
        "daraus am {at} in dem System geworden ist, mit dem wir Telefongespräche aufzeichnen, und zwar für die "
        "Telefonnummer {number}.",
        "erased_nothing": "Zu dieser Nummer haben wir keinen Anruf gespeichert: keine Aufzeichnung und keinen Eintrag "
        "über Sie. Es gab also nichts zu löschen.",
        "erased_all": "Ihre Telefonnummer und alle Aufzeichnungen Ihrer Anrufe sind gelöscht. Was bleibt, und warum, "
        "steht unten.",
        "erased_in_part": "Nicht alles konnte gelöscht werden. Was bleibt, und warum, steht bei jedem Anruf und unten.",
        "erased_what": "Was gelöscht wurde",
        "erased_gone": "Gelöscht",
        "erased_stays": "Bleibt",
        "erased_number": "Ihre Telefonnummer",
        "erased_recordings_one": "die Aufzeichnung",
        "erased_recordings_many": "{count} Aufzeichnungen",
        "erased_left": "Was von jedem Anruf bleibt, und warum",
        "left_entry": "Der Eintrag, dass der Anruf stattfand: wann, unter welcher unserer Nummern, was gefragt und "
        "geantwortet wurde. Ihre Nummer steht nicht mehr darin, und auch sonst nichts, was Sie nennt. Wir müssen "
        "nachweisen können, dass wir gefragt und Ihre Antwort beachtet haben (Art. 17 Abs. 3 lit. b in Verbindung mit "
        "Art. 5 Abs. 2, Art. 7 Abs. 1 und Art. 6 Abs. 1 lit. c DSGVO). Bis wann er "
        "bleibt, steht beim Anruf.",
        "left_receipt": "Ein Vermerk, dass und wann etwas gelöscht wurde. Er nennt Sie nicht. Ohne ihn sähe eine "
        "Löschung wie eine Fälschung aus.",
        "left_held": "alles, auch Ihre Nummer: Der Anruf wird zur Geltendmachung, Ausübung oder Verteidigung von "
        "Rechtsansprüchen gebraucht (Art. 17 Abs. 3 lit. e DSGVO). Bis das vorbei ist, verwenden wir ihn zu nichts "
        "anderem, und löschen ihn dann.",
        "left_number": "Ihre Nummer: Sie gehört zu diesem Anruf und zu einem weiteren derselben Verbindung, der für "
        "Rechtsansprüche gebraucht wird (Art. 17 Abs. 3 lit. e DSGVO). Wir löschen sie, wenn das vorbei ist.",
        "left_file_held": "eine Aufzeichnung, die auch zu einem anderen Anruf gehört, der für Rechtsansprüche "
        "gebraucht wird (Art. 17 Abs. 3 lit. e DSGVO). Wir löschen sie, wenn das vorbei ist.",
        "left_file": "eine Aufzeichnung, die dieses System noch nicht selbst löschen konnte. Wir kümmern uns darum und "
        "schreiben Ihnen wieder.",
        "erased_copies": "Sicherungskopien",
        "erased_backups": "In Sicherungskopien und Schreibprotokollen der Datenbank kann Ihre Nummer stehen, bis sie "
        "ablaufen. Zu anderem werden sie nicht verwendet; wird eine Kopie eingespielt, so löschen wir erneut.",
        "erased_recipients": "Denen, an die wir Daten weitergegeben haben, teilen wir die Löschung mit, soweit das "
        "nicht unmöglich oder unverhältnismäßig ist (Art. 19 DSGVO): {recipients}.",
        "erased_told": "Wer davon erfährt",
        "erased_nobody": "Wir hatten die Daten an niemanden außerhalb unseres Hauses weitergegeben.",
        "receipt_subject": "Quittung: Einwilligung widerrufen, Daten gelöscht",
        "receipt_of": "Diese Quittung sagt, was in dem System, mit dem wir Telefongespräche aufzeichnen, zu der oben "
        "genannten Telefonnummer widerrufen und gelöscht wurde, und welche Zeilen unseres Journals das festhalten. "
        "Alle Uhrzeiten sind solche der Zeitzone {zone}.",
        "receipt_nothing": "Zu der oben genannten Telefonnummer wurde in dem System, mit dem wir Telefongespräche "
        "aufzeichnen, nichts widerrufen und nichts gelöscht.",
        "receipt_rows": "Was im Journal steht",
        "receipt_row": "Zeile {position}",
        "receipt_hash": "Prüfwert (SHA-256): {hash}",
        "receipt_number": "Ihre Telefonnummer wurde am {at} gelöscht.",
        "receipt_recordings_none": "Eine Aufzeichnung war am {at} nicht mehr da.",
        "receipt_recordings_one": "Eine Aufzeichnung wurde am {at} gelöscht.",
        "receipt_recordings_many": "{count} Aufzeichnungen wurden am {at} gelöscht.",
        "receipt_check": "Wie sich das prüfen lässt",
        "receipt_how": "Das Journal ist eine Kette: Der Prüfwert jeder Zeile beruht auf allen Zeilen davor. Bewahren "
        "Sie diese Quittung auf. Verlangen Sie oder eine Behörde später, dass wir eine dieser Zeilen zeigen, so muss "
        "sie den Prüfwert haben, der hier steht; ein anderer hieße, dass das Journal verändert wurde.",
        "delay_subject": "Ihr Anliegen: Unsere Antwort dauert länger (Art. 12 Abs. 3 DSGVO)",
        "delay_received": "Am {day} ist Ihr Anliegen bei uns eingegangen. Sie verlangen: {wishes}.",
        "delay_why": "Innerhalb eines Monats können wir es nicht beantworten. Der Grund: {why}. Sie erhalten unsere "
        "Antwort spätestens am {day}.",
        "wish_access": "Auskunft über Ihre Daten (Art. 15 DSGVO)",
        "wish_erasure": "die Löschung Ihrer Daten (Art. 17 DSGVO)",
        "wish_withdrawal": "den Widerruf Ihrer Einwilligung (Art. 7 Abs. 3 DSGVO)",
        "wish_rectification": "die Berichtigung Ihrer Daten (Art. 16 DSGVO)",
        "wish_restriction": "die Einschränkung ihrer Verarbeitung (Art. 18 DSGVO)",
        "wish_portability": "Ihre Daten in maschinenlesbarer Form (Art. 20 DSGVO)",
        "wish_objection": "den Widerspruch gegen ihre Verarbeitung (Art. 21 DSGVO)",
    },
}
