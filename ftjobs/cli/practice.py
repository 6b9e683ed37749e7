"""Settings for a shell that practises on a service which the sandbox plays."""

from __future__ import annotations

from typing import Final

# Made up: a price that is known to be no service's own is the only one that practice may use.
_USD_PER_1M: Final = "1.00"
_MODELS: Final = {
    "azure": ("gpt-4o-mini-2024-07-18", "gpt-4.1-mini-2025-04-14", "gpt-4.1-nano-2025-04-14"),
    "nebius": ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-14B"),
}
_LINES: Final = {
    "bare": (
        'extends = "generic"',
        'lacks = ["metadata", "seed", "suffix", "validation_file", "events", "checkpoints"]',
        'file_ready = [""]',
    ),
    "mistral": ('extends = "generic"',),
}


def practice_profile(service: str) -> str:
    """Return the name of the profile for practice: no table of a service that costs money is called so."""
    return f"practice-{service}"


def practice_settings(service: str, base_url: str) -> str:
    """Return a settings file with the profile of the service that the sandbox plays.

    Its account has a name, so that what was submitted is known again when the sandbox has another port.
    """
    profile = practice_profile(service)
    lines = [
        "# Written by `ftjobs sandbox serve`; it is written anew each time.",
        f'profile = "{profile}"',
        f"[profiles.{profile}]",
        f'base_url = "{base_url}"',
        'api_key_env = "OPENAI_API_KEY"',
        f'account = "sandbox-{service}"',
        *_LINES.get(service, (f'extends = "{service}"',)),
    ]
    for model in _MODELS.get(service, ()):
        lines += [
            "[[price]]",
            f'model = "{model}"',
            f'training_usd_per_1m = "{_USD_PER_1M}"',
            f'profile = "{profile}"',
            'source = "made up for practice"',
        ]
    return "\n".join(lines) + "\n"
