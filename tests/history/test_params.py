"""What is kept of a call's parameters, and what never is."""

import pytest

from boathouse.history.api import flatten_params, redact_sql
from boathouse.history.params import MAX_PARAMS, MAX_VALUE, REDACTED, is_secret

SECRETS = (
    "token",
    "token_value",
    "access_token",
    "password",
    "secret",
    "client_secret",
    "string_value",
    "bytes_value",
    "authorization",
    "Authorization",
    "aws_secret_access_key",
    "AWS_ACCESS_KEY_ID",
    "secretAccessKey",
    "sas_token",
    "private_key",
    "api-key",
    "OPENAI_API_KEY",
    "openai_api_key_plaintext",
    "account_key",
    "code",
    "state",
    "nonce",
    "code_verifier",
    "client_assertion",
    "cookie",
    "connection_string",
    "environment_vars",
    "cloudflare_api_token",
)
PUBLIC = (
    "token_id",
    "page_token",
    "max_tokens",
    "credential_name",
    "storage_credential_name",
    "credential_id",
    "secret_id",
    "full_name_arg",
    "name",
    "comment",
    "status_code",
    "lifetime_seconds",
    "application_id",
    "key",
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_not_kept(name: str) -> None:
    assert is_secret(name)
    for params in ({name: "hush"}, {"outer": {name: "hush"}}, {"outer": {"inner": [{name: "hush"}]}}, {name: {"a": "hush"}}):
        found = flatten_params(params)
        assert "hush" not in str(found)
        assert REDACTED in str(found)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_only_looks_like_one_is_kept(name: str) -> None:
    assert flatten_params({name: "x"}) == {name: "x"}


def test_a_value_whose_name_is_a_value_too() -> None:
    operations = [{"op": "replace", "path": "password", "value": "hush"}, {"op": "add", "path": "active", "value": True}]
    assert "hush" not in str(flatten_params({"Operations": operations}))
    assert '"value": true' in flatten_params({"Operations": operations})["Operations"]


@pytest.mark.parametrize(
    "text", ["dapi0123456789abcdef", "bhp_0123456789abcdefghij", "eyJhbGciOiJI.eyJzdWIi.c2ln", "AKIAIOSFODNN7EXAMPLE"]
)
def test_tokens_are_not_kept_wherever_they_stand(text: str) -> None:
    assert flatten_params({"comment": f"use {text} please"}) == {"comment": f"use {REDACTED} please"}


def test_one_level_is_flat_and_long_ones_are_cut() -> None:
    found = flatten_params({"a": 1, "b": {"c": True, "d": {"e": [1]}}, "n": None, "l": "x" * 5000})
    assert found == {"a": "1", "b.c": "true", "b.d": '{"e": [1]}', "l": "x" * (MAX_VALUE - 1) + "…"}
    assert len(flatten_params({str(number): number for number in range(1000)})) == MAX_PARAMS


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SET a.secret.key = hush hush", "SET a.secret.key = [REDACTED]"),
        ("set spark.sql.ansi.enabled = true", "set spark.sql.ansi.enabled = true"),
        (
            "CREATE TABLE t (a INT) OPTIONS (password 'hush', url 'u')",
            "CREATE TABLE t (a INT) OPTIONS (password '[REDACTED]', url 'u')",
        ),
        (
            "ALTER TABLE t SET TBLPROPERTIES ('x.api-key'='it''s', 'b'='c')",
            "ALTER TABLE t SET TBLPROPERTIES ('x.api-key'='[REDACTED]', 'b'='c')",
        ),
        ('SELECT f(api_token => "hu\\"sh")', "SELECT f(api_token => '[REDACTED]')"),
        ("WITH (CREDENTIAL = 'the text was cut he", "WITH (CREDENTIAL = '[REDACTED]'"),
        ("SELECT 1 FROM t WHERE state = 'CA' AND code = 'x' AND note = 'a password'", None),
        (
            "SELECT * FROM read_files('/a/b', password => 'hush', note => 'it''s')",
            "SELECT * FROM read_files('/a/b', password => '[REDACTED]', note => 'it''s')",
        ),
        (
            "OPTIONS (url 'x://h/db', `api token` 'hush', 'my password' = 'hush', x \"a b\", a_secret \"hush\")",
            "OPTIONS (url 'x://h/db', `api token` '[REDACTED]', 'my password' = '[REDACTED]', x \"a b\", a_secret '[REDACTED]')",
        ),
        ("SELECT concat('a/b', 'the password'), 'c/d' AS token, '/e' = 'f'", None),
        ("SELECT 'dapi0123456789abcdef'", "SELECT '[REDACTED]'"),
        ("a" * 10_000 + " '" * 5_000, None),
    ],
)
def test_secrets_in_sql(text: str, kept: str | None) -> None:
    assert redact_sql(text) == (text if kept is None else kept)
