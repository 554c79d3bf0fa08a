"""Starts the dashboard with sign-in, for trying it out: `make run-signed-in`. Nothing of it is for real use.

A small provider runs beside it and lets anybody in as whoever they say. Five people have a role each. The database, a
demo, and everything else are in a folder of their own that is deleted at the end.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from credits_core import startup
from credits_core.access import people
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = {f"{role.value}@example.org": role for role in PersonRole}
_PORT, _PROVIDER_PORT = 8501, 9400


def add_people(database_url: str) -> None:
    """Make the database, and give each of the five people their role."""
    with database.opened(database_url) as engine:
        startup.migrate(engine)
        for email, role in PEOPLE.items():
            now = datetime.now(UTC)
            database.write(
                engine,
                lambda connection, email=email, role=role, now=now: people.add(  # type: ignore[misc]
                    connection, email, [role], actor=operator(Way.CLI), now=now
                ),
            )


def write_secrets(path: Path, provider: str) -> None:
    """Write Streamlit's `secrets.toml` for this provider, with a secret of its own for the cookie."""
    path.write_text(
        "[auth]\n"
        'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
        f'cookie_secret = "{secrets.token_hex(32)}"\n'
        'client_id = "promptflow-credits"\n'
        f'client_secret = "{secrets.token_hex(16)}"\n'
        f'server_metadata_url = "{provider}/.well-known/openid-configuration"\n',
        encoding="utf-8",
    )


def settings(folder: Path, provider: str) -> dict[str, str]:
    """The environment of a dashboard whose people sign in at this provider. Writes what it needs into the folder."""
    secrets_file = folder / "secrets.toml"
    write_secrets(secrets_file, provider)
    return {"CREDITS_SIGN_IN": "oidc", "STREAMLIT_SECRETS_FILES": str(secrets_file)}


@contextmanager
def running_provider(port: int, claims: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """The address of a provider that knows these people, and lets in anybody else who types a name."""
    options = [option for one in claims for option in ("--user-claims", json.dumps(one))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *options]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(30)


def claims(email: str, *, is_verified: bool = True) -> dict[str, object]:
    """What the provider says of a person."""
    return {"sub": email, "email": email, "email_verified": is_verified}


def main() -> None:
    """Start provider and dashboard, say who may sign in, and end both with Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both are ended, and the folder is deleted
    known = [claims(email) for email in PEOPLE]
    with tempfile.TemporaryDirectory(prefix="promptflow-") as name, running_provider(_PROVIDER_PORT, known) as provider:
        folder = Path(name)
        url = f"sqlite:///{folder / 'credits.db'}"
        add_people(url)
        print(f"The dashboard: http://127.0.0.1:{_PORT}. Stop it with Ctrl+C. Sign in as one of:")
        for email in PEOPLE:
            print(f"  {email}")
        environment = os.environ | settings(folder, provider) | {"CREDITS_DATABASE_URL": url, "CREDITS_DEMO": "1"}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={_PORT}"]
        try:
            subprocess.run(command, cwd=ROOT, env=environment, check=False)
        except KeyboardInterrupt:
            print("Stopped. The database of this try is deleted.")


if __name__ == "__main__":
    main()
