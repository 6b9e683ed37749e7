"""What services that speak the API do differently, as data; behaviour asks the fields, never the name.

| name | the service |
|---|---|
| `openai` | the API as it is described |
| `azure` | Azure OpenAI and Foundry, under `/openai/v1` |
| `nebius` | Nebius Token Factory |
| `litellm` | OpenAI behind a LiteLLM proxy, under `/openai_passthrough/v1` |
| `bare` | the least that is still the API: no such service is known, but a client must bear it |
| `mistral` | not the API in spite of its look: the same path, another schema |

Assumed, since no page says so. Azure takes "auto" beside -1, and refuses a create without `trainingType`. Nebius
refuses `method` and `learning_rate_multiplier`, ignores `after` and `limit`, and has events and checkpoints as
the API has them. LiteLLM shows the metadata of jobs that were made without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ftjobs.sandbox.offering import MISTRAL_MODELS, OPEN_MODELS, OPENAI_MODELS, Offer

_FILES = frozenset({"POST /v1/files", "GET /v1/files", "GET /v1/files/{id}"})
_CONTENT = frozenset({"DELETE /v1/files/{id}", "GET /v1/files/{id}/content"})
_UPLOADS = frozenset(
    {
        "POST /v1/uploads",
        "POST /v1/uploads/{id}/parts",
        "POST /v1/uploads/{id}/complete",
        "POST /v1/uploads/{id}/cancel",
    }
)
_JOBS = frozenset(
    {
        "POST /v1/fine_tuning/jobs",
        "GET /v1/fine_tuning/jobs",
        "GET /v1/fine_tuning/jobs/{id}",
        "POST /v1/fine_tuning/jobs/{id}/cancel",
    }
)
_COURSE = frozenset({"GET /v1/fine_tuning/jobs/{id}/events", "GET /v1/fine_tuning/jobs/{id}/checkpoints"})
_MODELS = frozenset({"GET /v1/models", "GET /v1/models/{id:path}", "POST /v1/chat/completions"})
_COSTS = frozenset({"GET /v1/organization/costs"})
_WITHOUT_UPLOADS_AND_COSTS = _FILES | _CONTENT | _JOBS | _COURSE | _MODELS

_LEAST_FIELDS = frozenset({"model", "training_file", "method", "hyperparameters"})
_CREATE_FIELDS = _LEAST_FIELDS | {"validation_file", "suffix", "seed", "metadata", "integrations"}


@dataclass(frozen=True, slots=True)
class Personality:
    """How one serving behaves; the state that it serves knows nothing of it.

    `root`: what comes before `/v1` in every path. `endpoints`: method and path of what is answered, 404 or 405
    elsewhere. `key_header`: takes the key in a header `api-key` too. `schema`: whose words jobs speak.

    `tells_file_status`: false shows null, and a file can be used at once. `pages`: false ignores `limit` and
    `after`, and lists everything without `has_more`. `status_words`: API's word → its own. `auto`: how a
    hyperparameter is shown that is still to be decided, and taken beside "auto"; None decides at once.
    `hidden_file_fields`, `hidden_job_fields`, `left_out_on_create`: what its objects, and its create reply, lack.

    `create_fields`: what a create body may hold. `takes_metadata`: false drops it, and ignores the filter.
    `training_types`: one of them must be the field `trainingType`, unless there are none. `suffix_dots`: whether
    a suffix may hold a dot. `hyperparameters`: those of supervised training.
    """

    name: str
    root: str = ""
    endpoints: frozenset[str] = _WITHOUT_UPLOADS_AND_COSTS | _UPLOADS | _COSTS
    key_header: bool = False
    schema: Literal["openai", "mistral"] = "openai"
    offer: Offer = OPENAI_MODELS

    tells_file_status: bool = True
    pages: bool = True
    status_words: Mapping[str, str] = field(default_factory=dict)
    auto: str | int | None = "auto"
    hidden_file_fields: frozenset[str] = frozenset()
    hidden_job_fields: frozenset[str] = frozenset()
    left_out_on_create: frozenset[str] = frozenset()

    create_fields: frozenset[str] = _CREATE_FIELDS
    takes_metadata: bool = True
    training_types: tuple[str, ...] = ()
    suffix_dots: bool = True
    hyperparameters: tuple[str, ...] = ("n_epochs", "batch_size", "learning_rate_multiplier")

    @property
    def base_path(self) -> str:
        """The path of its base URL."""
        return f"{self.root}/v1"


OPENAI = Personality("openai")
AZURE = Personality(
    "azure",
    root="/openai",
    endpoints=_WITHOUT_UPLOADS_AND_COSTS,
    key_header=True,
    status_words={"validating_files": "pending", "queued": "pending", "cancelled": "canceled"},
    auto=-1,
    hidden_job_fields=frozenset({"metadata"}),
    left_out_on_create=frozenset(
        {"trained_tokens", "fine_tuned_model", "error", "result_files", "organization_id"}
    ),
    create_fields=_CREATE_FIELDS | {"trainingType"},
    takes_metadata=False,
    training_types=("GlobalStandard", "Standard", "Developer"),
    suffix_dots=False,
)
NEBIUS = Personality(
    "nebius",
    endpoints=_WITHOUT_UPLOADS_AND_COSTS,
    offer=OPEN_MODELS,
    tells_file_status=False,
    pages=False,
    status_words={"validating_files": "running", "queued": "running"},
    auto=None,
    hidden_job_fields=frozenset({"metadata", "fine_tuned_model", "method"}),
    create_fields=_CREATE_FIELDS - {"method"},
    takes_metadata=False,
    hyperparameters=("n_epochs", "batch_size", "learning_rate", "lora"),
)
LITELLM = Personality("litellm", root="/openai_passthrough", takes_metadata=False)
BARE = Personality(
    "bare",
    endpoints=_FILES | _JOBS,
    tells_file_status=False,
    hidden_file_fields=frozenset({"status", "status_details", "expires_at"}),
    hidden_job_fields=frozenset(
        {
            *(
                "fine_tuned_model",
                "organization_id",
                "result_files",
                "validation_file",
                "hyperparameters",
                "error",
            ),
            *("user_provided_suffix", "seed", "estimated_finish", "integrations", "metadata", "method", "error"),
        }
    ),
    create_fields=_LEAST_FIELDS,
    takes_metadata=False,
)
MISTRAL = Personality(
    "mistral",
    endpoints=_FILES | _CONTENT | (_JOBS - {"POST /v1/fine_tuning/jobs/{id}/cancel"}) | _MODELS,
    schema="mistral",
    offer=MISTRAL_MODELS,
    tells_file_status=False,
    hidden_file_fields=frozenset({"status", "status_details", "expires_at"}),
    status_words={
        "validating_files": "VALIDATING",
        "queued": "QUEUED",
        "running": "RUNNING",
        "succeeded": "SUCCESS",
        "failed": "FAILED",
        "cancelled": "CANCELLED",
    },
)
PERSONALITIES: Mapping[str, Personality] = {
    each.name: each for each in (OPENAI, AZURE, NEBIUS, LITELLM, BARE, MISTRAL)
}
