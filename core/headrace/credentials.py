"""As whom AWS is called, as it is written in a config: a role that is assumed, and keys."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, SecretStr

from headrace.settings import Settings


def _role(arn: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+", arn):
        raise ValueError("must be a role's ARN: arn:aws:iam::ACCOUNT:role/NAME")
    return arn


RoleArn: TypeAlias = Annotated[str, AfterValidator(_role)]
"""An IAM role, as it is written in a config."""


Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1)]


class Credentials(Settings):
    """`credentials: {…}`, best as ${NAME}: they are shown nowhere."""

    access_key_id: Secret = Field(description="As AWS_ACCESS_KEY_ID.")
    secret_access_key: Secret = Field(description="As AWS_SECRET_ACCESS_KEY.")
    session_token: Secret | None = Field(None, description="As AWS_SESSION_TOKEN: of credentials for a time.")


def one_identity(profile: str | None, credentials: Credentials | None) -> None:
    """Raises ValueError where both are given."""
    if profile is not None and credentials is not None:
        raise ValueError("profile and credentials are two identities: write one of them")
