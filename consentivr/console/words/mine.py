"""An agent's own agreement."""

WORDS = {
    "en": {
        "mine.title": "My agreement to be recorded",
        "mine.you_are": "In the telephone system you are",
        "mine.agreed": "You have agreed",
        "mine.withdrawn": "You took it back",
        "mine.never": "You have not agreed",
        "mine.now": "What you agreed to",
        "mine.at": "Noted",
        "mine.word": "Your word",
        "mine.on": "On",
        "mine.queues": "Queues",
        "mine.all_queues": "all",
        "mine.to": "To this",
        "mine.by": "Entered by",
        "mine.text_elsewhere": "A document that is kept elsewhere; here is its SHA-256 or its name:",
        "mine.agent_agreed": "agreed",
        "mine.agent_withdrew": "took it back",
        "mine.agree_title": "Agree",
        "mine.agree_anew": "Agree anew, to other queues or to the wording of today",
        "mine.which_queues": "In which queues?",
        "mine.follows": "From your next talk on, a talk in these queues is recorded if the caller agrees, too. Nobody "
        "may hold it against you if you do not agree. You can take it back here at any time.",
        "mine.agree": "I agree",
        "mine.take_back": "Take it back",
        "mine.back_follows": "From your next talk on you are not recorded any more. What was recorded until then stays "
        "until its term, as it was allowed then.",
        "mine.no_queue": "Choose at least one queue.",
        "mine.changed": "The wording was changed since you opened this page. Read it again, then agree or not.",
        "mine.no_wording": "There is no wording to agree to here: neither agents.line nor agents.document_file is set. "
        "Ask the administration.",
        "mine.not_needed": "Here talks are recorded whether or not you have agreed on this page (agents.must_agree is "
        "false): the house says that it has your consent by other means.",
        "mine.history": "What you said so far",
    },
    "de": {
        "mine.title": "Meine Einwilligung in die Aufzeichnung",
        "mine.you_are": "In der Telefonanlage sind Sie",
        "mine.agreed": "Sie haben eingewilligt",
        "mine.withdrawn": "Sie haben widerrufen",
        "mine.never": "Sie haben nicht eingewilligt",
        "mine.now": "Worin Sie eingewilligt haben",
        "mine.at": "Vermerkt",
        "mine.word": "Ihre Erklärung",
        "mine.on": "Am",
        "mine.queues": "Warteschlangen",
        "mine.all_queues": "alle",
        "mine.to": "In dies",
        "mine.by": "Eingetragen von",
        "mine.text_elsewhere": "Ein Dokument, das anderswo aufbewahrt ist; hier sein SHA-256 oder sein Name:",
        "mine.agent_agreed": "eingewilligt",
        "mine.agent_withdrew": "widerrufen",
        "mine.agree_title": "Einwilligen",
        "mine.agree_anew": "Neu einwilligen, für andere Warteschlangen oder in den Wortlaut von heute",
        "mine.which_queues": "In welchen Warteschlangen?",
        "mine.follows": "Vom nächsten Gespräch an wird in diesen Warteschlangen aufgezeichnet, wenn auch die "
        "Anrufenden einwilligen. Niemand darf Ihnen vorhalten, dass Sie nicht einwilligen. Sie können hier jederzeit "
        "widerrufen.",
        "mine.agree": "Ich willige ein",
        "mine.take_back": "Widerrufen",
        "mine.back_follows": "Vom nächsten Gespräch an werden Sie nicht mehr aufgezeichnet. Was bis dahin "
        "aufgezeichnet wurde, bleibt bis zu seiner Frist, wie es damals erlaubt war.",
        "mine.no_queue": "Wählen Sie mindestens eine Warteschlange.",
        "mine.changed": "Der Wortlaut wurde geändert, seit Sie diese Seite öffneten. Lesen Sie ihn noch einmal, und "
        "entscheiden Sie dann.",
        "mine.no_wording": "Hier gibt es keinen Wortlaut, in den Sie einwilligen könnten: Weder agents.line noch "
        "agents.document_file ist gesetzt. Fragen Sie die Verwaltung.",
        "mine.not_needed": "Hier wird auch ohne eine Einwilligung auf dieser Seite aufgezeichnet (agents.must_agree "
        "ist false): Das Haus erklärt, dass es Ihre Einwilligung auf anderem Weg hat.",
        "mine.history": "Was Sie bisher erklärt haben",
    },
}
