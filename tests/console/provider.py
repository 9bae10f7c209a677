"""A provider of OpenID Connect in a process of its own: Canaille, an identity server, with an SQLite file.

``python provider.py PORT REDIRECT FILE`` prints a line when it answers. People: olga and nora, with PASSWORD; olga is
in the group dpo. The client is ``consentivr`` with the secret ``of the console``.
"""

from __future__ import annotations

import datetime
import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

PASSWORD = "correct horse battery"
CLIENT_ID, CLIENT_SECRET = "consentivr", "of the console"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *said: object) -> None:
        """Nothing."""


def serve(port: int, redirect: str, file: str) -> None:
    """Until killed."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # on loopback, for a test
    from canaille import create_app
    from canaille.app import models
    from canaille.backends import Backend
    from joserfc.jwk import RSAKey

    key = RSAKey.generate_key(2048)
    key.ensure_kid()
    app = create_app(
        config={
            "TESTING": True,
            "ENV_FILE": None,
            "SECRET_KEY": "of the provider",
            "WTF_CSRF_ENABLED": False,
            "PREFERRED_URL_SCHEME": "http",
            "SERVER_NAME": f"localhost:{port}",
            "CANAILLE": {
                "DATABASE": "sql",
                "JAVASCRIPT": False,
                "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}},
            },
            "CANAILLE_SQL": {"DATABASE_URI": f"sqlite:///{file}", "PASSWORD_SCHEMES": "pbkdf2_sha512"},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
        }
    )
    with app.app_context(), Backend.instance.session():
        client = models.Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_name="consentivr",
            redirect_uris=[redirect],
            post_logout_redirect_uris=[redirect.replace("/oidc/back", "/sign-in?out")],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "groups"],
            token_endpoint_auth_method="client_secret_basic",
            client_id_issued_at=datetime.datetime.now(datetime.timezone.utc),
            contacts=["olga@console.example"],
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
        people = {}
        for name in ("olga", "nora"):
            people[name] = models.User(
                user_name=name, password=PASSWORD, formatted_name=name, display_name=name, family_name=name,
                emails=[f"{name}@console.example"],
            )  # fmt: skip
            Backend.instance.save(people[name])
        Backend.instance.save(models.Group(display_name="dpo", members=[people["olga"]]))
    server = make_server("localhost", port, app, handler_class=_Quiet)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
