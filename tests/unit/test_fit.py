"""What a service takes of what is asked for, and what it is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ftjobs.config import RawTable, Settings
from ftjobs.errors import UsageError
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.provider.profiles import Profile, choose_profile
from ftjobs.workflows.create import request_body
from ftjobs.workflows.fit import require_fit

SPEC = JobSpec("m", "m", "m", 3, "a" * 64, 1000)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPENAI = Profile("openai", "https://api.openai.com/v1")


def of(name: str) -> Profile:
    """Return a bundled profile, at a host of somebody's own."""
    table: dict[str, object] = {"base_url": "https://llm.example/v1", "api_key_env": "K"}
    return choose_profile(Settings(profile_tables={name: RawTable(table, name)}), name)


def refusal(profile: Profile, **asked: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        require_fit(replace(SPEC, **asked), profile)
    assert (caught.value.code, caught.value.exit_code) == ("not_supported", 2)
    return caught.value


def body(profile: Profile, **asked: Any) -> dict[str, Any]:
    spec = replace(SPEC, extra_body=profile.extra_body or None, **asked)
    submission = Submission(
        id="01KAV6Q0000000000000000000",
        key="k",
        state="recorded",
        profile=profile.name,
        account="a",
        recorded_at=NOON,
        spec=spec,
        quote=None,
        tags={},
        training_file_id="file-1",
    )
    return request_body(submission, profile)


@pytest.mark.parametrize(
    ("feature", "asked", "option"),
    [
        ("seed", {"seed": 0}, "--seed"),
        ("suffix", {"suffix": "a"}, "--suffix"),
        ("validation_file", {"validation_sha256": "b" * 64}, "--validation"),
    ],
)
def test_what_the_service_lacks_is_refused_rather_than_dropped(
    feature: str, asked: dict[str, Any], option: str
) -> None:
    require_fit(replace(SPEC, **asked), OPENAI)
    error = refusal(replace(OPENAI, lacks=frozenset({feature})), **asked)
    assert error.details["option"] == option
    require_fit(SPEC, replace(OPENAI, lacks=frozenset({feature})))


def test_a_suffix_must_fit_the_whole_pattern() -> None:
    azure = of("azure")
    require_fit(replace(SPEC, suffix="orders-1"), azure)
    assert "v1.2" in refusal(azure, suffix="v1.2").message


def test_an_absolute_learning_rate_is_no_multiplier() -> None:
    nebius = of("nebius")
    require_fit(replace(SPEC, learning_rate=1e-5, batch_size=8), nebius)
    assert "--learning-rate" in refusal(nebius, learning_rate_multiplier=0.1).next_step
    assert "--lr-multiplier" in refusal(OPENAI, learning_rate=1e-5).next_step
    assert "from 0 to 1" in refusal(nebius, learning_rate=2.0).message
    assert "Leave --beta out" in refusal(nebius, beta=0.1).next_step


def test_openai_is_sent_what_it_always_was() -> None:
    sent = body(OPENAI, batch_size=4, learning_rate_multiplier=0.5)
    assert sent["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 0.5}},
    }
    assert sent.keys() == {"model", "training_file", "seed", "metadata", "method"}


def test_azure_is_sent_its_own_fields_and_no_metadata() -> None:
    sent = body(of("azure"), n_epochs="auto")
    assert sent["trainingType"] == "GlobalStandard"
    assert sent["method"]["supervised"]["hyperparameters"] == {"n_epochs": -1}
    assert "metadata" not in sent


def test_nebius_is_sent_hyperparameters_at_the_top() -> None:
    sent = body(of("nebius"), learning_rate=1e-5)
    assert sent["hyperparameters"] == {"n_epochs": 3, "learning_rate": 1e-5}
    assert "method" not in sent


def test_a_table_of_extra_fields_joins_ours_and_never_replaces_them() -> None:
    profile = replace(of("nebius"), extra_body={"hyperparameters": {"lora": True, "n_epochs": 99}})
    assert body(profile)["hyperparameters"] == {"lora": True, "n_epochs": 3}


def test_what_is_lacking_is_not_sent() -> None:
    sent = body(replace(OPENAI, lacks=frozenset({"metadata", "seed"})))
    assert sent.keys() == {"model", "training_file", "method"}
