"""As whom AWS is called, as it is written in a config: a role that is assumed, and keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Protocol, TypeAlias

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


class Somebody(Protocol):
    """Settings that may say as whom: of a function, a source, a destination."""

    @property
    def role_arn(self) -> str | None: ...

    @property
    def profile(self) -> str | None: ...

    @property
    def credentials(self) -> Credentials | None: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A role that the other assumes, or a profile, or credentials; without any of these whoever the process is."""

    role_arn: str | None = None
    profile: str | None = None
    credentials: Credentials | None = None

    @classmethod
    def of(cls, settings: Somebody) -> Identity:
        return cls(settings.role_arn, settings.profile, settings.credentials)

    @property
    def caller(self) -> Identity:
        """Who assumes the role."""
        return replace(self, role_arn=None)

    @property
    def said(self) -> str:
        """The names of what it has, joined."""
        return " and ".join(name for name in ("role_arn", "profile", "credentials") if getattr(self, name))
