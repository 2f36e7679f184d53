"""As whom functions call AWS: a role or a profile, as a private config file that every AWS library reads and refreshes.

A library that finds keys in the environment looks no further. So they go where its other profiles are: into the file.
"""

from __future__ import annotations

import atexit
import configparser
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from headrace.credentials import Identity

KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
VARIABLES: Final = (*KEYS, "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
"""All that says as whom AWS is called."""

FUNCTIONS, PROCESS = "headrace-functions", "headrace-process"
"""Our own profiles: that of the functions, and that of keys which assume their role."""

Section: TypeAlias = dict[str, str]


def variables(identity: Identity, environ: Mapping[str, str]) -> dict[str, str | None]:
    """What functions need in their environment, to be *identity* in a process that has *environ*; None: not there."""
    if identity == Identity():
        return {}
    without = dict.fromkeys((*KEYS, "AWS_DEFAULT_PROFILE", "AWS_PROFILE"))
    if identity.role_arn is None:
        return {**without, **_keys(identity), "AWS_PROFILE": identity.profile}
    path = Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    known = path.read_text() if path.is_file() else ""
    own = sections(identity, environ, _has_credentials(environ, known))
    file = _private(f"{known}\n{''.join(_written(name, one) for name, one in own.items())}")
    return {**without, "AWS_PROFILE": FUNCTIONS, "AWS_CONFIG_FILE": str(file)}


def sections(identity: Identity, environ: Mapping[str, str], default: bool) -> dict[str, Section]:  # noqa: FBT001
    """The profiles to write, by name. Who assumes the role is found in the order of every AWS library.

    *default*: whether there is a profile of that name, with credentials.
    """
    role = {"role_arn": identity.role_arn or "", "role_session_name": "headrace"}
    written = None if environ.get(KEYS[0]) else environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
    if keys := _keys(identity):
        return {PROCESS: _section(keys), FUNCTIONS: {**role, "source_profile": PROCESS}}
    if named := identity.profile or written:
        return {FUNCTIONS: {**role, "source_profile": named}}
    if process := _process(environ):
        return {PROCESS: process, FUNCTIONS: {**role, "source_profile": PROCESS}}
    if default:
        return {FUNCTIONS: {**role, "source_profile": "default"}}
    container = any(name.startswith("AWS_CONTAINER_CREDENTIALS_") for name in environ)
    return {FUNCTIONS: {**role, "credential_source": "EcsContainer" if container else "Ec2InstanceMetadata"}}


def _keys(identity: Identity) -> dict[str, str]:
    """Its credentials as variables; nothing, if none."""
    if (own := identity.credentials) is None:
        return {}
    parts = (own.access_key_id, own.secret_access_key, own.session_token)
    return {name: part.get_secret_value() for name, part in zip(KEYS, parts, strict=False) if part is not None}


def _section(keys: Mapping[str, str]) -> Section:
    return {name.lower(): value for name in KEYS[:3] if (value := keys.get(name))}


def _process(environ: Mapping[str, str]) -> Section:
    """What the environment alone says of who the process is; nothing, if nothing."""
    if environ.get(KEYS[0]):
        return _section(environ)
    if token := environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return {"web_identity_token_file": token, "role_arn": environ.get("AWS_ROLE_ARN", "")}
    return {}


def _has_credentials(environ: Mapping[str, str], config: str) -> bool:
    """Whether the default profile says more than a region and the like."""
    credentials = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    texts = [config, credentials.read_text() if credentials.is_file() else ""]
    return any(_SAYS_WHO & set(one) for text in texts for one in _default(text))


_SAYS_WHO: Final = {
    "aws_access_key_id",
    "credential_process",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_session",
}


def _default(text: str) -> Iterator[configparser.SectionProxy]:
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return  # whose file it is, AWS's libraries will say
    if parser.has_section("default"):
        yield parser["default"]


def _written(name: str, section: Section) -> str:
    return "\n".join([f"[profile {name}]", *(f"{key} = {value}" for key, value in section.items()), "", ""])


def _private(text: str) -> Path:
    """A file that only this user reads, and that goes with the process."""
    folder = tempfile.mkdtemp(prefix="headrace-aws-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "config"
    file.touch(mode=0o600)
    file.write_text(text)
    return file
