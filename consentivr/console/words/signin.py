"""Signing in."""

WORDS = {
    "en": {
        "signin.title": "Sign in",
        "signin.account": "Account",
        "signin.password": "Password",
        "signin.send": "Sign in",
        "signin.wrong": "Account or password is wrong.",
        "signin.again": "Your password again",
        "signin.again_why": "Listening, approving, erasing and handing over want to know that it is still you.",
    },
    "de": {
        "signin.title": "Anmelden",
        "signin.account": "Konto",
        "signin.password": "Kennwort",
        "signin.send": "Anmelden",
        "signin.wrong": "Konto oder Kennwort ist falsch.",
        "signin.again": "Noch einmal Ihr Kennwort",
        "signin.again_why": "Wer abhört, freigibt, löscht oder herausgibt, weist sich dafür noch einmal aus.",
    },
}
