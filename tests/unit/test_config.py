"""Settings: who wins, where each comes from, and what is refused."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftjobs.config import RawTable, Settings, load_settings
from ftjobs.errors import ConfigError
from ftjobs.keys import Secret, api_key
from ftjobs.money import Usd


class Place:
    """A working directory and a user's directory, with the files that a test puts there."""

    def __init__(self, root: Path) -> None:
        self.cwd = root / "work"
        self.user = root / "user"
        self.cwd.mkdir()
        self.user.mkdir()

    def local(self, text: str) -> None:
        (self.cwd / "ftjobs.toml").write_text(text, encoding="utf-8")

    def users(self, text: str) -> None:
        (self.user / "config.toml").write_text(text, encoding="utf-8")

    def load(
        self,
        environ: Mapping[str, str] | None = None,
        config_file: Path | None = None,
        **flags: object | None,
    ) -> Settings:
        return load_settings(
            flags=flags,
            environ=environ or {},
            cwd=self.cwd,
            config_file=config_file,
            user_config_dir=self.user,
        )

    def refused(self, environ: Mapping[str, str] | None = None, config_file: Path | None = None) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.load(environ, config_file)
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_with_nothing_set_the_defaults_hold_and_say_so(place: Place) -> None:
    settings = place.load()
    assert dataclasses.replace(settings, origins={}) == Settings()
    assert set(settings.origins.values()) == {"default"}
    tables = {"price_tables", "profile_tables", "origins"}
    assert set(settings.origins) == {f.name for f in dataclasses.fields(Settings)} - tables
    assert settings.confirm_above_usd == Usd.parse("5.00")
    assert (settings.settle_s, settings.budget_monthly_usd, settings.price_list) == (900, None, "openai")


def test_each_layer_beats_the_one_below(place: Place) -> None:
    place.users("settle_s = 1")
    assert (place.load().settle_s, place.load().origins["settle_s"]) == (1, str(place.user / "config.toml"))
    place.local("settle_s = 2")
    assert (place.load().settle_s, place.load().origins["settle_s"]) == (2, "./ftjobs.toml")
    environ = {"FTJOBS_SETTLE_S": "3"}
    assert (place.load(environ).settle_s, place.load(environ).origins["settle_s"]) == (3, "FTJOBS_SETTLE_S")
    settings = place.load({"FTJOBS_LEDGER_URL": "sqlite:///a"}, ledger_url="sqlite:///b", profile=None)
    assert (settings.ledger_url, settings.origins["ledger_url"]) == ("sqlite:///b", "--ledger")
    assert settings.origins["profile"] == "default"
    assert place.load(profile="azure").origins["profile"] == "--profile"


def test_every_setting_can_come_from_the_environment(place: Place) -> None:
    settings = place.load(
        {
            "FTJOBS_PROFILE": "azure",
            "FTJOBS_LEDGER_URL": "sqlite:///x",
            "FTJOBS_SETTLE_S": "0.5",
            "FTJOBS_POLL_INITIAL_S": "1",
            "FTJOBS_POLL_MAX_S": "9",
            "FTJOBS_CONFIRM_ABOVE_USD": "0",
            "FTJOBS_PRICE_LIST": "guide-2026",
            "FTJOBS_BUDGET__MONTHLY_USD": "200.50",
            "FTJOBS_LOG": "json",
            "OPENAI_BASE_URL": "https://api.example.com/v1",
            "OPENAI_ORG_ID": "org-1",
            "OPENAI_PROJECT_ID": "proj-1",
            "OPENAI_API_KEY": "sk-not-a-setting",
            "HOME": "/root",
        }
    )
    expected = Settings(
        profile="azure",
        ledger_url="sqlite:///x",
        settle_s=0.5,
        poll_initial_s=1,
        poll_max_s=9,
        confirm_above_usd=Usd(0),
        price_list="guide-2026",
        budget_monthly_usd=Usd.parse("200.50"),
        log="json",
        openai_base_url="https://api.example.com/v1",
        openai_organization="org-1",
        openai_project="proj-1",
    )
    assert dataclasses.replace(settings, origins={}) == expected
    assert settings.origins["openai_project"] == "OPENAI_PROJECT_ID"
    assert settings.origins["budget_monthly_usd"] == "FTJOBS_BUDGET__MONTHLY_USD"


def test_an_empty_variable_is_unset(place: Place) -> None:
    place.local('profile = "azure"')
    settings = place.load({"FTJOBS_PROFILE": "", "FTJOBS_CONFIG": "", "OPENAI_BASE_URL": ""})
    assert (settings.profile, settings.openai_base_url) == ("azure", None)


def test_a_named_config_file_replaces_the_users_and_not_the_local_one(place: Place) -> None:
    place.users('settle_s = 1\nprofile = "users"')
    place.local("settle_s = 2")
    (place.cwd / "other.toml").write_text("poll_max_s = 7", encoding="utf-8")
    for settings in (
        place.load({"FTJOBS_CONFIG": "other.toml"}),
        place.load({"FTJOBS_CONFIG": "absent.toml"}, config_file=Path("other.toml")),
    ):
        assert (settings.settle_s, settings.poll_max_s, settings.profile) == (2, 7, None)
        assert settings.origins["poll_max_s"] == "other.toml"


def test_a_named_config_file_must_exist(place: Place) -> None:
    for error in (
        place.refused({"FTJOBS_CONFIG": "absent.toml"}),
        place.refused(config_file=Path("absent.toml")),
    ):
        assert (error.code, error.details["file"]) == ("no_config_file", "absent.toml")


def test_the_local_file_named_again_is_read_once(place: Place) -> None:
    place.local('[[price]]\nmodel = "m"')
    assert len(place.load(config_file=Path("ftjobs.toml")).price_tables) == 1


def test_prices_are_put_together_with_the_nearer_file_last(place: Place) -> None:
    place.users('[[price]]\nmodel = "far"')
    place.local('[[price]]\nmodel = "near"\n[[price]]\nmodel = "nearer"')
    assert place.load().price_tables == (
        RawTable({"model": "far"}, f"{place.user / 'config.toml'}, price 1"),
        RawTable({"model": "near"}, "ftjobs.toml, price 1"),
        RawTable({"model": "nearer"}, "ftjobs.toml, price 2"),
    )


def test_a_nearer_profile_replaces_the_farther_one_whole(place: Place) -> None:
    place.users('[profiles.eu]\nextends = "azure"\nbase_url = "https://a"\n[profiles.us]\nextends = "azure"')
    place.local('[profiles.eu]\nextends = "generic"')
    tables = place.load().profile_tables
    assert tables["eu"] == RawTable({"extends": "generic"}, "ftjobs.toml, profile eu", is_local=True)
    assert tables["us"].origin == f"{place.user / 'config.toml'}, profile us"


@pytest.mark.parametrize(
    ("text", "name", "line", "close"),
    [
        ("# settle_s\n\nsetle_s = 3", "setle_s", 3, "settle_s"),
        ("[budget]\nmontly_usd = 3", "budget.montly_usd", 2, "budget.monthly_usd"),
        ("budget.montly_usd = 3", "budget.montly_usd", 1, "budget.monthly_usd"),
        ("[[prices]]\nmodel = 'm'", "prices", 1, "price"),
        ("zzzzzz = 1", "zzzzzz", 1, None),
    ],
)
def test_an_unknown_setting_is_named_with_its_line_and_the_nearest_known(
    place: Place, text: str, name: str, line: int, close: str | None
) -> None:
    place.local(text)
    error = place.refused()
    assert error.exit_code == 3
    assert (error.code, error.details["key"], error.details["line"]) == ("unknown_setting", name, line)
    assert error.details["nearest"] == close
    assert f"./ftjobs.toml, line {line}" in error.message


@pytest.mark.parametrize(
    ("variable", "close"),
    [
        ("FTJOBS_SETLE_S", "FTJOBS_SETTLE_S"),
        ("FTJOBS_BUDGET_MONTHLY_USD", "FTJOBS_BUDGET__MONTHLY_USD"),
        ("FTJOBS_CONFG", "FTJOBS_CONFIG"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_known(place: Place, variable: str, close: str) -> None:
    error = place.refused({variable: "1"})
    assert (error.code, error.details["nearest"]) == ("unknown_setting", close)
    assert variable in error.message


@pytest.mark.parametrize(
    "text",
    [
        "settle_s = 0",
        "settle_s = -1",
        "settle_s = inf",
        "settle_s = nan",
        "settle_s = true",
        'settle_s = "soon"',
        "settle_s = 1979-05-27",
        "poll_max_s = []",
        "confirm_above_usd = 5.0",
        "confirm_above_usd = -5",
        'confirm_above_usd = "$5"',
        "confirm_above_usd = true",
        'profile = ""',
        'profile = "a\\nb"',
        "[profile.eu]\nextends = 'azure'",
        "ledger_url = 3",
        'log = "yaml"',
        "log = ['json']",
        "budget = 3",
        "price = 3",
        "[price]\nmodel = 'm'",
        "profiles = 3",
        "[profiles]\neu = 3",
        "[budget]\nmonthly_usd = 2.5",
        '[budget]\nprofiles = "100"',
        "[budget.profiles]\nopenai = 2.5",
        '[budget.tags]\nteam = "50"',
        '[budget.tags]\n"=search" = "50"',
    ],
)
def test_a_value_of_another_form_is_refused_with_its_name_and_origin(place: Place, text: str) -> None:
    place.local(text)
    error = place.refused()
    assert (error.code, error.exit_code) == ("bad_setting", 3)
    key = str(error.details["key"])
    assert key.rpartition(".")[2] in text
    assert key in error.message
    assert "./ftjobs.toml" in error.message
    assert error.next_step


def test_a_nearer_file_adds_to_a_table_of_budgets_and_wins_where_both_name_the_same(place: Place) -> None:
    place.users('[budget.tags]\n"team=ads" = "9"\n"team=search" = "50"\n[budget.profiles]\nopenai = "3"')
    place.local('[budget.tags]\n"team=search" = "5"')
    settings = place.load()
    assert settings.budget_tags == {"team=ads": Usd.parse("9"), "team=search": Usd.parse("5")}
    assert settings.budget_profiles == {"openai": Usd.parse("3")}


def test_a_float_amount_is_answered_with_the_right_form(place: Place) -> None:
    place.local("[budget]\nmonthly_usd = 200.0")
    error = place.refused()
    assert "budget.monthly_usd (200.0)" in error.message
    assert '"5.00"' in error.next_step


@pytest.mark.parametrize("amount", ["5", '"5"', '"5.000"'])
def test_whole_and_decimal_amounts_are_the_same_money(place: Place, amount: str) -> None:
    place.local(f"confirm_above_usd = {amount}")
    assert place.load().confirm_above_usd == Usd(5_000_000_000)


def test_a_refused_ledger_url_does_not_show_its_password(place: Place) -> None:
    error = place.refused({"FTJOBS_LEDGER_URL": "postgresql://u:hunter2@h/db\n"})
    assert "hunter2" not in error.message + error.next_step + json.dumps(error.details)


def test_the_first_interval_may_not_exceed_the_longest(place: Place) -> None:
    error = place.refused({"FTJOBS_POLL_MAX_S": "1"})
    assert "poll_initial_s (2, default)" in error.message
    assert "poll_max_s (1, FTJOBS_POLL_MAX_S)" in error.message
    assert place.load({"FTJOBS_POLL_MAX_S": "2"}).poll_max_s == 2


@pytest.mark.parametrize("text", ["profile = ", "a = 1\na = 2", "x = " + "[" * 5000])
def test_broken_toml_names_the_file(place: Place, text: str) -> None:
    place.local(text)
    error = place.refused()
    assert (error.code, error.details["file"]) == ("bad_config_file", "./ftjobs.toml")


def test_broken_toml_names_the_line(place: Place) -> None:
    place.local("settle_s = 1\nprofile = oops\n")
    error = place.refused()
    assert error.details["line"] == 2
    assert "line 2" in error.message


def test_a_file_that_is_no_readable_text_is_refused(place: Place) -> None:
    (place.cwd / "ftjobs.toml").mkdir()
    assert place.refused().code == "unreadable_config_file"
    (place.user / "latin.toml").write_bytes(b'profile = "\xe9"')
    error = place.refused({"FTJOBS_CONFIG": str(place.user / "latin.toml")})
    assert (error.code, "UTF-8" in error.message) == ("unreadable_config_file", True)


def test_a_file_from_an_editor_that_writes_a_byte_order_mark_is_read(place: Place) -> None:
    (place.cwd / "ftjobs.toml").write_bytes(b"\xef\xbb\xbfsettle_s = 4\r\n")
    assert place.load().settle_s == 4


def test_the_key_is_revealed_on_request_only() -> None:
    secret = api_key({"OPENAI_API_KEY": "sk-abc"}, "OPENAI_API_KEY")
    assert (secret.reveal(), secret.name) == ("sk-abc", "OPENAI_API_KEY")
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r:s}", "%s" % secret} == {"***"}  # noqa: UP031
    assert f"{secret:>5}" == "  ***"
    assert not hasattr(secret, "__dict__")


def test_no_dump_holds_the_secret() -> None:
    @dataclasses.dataclass
    class Holder:
        key: Secret

    secret = Secret("sk-abc", "K")
    assert "sk-abc" not in repr(dataclasses.asdict(Holder(secret)))
    assert copy.deepcopy(secret) is secret
    for dump in (pickle.dumps, json.dumps, copy.copy(secret).__class__.__getstate__):
        with pytest.raises(TypeError):
            dump(secret)


@pytest.mark.parametrize("environ", [{}, {"AZURE_KEY": ""}])
def test_a_missing_key_names_its_variable(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        api_key(environ, "AZURE_KEY")
    assert (caught.value.code, caught.value.exit_code) == ("no_api_key", 3)
    assert "AZURE_KEY" in caught.value.message
    assert "AZURE_KEY" in caught.value.next_step


@pytest.mark.parametrize(
    "value", ["sk-abc\n", " sk-abc", "sk-a bc", "sk-a\x00bc", "sk-abcé", "sk-\tabc", "\n", "sk-a\x7fbc"]
)
def test_a_key_that_no_header_can_carry_is_refused_unseen(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        api_key({"K": value}, "K")
    error = caught.value
    assert error.code == "bad_api_key"
    assert "sk-" not in error.message + error.next_step + json.dumps(error.details)
