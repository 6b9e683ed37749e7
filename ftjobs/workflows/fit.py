"""What a service takes of what a user asks for, by its profile."""

from __future__ import annotations

import re
from typing import Final

from ftjobs.errors import UsageError
from ftjobs.jobs.spec import JobSpec
from ftjobs.provider.profiles import Profile

_OPTIONS: Final = {
    "batch_size": "--batch-size",
    "learning_rate_multiplier": "--lr-multiplier",
    "learning_rate": "--learning-rate",
    "beta": "--beta",
}
_INSTEAD: Final = {"learning_rate_multiplier": "learning_rate", "learning_rate": "learning_rate_multiplier"}
# What the API itself takes, where a profile says nothing else: a learning rate is a multiplier there.
_API: Final = frozenset({"batch_size", "learning_rate_multiplier", "beta"})


def require_fit(spec: JobSpec, profile: Profile) -> None:
    """Raise UsageError for what the profile's service would refuse, or drop unseen."""
    asked = {"seed": spec.seed, "suffix": spec.suffix, "validation_file": spec.validation_sha256}
    for name, value in asked.items():
        if value is not None and name in profile.lacks:
            option = "--validation" if name == "validation_file" else f"--{name}"
            raise _refusal(profile, f"takes no {name.replace('_', ' ')}", f"Leave {option} out.", option)
    if spec.suffix and profile.suffix_pattern and not re.fullmatch(profile.suffix_pattern, spec.suffix):
        raise _refusal(
            profile,
            f"takes no suffix like {spec.suffix!r}",
            f"Give --suffix a text that fits the pattern {profile.suffix_pattern}.",
            "--suffix",
        )
    for name, option in _OPTIONS.items():
        if (value := getattr(spec, name)) is not None:
            _require_number(name, value, option, profile)


def _require_number(name: str, value: float, option: str, profile: Profile) -> None:
    known = profile.hyperparameters or dict.fromkeys(_API)
    if name not in known:
        other = _INSTEAD.get(name)
        step = f"Use {_OPTIONS[other]} instead." if other and other in known else f"Leave {option} out."
        raise _refusal(profile, f"takes no {name.replace('_', ' ')}", step, option)
    bounds = known[name]
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        within = f"from {bounds[0]:g} to {bounds[1]:g}"
        raise _refusal(
            profile, f"takes a {name.replace('_', ' ')} {within}", f"Give {option} a number {within}.", option
        )


def _refusal(profile: Profile, what: str, next_step: str, option: str) -> UsageError:
    return UsageError(
        "not_supported",
        f"The service of profile {profile.name} {what}.",
        next_step=next_step,
        option=option,
        profile=profile.name,
    )
