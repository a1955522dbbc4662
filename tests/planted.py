"""Thirty secrets where secrets are found: in the environment, in exceptions, in the notes of a config."""

from __future__ import annotations

from typing import NoReturn

NAMED = (
    *("AWS_SECRET_ACCESS_KEY", "BINANCE_API_SECRET", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
    *("PREFECT_API_KEY", "GITHUB_TOKEN", "DB_PASS", "STRIPE_KEY", "REGISTRY_CREDENTIAL", "SMTP_PASSWORD"),
)
LINKED = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "UPSTREAM")
ENVIRONMENT = {
    **{name: f"Named{number}xQ7" for number, name in enumerate(NAMED)},
    **{name: f"scheme{number}://ann:Linked{number}xQ7@host/db" for number, name in enumerate(LINKED)},
}
"""Ten variables that hold a secret by their name, and four whose URL has a password."""

TEXTS = [
    "cannot log in: password=Told0xQ7",
    "api_key: Told1xQ7",
    'the token "Told2xQ7" has expired',
    "Authorization: Bearer Told3xQ7",
    "Authorization: Basic Told4xQ7==",
    "GET https://host/orders?signature=Told5xQ7&symbol=BTC",
    "postgresql://ann:Told6xQ7@host/db refused",
    "-----BEGIN PRIVATE KEY-----\nTold7xQ7\n-----END PRIVATE KEY-----",
    "AKIATOLD8XQ7TOLD8XQ7",
    "ghp_Told9xQ7Told9xQ7Told9xQ7",
    "sk-Told10xQ7Told10xQ7",
    "xoxb-Told11xQ7-Told11xQ7",
    "eyJhbGciOiJIUzI1NiJ9.eyJTold12xQ7.Told12xQ7",
]
"""Thirteen that nobody has named before."""

NOTES = "account ann, password: Noted0xQ7; see https://ann:Noted1xQ7@host; key AKIANOTED2XQ7NOTED2X; Named0xQ7"
SECRETS = [
    *(f"Named{number}xQ7" for number in range(10)),
    *(f"Linked{number}xQ7" for number in range(4)),
    *(f"Told{number}xQ7" for number in range(13)),
    *(f"Noted{number}xQ7" for number in range(3)),
]


def failing(_refinement: object) -> NoReturn:
    """An evaluation that fails with all secrets but those of the notes: in message, cause, context, group and notes."""
    try:
        try:
            group = ExceptionGroup(TEXTS[6], [ValueError(text) for text in TEXTS[7:10]])
            raise KeyError(" and ".join(TEXTS[:4])) from group  # noqa: TRY301
        except KeyError:
            raise OSError(5, TEXTS[4], TEXTS[5])  # noqa: B904 - a context is wanted
    except OSError as cause:
        cause.add_note("from " + " ".join(SECRETS[5:9]))
        error = ValueError(f"{SECRETS[9]}: {TEXTS[10]}", *SECRETS[:5])
        error.add_note(f"{TEXTS[11]} {TEXTS[12]} with " + " ".join(SECRETS[10:14]))
        raise error from cause
