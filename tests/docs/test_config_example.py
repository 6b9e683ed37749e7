"""config.example.toml shows every setting, with the defaults that the code has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ftjobs.config import SETTING_NAMES, RawTable, Settings, field_of, load_settings
from ftjobs.money import Usd
from ftjobs.provider.profile_table import PROFILE_KEYS, parse_table

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def uncommented() -> str:
    return re.sub(r"(?m)^#(?=[a-z\[])", "", EXAMPLE.read_text(encoding="utf-8"))


def load(directory: Path, text: str) -> Settings:
    (directory / "ftjobs.toml").write_text(text, encoding="utf-8")
    return load_settings(flags={}, environ={}, cwd=directory, config_file=None, user_config_dir=directory)


def test_as_shipped_it_sets_nothing(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert tomllib.loads(text) == {}
    assert set(load(tmp_path, text).origins.values()) == {"default"}


def test_uncommented_it_loads_and_shows_the_defaults(tmp_path: Path) -> None:
    shown, defaults = load(tmp_path, uncommented()), Settings()
    for name in SETTING_NAMES:
        assert shown.origins[field_of(name)] == "./ftjobs.toml", name
        default = getattr(defaults, field_of(name))
        if default not in (None, {}):
            assert getattr(shown, field_of(name)) == default, name
    assert shown.budget_monthly_usd == Usd.parse("200")
    assert shown.budget_profiles == {"azure-eu": Usd.parse("100")}
    assert shown.budget_tags == {"team=search": Usd.parse("50")}


def test_its_settings_are_exactly_the_ones_that_exist() -> None:
    document = tomllib.loads(uncommented())
    assert len(document.pop("price")) == 1
    assert list(document.pop("profiles")) == [document["profile"]]
    tables = {name: document.pop(name) for name in ("budget", "reconcile")}
    inner = {f"{table}.{name}" for table, names in tables.items() for name in names}
    assert {*document, *inner} == set(SETTING_NAMES)


def test_every_setting_has_a_line_of_meaning_above_it() -> None:
    blocks = EXAMPLE.read_text(encoding="utf-8").split("\n\n")
    for block in blocks:
        if re.search(r"(?m)^#[a-z\[]", block):
            assert block.startswith("# "), block


def test_a_profile_shows_every_key_that_it_can_have() -> None:
    shown = tomllib.loads(uncommented())["profiles"]["azure-eu"]
    assert set(shown) == set(PROFILE_KEYS)
    parse_table(RawTable(shown, "config.example.toml"))
