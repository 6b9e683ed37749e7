"""Nothing is spent on an old word: what was recorded or uncertain meets today's price, budgets and dates again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CREATE, Service
from tests.e2e.conftest import Book, Shell

RECORDED = {"FTJOBS_FAILPOINT": "submission.recorded:kill"}
SENDING = {"FTJOBS_FAILPOINT": "create.sending:kill"}
PRICE = '[[price]]\nmodel = "gpt-4o-mini-2024-07-18"\ntraining_usd_per_1m = "{}"\nsource = "ours"\n'


def prices(shell: Shell, per_1m: str) -> None:
    (shell.person.home / "ftjobs.toml").write_text(PRICE.format(per_1m), encoding="utf-8")


def killed(shell: Shell, *more: str, **env: str) -> None:
    assert shell.submit(*more, **env).code == -9


def test_a_rerun_meets_a_budget_that_was_lowered(service: Service, shell: Shell, book: Book) -> None:
    killed(shell, **RECORDED)
    refused = shell.submit(FTJOBS_BUDGET__MONTHLY_USD="0.001")
    assert (refused.code, refused.json["code"]) == (5, "over_budget")
    assert service.jobs() == []
    # Its own commitment takes no room from it, and it goes on where there is room.
    goes_on = shell.submit(FTJOBS_BUDGET__MONTHLY_USD="0.012")
    assert goes_on.code == 0, goes_on.err
    assert [each["state"] for each in book.submissions()] == ["created"]


def test_a_rerun_at_another_price_is_a_submission_of_its_own(service: Service, shell: Shell, book: Book) -> None:
    prices(shell, "0.03")
    killed(shell, **RECORDED)
    prices(shell, "3.00")
    refused = shell.submit(FTJOBS_BUDGET__MONTHLY_USD="0.001")
    assert (refused.code, refused.json["code"]) == (5, "over_budget")
    done = shell.submit()
    assert done.code == 0, done.err
    assert [each["state"] for each in book.submissions()] == ["abandoned", "created"]
    (standing,) = book.standing_estimates()
    assert standing["nano_usd_per_1m"] == 3 * 10**9
    assert len(service.jobs()) == 1


def test_a_rerun_with_another_tag_is_a_submission_of_its_own(service: Service, shell: Shell, book: Book) -> None:
    (shell.person.home / "ftjobs.toml").write_text('[budget.tags]\n"team=x" = "0.001"\n', encoding="utf-8")
    killed(shell, **RECORDED)
    refused = shell.submit("--tag", "team=x")
    assert (refused.code, refused.json["code"]) == (5, "over_budget")
    done = shell.submit("--tag", "team=y")
    assert done.code == 0, done.err
    assert book.submissions()[-1]["tags"] == '{"team": "y"}'
    assert len(service.jobs()) == 1


@pytest.mark.parametrize(
    ("per_1m", "env", "code"),
    [
        ("300.00", {}, "price_rose"),
        ("3.00", {"FTJOBS_BUDGET__MONTHLY_USD": "0.001"}, "over_budget"),
    ],
)
def test_resending_meets_todays_price_and_budgets(
    service: Service, shell: Shell, *, per_1m: str, env: dict[str, str], code: str
) -> None:
    book = shell.book
    prices(shell, "3.00")
    killed(shell, **SENDING)
    (submission,) = book.submissions()
    prices(shell, per_1m)
    refused = shell.resend(submission["id"], FTJOBS_SETTLE_S="0.2", **env)
    assert (refused.code, refused.json["code"]) == (5, code)
    assert CREATE not in [f"{each['method']} {each['path']}" for each in service.requests()]
    assert [each["state"] for each in book.submissions()] == ["uncertain"]
    prices(shell, "3.00")
    done = shell.resend(submission["id"], FTJOBS_SETTLE_S="0.2")
    assert done.code == 0, done.err
    assert len(service.jobs()) == 1


def test_a_price_that_fell_is_no_reason_to_refuse(service: Service, shell: Shell, book: Book) -> None:
    prices(shell, "3.00")
    killed(shell, **SENDING)
    prices(shell, "1.00")
    done = shell.resend(book.submissions()[0]["id"], FTJOBS_SETTLE_S="0.2")
    assert done.code == 0, done.err
    assert len(service.jobs()) == 1


def test_the_toml_that_is_offered_for_an_unknown_price_sets_no_price_by_itself(shell: Shell) -> None:
    refused = shell.run("submit", str(shell.data), "--model", "gpt-4.1", "--json", FTJOBS_PRICE_LIST="guide-2026")
    (shell.person.home / "ftjobs.toml").write_text(refused.json["details"]["toml"], encoding="utf-8")
    pasted = shell.run("submit", str(shell.data), "--model", "gpt-4.1", "--json", FTJOBS_PRICE_LIST="guide-2026")
    assert (pasted.code, pasted.json["code"]) == (3, "price_invalid")


def test_a_budget_of_a_tag_that_nothing_can_bear_is_refused(shell: Shell, tmp_path: Path) -> None:
    for tag in ("team = search", "ftjobs_x=1"):
        (shell.person.home / "ftjobs.toml").write_text(f'[budget.tags]\n"{tag}" = "1"\n', encoding="utf-8")
        assert shell.submit().json["code"] == "bad_setting"
