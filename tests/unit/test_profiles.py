"""Which service a command talks to, and what never happens by accident: a key at the wrong host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftjobs.config import RawTable, Settings, load_settings
from ftjobs.errors import ConfigError, FtjobsError, UsageError
from ftjobs.provider.profiles import OPENAI_URL, SANDBOX, Profile, choose_profile

AZURE_URL = "https://res.openai.azure.com/openai/v1/"
AZURE: dict[str, object] = {"base_url": AZURE_URL, "api_key_env": "AZURE_OPENAI_API_KEY"}
Tables = dict[str, dict[str, object]]


def settings(profile: str | None = None, *, tables: Tables | None = None, **env: str) -> Settings:
    """Return settings with profile tables; `env` holds base_url, organization and project of the environment."""
    named = {name: RawTable(values, f"[profiles.{name}]") for name, values in (tables or {}).items()}
    fields = {f"openai_{name}": value for name, value in env.items()}
    return Settings(profile=profile, profile_tables=named, **fields)  # type: ignore[arg-type]


def refused(build: Callable[[], object], kind: type[FtjobsError], code: str) -> FtjobsError:
    with pytest.raises(kind) as caught:
        build()
    assert type(caught.value) is kind
    assert caught.value.code == code
    return caught.value


# Which one


def test_without_anything_said_it_is_openai() -> None:
    profile = choose_profile(settings())
    assert profile == Profile("openai", OPENAI_URL, keeps_metadata=True, uses_catalog_dates=True)
    assert (profile.api_key_env, profile.is_openai, profile.is_loopback) == ("OPENAI_API_KEY", True, False)


def test_the_environment_s_organization_and_project_are_openai_s() -> None:
    profile = choose_profile(settings(organization="org-1", project="proj-1"))
    assert (profile.organization, profile.project) == ("org-1", "proj-1")


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1", "https://eu.api.openai.com/v1", "https://openai.com"]
)
def test_a_base_url_at_openai_stays_openai(url: str) -> None:
    profile = choose_profile(settings(base_url=url))
    assert (profile.name, profile.base_url, profile.keeps_metadata) == ("openai", url, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://llm.example/v1",
        "https://api.openai.com.example/v1",
        "https://notopenai.com/v1",
        "https://res.openai.azure.com/openai/v1",
        "https://example/api.openai.com/v1",
        "http://127.0.0.1:8000/v1",
    ],
)
def test_a_base_url_elsewhere_is_generic_and_promises_nothing(url: str) -> None:
    profile = choose_profile(settings(base_url=url, organization="org-1", project="proj-1"))
    assert profile == Profile("generic", url, organization="org-1", project="proj-1", any_model=True)
    assert not (profile.is_openai or profile.keeps_metadata or profile.uses_catalog_dates)


def test_openai_by_name_at_another_base_url_is_not_trusted_with_metadata() -> None:
    profile = choose_profile(settings("openai", base_url="https://gateway.example/v1"))
    assert (profile.name, profile.base_url) == ("openai", "https://gateway.example/v1")
    assert (profile.keeps_metadata, profile.uses_catalog_dates) == (False, True)


def test_generic_by_name_needs_a_base_url() -> None:
    error = refused(lambda: choose_profile(settings("generic")), ConfigError, "no_base_url")
    assert "OPENAI_BASE_URL" in error.next_step


def test_the_sandbox_is_the_sandbox_whatever_the_environment_says() -> None:
    profile = choose_profile(settings("sandbox", base_url="https://llm.example/v1", organization="org-1"))
    assert profile == SANDBOX
    assert (profile.account, profile.base_url, profile.is_sandbox) == ("sandbox", None, True)
    assert (profile.is_loopback, profile.keeps_metadata) == (True, True)


def test_a_name_given_here_beats_the_settings() -> None:
    chosen = settings("sandbox", tables={"azure": AZURE})
    assert choose_profile(chosen).name == "sandbox"
    assert choose_profile(chosen, "azure").name == "azure"
    assert choose_profile(chosen, "openai").name == "openai"


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    chosen = settings(tables={"azure-eu": AZURE})
    error = refused(lambda: choose_profile(chosen, "azure-ue"), UsageError, "unknown_profile")
    assert error.next_step == "Did you mean azure-eu?"
    error = refused(lambda: choose_profile(chosen, "xyz"), UsageError, "unknown_profile")
    assert error.next_step == "Use one of: openai, azure, nebius, litellm, generic, sandbox, azure-eu."


# Tables


def test_a_table_is_a_profile_of_its_own_that_the_environment_does_not_bend() -> None:
    chosen = settings(
        "mine",
        tables={"mine": AZURE},
        base_url="https://elsewhere.example/v1",
        organization="org-env",
        project="proj-env",
    )
    profile = choose_profile(chosen)
    assert profile == Profile("mine", AZURE_URL, api_key_env="AZURE_OPENAI_API_KEY", any_model=True)


def test_a_table_gives_every_field() -> None:
    table: dict[str, object] = {
        "extends": "openai",
        "base_url": "https://eu.api.openai.com/v1",
        "api_key_env": "EU_KEY",
        "account": "team-eu",
        "organization": "org-1",
        "project": "proj-1",
    }
    assert choose_profile(settings("eu", tables={"eu": table})) == Profile(
        "eu",
        "https://eu.api.openai.com/v1",
        api_key_env="EU_KEY",
        organization="org-1",
        project="proj-1",
        account_name="team-eu",
        keeps_metadata=True,
        uses_catalog_dates=True,
    )


def test_a_table_that_extends_openai_is_at_openai_not_at_the_environment_s_url() -> None:
    chosen = settings(
        "work", tables={"work": {"extends": "openai", "project": "proj-1"}}, base_url="https://x.example"
    )
    profile = choose_profile(chosen)
    assert (profile.base_url, profile.api_key_env, profile.keeps_metadata) == (OPENAI_URL, "OPENAI_API_KEY", True)


@pytest.mark.parametrize("table", [{}, {"api_key_env": "K"}, {"extends": "generic", "api_key_env": "K"}])
def test_a_table_needs_a_base_url(table: dict[str, object]) -> None:
    chosen = settings("mine", tables={"mine": table}, base_url="https://x.example/v1")
    error = refused(lambda: choose_profile(chosen), ConfigError, "no_base_url")
    assert error.details == {"key": "profiles.mine.base_url"}


@pytest.mark.parametrize("extends", ["generic", "openai"])
@pytest.mark.parametrize(
    "url", ["https://llm.example/v1", "http://127.0.0.1:8000/v1", "https://openai.com.example"]
)
def test_a_host_that_is_not_openai_s_needs_a_key_of_its_own(url: str, extends: str) -> None:
    table: dict[str, object] = {"base_url": url, "extends": extends}
    error = refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "no_api_key_env")
    assert error.details == {"key": "profiles.m.api_key_env"}
    named = choose_profile(settings("m", tables={"m": {**table, "api_key_env": "M_KEY"}}))
    assert (named.api_key_env, named.keeps_metadata) == ("M_KEY", False)


def test_a_table_says_which_key_it_does_not_know() -> None:
    table: dict[str, object] = {**AZURE, "api_key_emv": "K"}
    error = refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "unknown_setting")
    assert error.next_step == "Did you mean 'api_key_env'?"
    table = {**AZURE, "zzz": "K"}
    error = refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "unknown_setting")
    assert "Known keys: account, admin_key_env, api_key_env, auth" in error.next_step
    assert error.exit_code == 3


@pytest.mark.parametrize("value", ["", 5, True, ["x"], {"x": "y"}, 1.5])
@pytest.mark.parametrize("key", ["base_url", "api_key_env", "organization", "account", "extends"])
def test_a_table_holds_text_only(key: str, value: object) -> None:
    table: dict[str, object] = {**AZURE, key: value}
    error = refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "bad_setting")
    assert error.details == {"key": key}


@pytest.mark.parametrize("parent", ["sandbox", "m", "azure-eu", "OpenAI"])
def test_a_table_extends_only_what_can_be_extended(parent: str) -> None:
    table: dict[str, object] = {**AZURE, "extends": parent}
    refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "bad_setting")


def test_a_settings_file_and_a_shell_together(tmp_path: Path) -> None:
    """As a user would have it: OPENAI_BASE_URL of one service in the shell, a profile of another in the file."""
    (tmp_path / "ftjobs.toml").write_text(
        'profile = "mine"\n[profiles.mine]\nbase_url = "https://res.example/v1"\napi_key_env = "AZURE_KEY"\n'
    )
    loaded = load_settings(
        flags={},
        environ={
            "OPENAI_BASE_URL": "https://elsewhere.example/v1",
            "OPENAI_ORG_ID": "org-env",
            "OPENAI_PROJECT_ID": "proj-env",
        },
        cwd=tmp_path,
        config_file=None,
        user_config_dir=tmp_path / "none",
    )
    profile = choose_profile(loaded)
    assert profile == Profile("mine", "https://res.example/v1", api_key_env="AZURE_KEY", any_model=True)
    assert profile.account == "https://res.example/v1||"


# Services that are known


def test_a_table_named_like_a_bundled_profile_extends_it() -> None:
    azure = choose_profile(settings(tables={"azure": {"base_url": AZURE_URL}}), "azure")
    assert (azure.api_key_env, azure.auth, azure.auto) == ("AZURE_OPENAI_API_KEY", "api-key", -1)
    assert azure.lacks == {"metadata"}
    assert not azure.keeps_metadata
    plain = choose_profile(settings(tables={"azure": {**AZURE, "extends": "generic"}}), "azure")
    assert (plain.auth, plain.lacks) == ("bearer", frozenset())


def test_what_a_table_says_beats_what_its_parent_says() -> None:
    table: dict[str, object] = {"extends": "azure", "base_url": AZURE_URL, "lacks": [], "statuses": {}}
    profile = choose_profile(settings(tables={"m": table}), "m")
    assert (profile.lacks, dict(profile.statuses), profile.auth) == (frozenset(), {}, "api-key")


@pytest.mark.parametrize("name", ["azure", "litellm"])
def test_a_service_at_the_users_own_host_needs_its_url(name: str) -> None:
    chosen = settings(name, base_url="https://elsewhere.example/v1")
    error = refused(lambda: choose_profile(chosen), ConfigError, "no_base_url")
    assert f"[profiles.{name}]" in error.next_step


def test_a_service_with_one_host_needs_nothing_and_the_environment_does_not_move_it() -> None:
    nebius = choose_profile(settings("nebius", base_url="https://elsewhere.example/v1", organization="org-1"))
    assert nebius.base_url == "https://api.tokenfactory.nebius.com/v1/"
    assert (nebius.api_key_env, nebius.organization) == ("NEBIUS_API_KEY", None)


def test_extra_fields_stand_where_the_service_takes_them() -> None:
    table: dict[str, object] = {**AZURE, "extra_body": {"hyperparameters": {"lora": True}}}
    refused(lambda: choose_profile(settings(tables={"m": table}), "m"), ConfigError, "bad_setting")
    flat = choose_profile(settings(tables={"m": {**table, "hyperparameters_in": "top"}}), "m")
    assert flat.extra_body == {"hyperparameters": {"lora": True}}


@pytest.mark.parametrize("parent", ["openai", "azure", "nebius", "litellm", "generic"])
def test_a_key_is_not_inherited_for_a_host_that_it_is_not_of(parent: str) -> None:
    table: dict[str, object] = {"extends": parent, "base_url": "https://azure.com.evil.example/v1"}
    refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "no_api_key_env")


@pytest.mark.parametrize("extends", ["openai", "azure", "nebius", "litellm", "generic"])
def test_only_openai_s_own_host_is_known_to_keep_metadata(extends: str) -> None:
    table: dict[str, object] = {"extends": extends, "base_url": "https://api.openai.com/v1", "api_key_env": "K"}
    profile = choose_profile(settings("m", tables={"m": table}))
    assert profile.keeps_metadata is ("metadata" not in profile.lacks)
    elsewhere = choose_profile(settings("m", tables={"m": {**table, "base_url": "https://llm.example/v1"}}))
    assert not elsewhere.keeps_metadata


def test_a_file_that_may_come_with_a_project_names_no_command(tmp_path: Path) -> None:
    text = '[profiles.m]\nbase_url = "https://llm.example/v1"\ntoken_command = ["echo", "token"]\n'
    (tmp_path / "ftjobs.toml").write_text(text)
    (tmp_path / "mine.toml").write_text(text)

    def chosen(config_file: Path | None) -> Profile:
        loaded = load_settings(
            flags={}, environ={}, cwd=tmp_path, config_file=config_file, user_config_dir=tmp_path / "none"
        )
        return choose_profile(loaded, "m")

    refused(lambda: chosen(None), ConfigError, "command_in_project")
    (tmp_path / "ftjobs.toml").unlink()
    assert chosen(tmp_path / "mine.toml").token_command == ("echo", "token")


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("auth", "api-key", "basic"),
        ("models", "any", "some"),
        ("lacks", ["seed", "cursor"], ["sead"]),
        ("statuses", {"stopped": "cancelled", "canceled": "cancelled"}, {"succeeded": "running"}),
        ("file_ready", ["processed", ""], []),
        ("auto", -1, True),
        ("hyperparameters_in", "top", "bottom"),
        ("hyperparameters", {"learning_rate": [0, 1]}, {"learning_rate": [1, 0]}),
        ("hyperparameters", {"beta": [0, 2.5]}, {"n_epochs": [1, 3]}),
        ("extra_body", {"trainingType": "Standard", "method": {"supervised": {"lora": True}}}, {"model": "x"}),
        ("extra_body", {"deep": {"er": 1}}, {"method": {"supervised": {"hyperparameters": {"n_epochs": 50}}}}),
        ("statuses", {"notRunning": "queued"}, {"running": "failed"}),
        ("statuses", {"done": "succeeded"}, {"done": "success"}),
        ("token_command", ["az"], []),
        ("suffix_pattern", "a", "a{99999999999999999999}"),
        ("suffix_pattern", "[^.]+", "["),
        ("suffix_pattern", " ?[a-z]+ ", ""),
        ("byte_order_mark", True, 1),
        ("billing", "manual", "monthly"),
        ("token_command", ["az", "login"], "az login"),
    ],
)
def test_every_key_has_a_form(key: str, good: object, bad: object) -> None:
    choose_profile(settings(tables={"m": {**AZURE, key: good}}), "m")
    error = refused(
        lambda: choose_profile(settings(tables={"m": {**AZURE, key: bad}}), "m"), ConfigError, "bad_setting"
    )
    assert error.details == {"key": key}


def test_no_mark_is_promised_where_files_go_in_parts() -> None:
    table: dict[str, object] = {**AZURE, "byte_order_mark": True, "uploads_api": True}
    error = refused(lambda: choose_profile(settings(tables={"m": table}), "m"), ConfigError, "bad_setting")
    assert error.details == {"key": "byte_order_mark"}
    assert choose_profile(settings(tables={"m": {**table, "uploads_api": False}}), "m").byte_order_mark


# Addresses

GOOD = [
    "https://llm.example/v1",
    "https://llm.example:8443/v1/",
    "https://[2001:db8::1]:8443/v1",
    "http://127.0.0.1:8000/v1",
    "http://localhost:8000/v1",
    "http://LOCALHOST:8000/v1",
    "http://[::1]:8000/v1",
    "https://127.0.0.1/v1",
]
BAD = [
    "llm.example/v1",
    "//llm.example/v1",
    "ftp://llm.example/v1",
    "file:///etc/passwd",
    "https:///v1",
    "https://",
    "https://me:secret@llm.example/v1",
    "https://me@llm.example/v1",
    "http://127.0.0.1:80@llm.example/v1",
    "http://localhost\\@llm.example/v1",
    "https://llm.example\\.openai.com/v1",
    "https://[::1/v1",
    "https://llm.example:port/v1",
    "https://llm.example:99999/v1",
    "https://llm.example/v1?api-version=1",
    "https://llm.example/v1#part",
    "https://llm .example/v1",
    "https://llm.example/v1\n",
    "https://llm.example/\x00",
]
PLAIN = [
    "http://llm.example/v1",
    "http://api.openai.com/v1",
    "http://10.0.0.1:8000/v1",
    "http://0.0.0.0:8000/v1",
    "http://127.0.0.1.example/v1",
    "http://localhost.example/v1",
    "http://[2001:db8::1]/v1",
]


def both_ways(url: str) -> list[Callable[[], Profile]]:
    """Return the two ways in which a user can name a base URL."""
    table: dict[str, object] = {"base_url": url, "api_key_env": "K"}
    return [
        lambda: choose_profile(settings(base_url=url)),
        lambda: choose_profile(settings("m", tables={"m": table})),
    ]


@pytest.mark.parametrize("url", GOOD)
def test_an_address_that_can_be_used_is_taken_as_written(url: str) -> None:
    for choose in both_ways(url):
        assert choose().base_url == url


@pytest.mark.parametrize("url", BAD)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(url: str) -> None:
    for choose in both_ways(url):
        error = refused(choose, ConfigError, "bad_base_url")
        assert "secret" not in f"{error} {error.next_step} {error.details}"


@pytest.mark.parametrize("url", PLAIN)
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    for choose in both_ways(url):
        assert "unencrypted" in refused(choose, ConfigError, "plain_http").message


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [(url, not url.startswith(("https://llm", "https://[2001"))) for url in GOOD] + [(None, True)],
)
def test_loopback_is_known_by_its_address(url: str | None, is_loopback: bool) -> None:
    assert Profile("m", url).is_loopback is is_loopback


# Accounts: who pays, as it enters the content key


@pytest.mark.parametrize(
    ("profile", "account"),
    [
        (Profile("m", "https://a.example/v1"), "https://a.example/v1||"),
        (Profile("m", "https://a.example/v1/"), "https://a.example/v1||"),
        (Profile("n", "https://a.example/v1", api_key_env="OTHER"), "https://a.example/v1||"),
        (Profile("m", "https://a.example/v1", organization="o"), "https://a.example/v1|o|"),
        (Profile("m", "https://a.example/v1", project="p"), "https://a.example/v1||p"),
        (Profile("m", "https://a.example/v1", organization="o", project="p"), "https://a.example/v1|o|p"),
        (Profile("m", "https://a.example/v1", organization="o", account_name="team"), "team"),
    ],
)
def test_an_account_is_where_and_for_whom_but_not_with_which_key(profile: Profile, account: str) -> None:
    assert profile.account == account


def test_a_host_is_the_same_account_however_it_is_spelled() -> None:
    spelled = [Profile("generic", url).account for url in ("https://LLM.Example/V1/", "https://llm.example/V1")]
    assert spelled[0] == spelled[1]
    assert "/V1" in spelled[0]


@pytest.mark.parametrize("value", ["org\nX-Evil: 1", "örg"])
def test_an_organization_that_no_header_can_carry_is_refused(value: str) -> None:
    table: dict[str, object] = {
        "base_url": "https://llm.example/v1",
        "api_key_env": "KEY",
        "organization": value,
    }
    refused(lambda: choose_profile(settings("m", tables={"m": table})), ConfigError, "bad_setting")
