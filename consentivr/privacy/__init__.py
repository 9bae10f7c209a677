"""What a data protection officer signs, made from the configuration (GDPR art. 13, 30, 32, 33, 35)."""

from consentivr.privacy.documents import DOCUMENTS, Document, document
from consentivr.privacy.facts import Facts, facts_of, missing
from consentivr.privacy.words import LANGUAGES

__all__ = ["DOCUMENTS", "LANGUAGES", "Document", "Facts", "document", "facts_of", "missing"]
