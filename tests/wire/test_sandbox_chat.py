"""The sandbox answers a chat as the API does, for the models that there are."""

from __future__ import annotations

import openai
import pytest

from tests.conftest import Service
from tests.wire.test_following import finished_job

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is order 7?"}]


@pytest.fixture
def client(service: Service) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-test", base_url=service.base_url, max_retries=0)


def asked(client: openai.OpenAI, model: str, **more: object) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(model=model, messages=ASK, **more)  # type: ignore[call-overload,no-any-return]


def test_a_base_model_and_what_was_tuned_here_answer_the_same_each_time(
    client: openai.OpenAI, service: Service
) -> None:
    job = service.call("GET", f"/v1/fine_tuning/jobs/{finished_job(service)}")
    steps = service.call("GET", f"/v1/fine_tuning/jobs/{job['id']}/checkpoints")["data"]
    models = ["gpt-4o-mini", job["fine_tuned_model"], steps[-1]["fine_tuned_model_checkpoint"]]
    with client:
        answers = [asked(client, model) for model in models]
        texts = [each.choices[0].message.content for each in answers]
        assert texts == [
            f"[{who} sandbox model] You said: Where is order 7?" for who in ("base", "fine-tuned", "fine-tuned")
        ]
        assert asked(client, models[0]).usage == answers[0].usage
        usage = answers[0].usage
        assert usage is not None
        assert (usage.prompt_tokens, usage.total_tokens) == (17, usage.prompt_tokens + usage.completion_tokens)


@pytest.mark.parametrize("model", ["gpt-9", "ft:gpt-4o-mini-2024-07-18:sandbox::nothing1", "ft:"])
def test_a_model_that_is_not_there_is_not_found(client: openai.OpenAI, model: str) -> None:
    with client, pytest.raises(openai.NotFoundError) as caught:
        asked(client, model)
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("more", [{"stream": True}, {"n": 2}, {"messages": []}, {"messages": [{"role": 5}]}])
def test_what_it_does_not_do_is_refused(client: openai.OpenAI, more: dict[str, object]) -> None:
    with client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**{"model": "gpt-4o-mini", "messages": ASK, **more})  # type: ignore[call-overload]
