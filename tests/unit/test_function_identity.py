"""As whom functions call AWS: which profile assumes their role."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from headrace import own
from headrace.credentials import Credentials, Identity
from headrace.errors import ConfigError
from headrace.functions.identity import FUNCTIONS, PROCESS, sections, variables
from headrace.functions.loading import load_functions
from headrace.functionsettings import FunctionSettings

ROLE = "arn:aws:iam::123456789012:role/worker"
OTHER = "arn:aws:iam::123456789012:role/other"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
AS_KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "s", "aws_session_token": "t"}
TOKEN = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": OTHER}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}


@pytest.mark.parametrize(
    ("environ", "default", "source", "process"),
    [
        ({}, False, {"credential_source": "Ec2InstanceMetadata"}, None),
        (CONTAINER, False, {"credential_source": "EcsContainer"}, None),
        (CONTAINER, True, {"source_profile": "default"}, None),
        (TOKEN, True, {"source_profile": PROCESS}, {"web_identity_token_file": "/token", "role_arn": OTHER}),
        ({**TOKEN, "AWS_PROFILE": "p"}, True, {"source_profile": "p"}, None),
        ({**KEYS, "AWS_PROFILE": "p"}, True, {"source_profile": PROCESS}, AS_KEYS),
        ({"AWS_PROFILE": "p", "AWS_DEFAULT_PROFILE": "d"}, False, {"source_profile": "d"}, None),
    ],
)
def test_who_assumes_the_role(
    environ: dict[str, str], default: bool, source: dict[str, str], process: dict[str, str] | None
) -> None:
    """In the order of AWS's libraries. Mutation: any two of them the other way round."""
    found = sections(Identity(ROLE), environ, default)
    assert found[FUNCTIONS] == {"role_arn": ROLE, "role_session_name": "headrace", **source}
    assert found.get(PROCESS) == process


def test_a_functions_profile_comes_before_the_process() -> None:
    assert sections(Identity(ROLE, "mine"), KEYS, True)[FUNCTIONS]["source_profile"] == "mine"


CREDENTIALS = Credentials(access_key_id=SecretStr("a"), secret_access_key=SecretStr("s"), session_token=SecretStr("t"))


def test_credentials_of_the_config_come_before_all_else() -> None:
    """Mutations: the process's keys, or its profile, beside them; a token that is left of the process's."""
    environ = {**dict.fromkeys(KEYS, "process"), "AWS_PROFILE": "p"}
    assert sections(Identity(ROLE, None, CREDENTIALS), environ, True) == {
        PROCESS: AS_KEYS,
        FUNCTIONS: {"role_arn": ROLE, "role_session_name": "headrace", "source_profile": PROCESS},
    }
    set_to = {**KEYS, "AWS_SECURITY_TOKEN": None, "AWS_PROFILE": None, "AWS_DEFAULT_PROFILE": None}
    assert variables(Identity(credentials=CREDENTIALS), environ) == set_to
    without = Identity(credentials=CREDENTIALS.model_copy(update={"session_token": None}))
    assert variables(without, environ) == {**set_to, "AWS_SESSION_TOKEN": None}


def test_a_profile_and_credentials_are_two_identities() -> None:
    with pytest.raises(ValidationError, match="profile and credentials are two identities: write one of them"):
        FunctionSettings(handler="a.b", profile="p", credentials=CREDENTIALS)


@pytest.mark.parametrize(
    ("config", "credentials", "source"),
    [
        ("[default]\nregion = eu-central-1\n", "", "credential_source = Ec2InstanceMetadata"),
        ("[default]\ncredential_process = x\n", "", "source_profile = default"),
        ("", "[default]\naws_access_key_id = a\n", "source_profile = default"),
        ("no profile at all", "", "credential_source = Ec2InstanceMetadata"),
    ],
)
def test_the_users_own_files_are_looked_at_and_stay(tmp_path: Path, config: str, credentials: str, source: str) -> None:
    """Mutations: a profile of the user's that handlers no longer find; a region that is taken for credentials."""
    (tmp_path / "config").write_text(config)
    (tmp_path / "credentials").write_text(credentials)
    files = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
    given = variables(Identity(ROLE), {name: str(tmp_path / file) for name, file in files.items()})
    file = Path(given["AWS_CONFIG_FILE"] or "")
    assert file.read_text().startswith(config)
    assert source in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_without_either_nothing_is_set() -> None:
    assert variables(Identity(None, None), KEYS) == {}


@pytest.mark.parametrize("others", [{}, {"b": FunctionSettings(handler="acting.handler")}])
def test_a_role_and_keys_are_two_identities(tmp_path: Path, others: dict[str, FunctionSettings]) -> None:
    """Of a function that shares the process, and of one that has its own."""
    (tmp_path / "acting.py").write_text("def handler(event, context): return None")
    both = FunctionSettings(handler="acting.handler", role_arn=ROLE, environment={"AWS_ACCESS_KEY_ID": "a"})
    with pytest.raises(ConfigError) as caught:
        load_functions({"a": both, **others}, tmp_path, "eu-central-1")
    assert [fault.path for fault in caught.value.faults] == ["functions.a.environment.AWS_ACCESS_KEY_ID"]


def test_a_role_has_a_roles_form() -> None:
    with pytest.raises(ValidationError, match="must be a role's ARN"):
        FunctionSettings(handler="a.b", role_arn="worker")


def test_the_process_has_its_own_environment_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lent twice, too; and what is set later by somebody else is his. Mutations: what was lent first for its own."""
    monkeypatch.setenv("HEADRACE_A", "own")
    monkeypatch.delenv("HEADRACE_B", raising=False)
    monkeypatch.setenv("HEADRACE_C", "own")
    assert not own.is_lent()
    for value in ("lent", "again"):
        own.lend({"HEADRACE_A": None, "HEADRACE_B": value, "HEADRACE_C": value})
    assert (os.environ.get("HEADRACE_A"), os.environ["HEADRACE_B"]) == (None, "again")
    assert own.is_lent()
    seen = own.environment()
    assert (seen["HEADRACE_A"], seen.get("HEADRACE_B"), seen["HEADRACE_C"]) == ("own", None, "own")
    monkeypatch.setenv("HEADRACE_C", "set")
    assert own.environment()["HEADRACE_C"] == "set"
    own.lend({"HEADRACE_A": "own", "HEADRACE_B": None, "HEADRACE_C": "set"})
    assert not own.is_lent()
