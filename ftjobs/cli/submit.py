"""`submit`: the main job."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ftjobs.cli.context import STDIN, ask, can_ask, local_file, open_app, progress_bar, say
from ftjobs.cli.estimate import Epochs, parsed_epochs, surveyed, surveyed_validation
from ftjobs.cli.options import Globals, print_json
from ftjobs.cli.rehearsal import rehearse
from ftjobs.cli.tag_pairs import tags_of
from ftjobs.errors import InterruptedByUserError, UsageError
from ftjobs.money import Usd

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.dataset.survey import Survey
    from ftjobs.pricing.estimate import Estimate
    from ftjobs.workflows.plan import Files, Request
    from ftjobs.workflows.submit import Hooks, Submitted

MAX_SEED = 2**31 - 1
_TOLD_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class _Limits:
    """What the options allow to spend, and whether a person may be asked."""

    max_cost: Usd | None
    yes: bool
    may_ask: bool


def submit(
    ctx: typer.Context,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Training file (JSONL), or - for stdin.")
    ] = None,
    *,
    model: Annotated[str | None, typer.Option("--model", metavar="M", help="Model to fine-tune.")] = None,
    validation: Annotated[
        str | None, typer.Option("--validation", metavar="F", help="Validation file (JSONL).")
    ] = None,
    method: Annotated[
        Literal["supervised", "dpo"],
        typer.Option("--method", metavar="T", help="How to train: supervised or dpo."),
    ] = "supervised",
    epochs: Epochs = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", metavar="N", min=1, max=256, help="Examples per step.")
    ] = None,
    lr_multiplier: Annotated[
        float | None, typer.Option("--lr-multiplier", metavar="X", help="Learning rate multiplier.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", metavar="X", help="Learning rate, where it is absolute."),
    ] = None,
    beta: Annotated[
        float | None, typer.Option("--beta", metavar="X", min=0, max=2, help="How closely DPO keeps to the model.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, max=MAX_SEED, help="Seed of the job.")
    ] = None,
    suffix: Annotated[
        str | None, typer.Option("--suffix", metavar="S", help="Part of the fine-tuned model's name.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="K=V", help="Tag for the ledger; repeatable.")
    ] = None,
    max_cost: Annotated[
        str | None, typer.Option("--max-cost", metavar="USD", help="Consent up to this, refuse above.")
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Consent without being asked.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and price only; send nothing.")] = False,
    again: Annotated[
        str | None, typer.Option("--again", metavar="NAME", help="Train the same content anew, as NAME.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the job until it has ended.")] = False,
    resend: Annotated[
        str | None, typer.Option("--resend", metavar="SUBMISSION", help="Resolve an uncertain submission.")
    ] = None,
) -> int:
    """Check, price, upload and create a job, once. The same command again answers with the same job."""
    if resend is not None:
        _require(data is None and model is None, "--resend takes a submission alone.", f"--resend {resend}")
        app, given = open_app(ctx)
        done: Submitted | None = _resend(app, given, resend)
    else:
        data = _given(data, "The training file is missing.", "data.jsonl --model gpt-4o-mini")
        model = _given(model, "The option --model is missing.", f"{data} --model gpt-4o-mini")
        from ftjobs.workflows.plan import Request

        app, given = open_app(ctx)
        request = Request(
            model=app.model(model, method),
            method=method,
            batch_size=batch_size,
            learning_rate_multiplier=lr_multiplier,
            learning_rate=learning_rate,
            beta=beta,
            seed=seed,
            suffix=suffix,
            again=again,
            tags=tags_of(tag or [], example="… --tag project=support"),
        )
        limits = _Limits(_usd(max_cost), yes, may_ask=data != STDIN and can_ask() and not given.json)
        command = shlex.join(["ftjobs", "submit", data, "--model", model])
        with _going_on(f"Run `{command}` again with the same options: it goes on where it stopped."):
            done = _submit(
                app, given, request, limits, data=data, validation=validation, epochs=epochs, dry_run=dry_run
            )
    if done is None or not wait:
        return 0
    from ftjobs.cli.watch import follow

    return follow(app, given, [done.submission.id])


def _submit(
    app: App,
    given: Globals,
    request: Request,
    limits: _Limits,
    *,
    data: str,
    validation: str | None,
    epochs: str | None,
    dry_run: bool,
) -> Submitted | None:
    """Go from files to a job; None for a dry run."""
    from ftjobs.placing import holder_of, place, require_offered

    terms = app.terms(method=request.method, epochs=parsed_epochs(epochs))
    with ExitStack() as stack:
        training_path = stack.enter_context(local_file(data))
        files = _surveyed_files(app, request, given, data=data, path=training_path, validation=validation)
        if dry_run:
            holder = holder_of(app, request, files, terms)
            if holder is None:
                require_offered(app, request, on=terms.on, asks=False)
            rehearse(app, given, request, files, terms=terms, holder=holder, max_cost=limits.max_cost)
            return None
        placed = place(
            app,
            request,
            files,
            terms,
            consent=lambda estimate, high: _consent(app, given, estimate, high, limits),
            hooks=stack.enter_context(_hooks(given, files.training.bytes)),
        )
    _show(placed.submitted, given, placed.estimate, request.tags)
    return placed.submitted


def _surveyed_files(
    app: App, request: Request, given: Globals, *, data: str, path: Path, validation: str | None
) -> Files:
    from ftjobs.workflows.appraise import require_valid
    from ftjobs.workflows.plan import Files

    training = surveyed(str(path), request.model, request.method, app, given, named=data)
    require_valid(training)
    if told := _warned_of(training):
        say(f"note: the file has {told}; `ftjobs check` says where", given)
    name = "stdin" if data == STDIN else None
    if validation is None:
        return Files(training, path, training_name=name)
    held_out = surveyed_validation(validation, request.model, request.method, app, given, training=path)
    require_valid(held_out)
    for problem in held_out.problems:
        if problem.code == "also_in_training":
            say(f"note: {problem.message}", given)
    return Files(training, path, held_out, Path(validation), name)


def _warned_of(found: Survey) -> str:
    """Return what is odd about a valid file, with counts; a small file is no news, and is trained on."""
    return ", ".join(
        f"{code} {times:,}×" for code, times in found.problem_counts.items() if code != "few_examples"
    )


def _consent(app: App, given: Globals, estimate: Estimate, high: Usd, limits: _Limits) -> None:
    from ftjobs.reports.estimate import calibration_lines, epochs_text
    from ftjobs.reports.numbers import usd_range
    from ftjobs.workflows.gate import require_consent

    price = estimate.price
    expected = estimate.cost.expected if estimate.cost else high
    say(
        f"estimate {usd_range(estimate.cost)}: {estimate.model.base.name}, "
        f"{epochs_text(estimate.epochs, 'epoch')}, "
        f"price list {price.price_list if price else 'unknown'}",
        given,
    )
    for note in (*calibration_lines(estimate), *estimate.warnings, app.past.unusual_estimate(expected)):
        if note:
            say(f"note: {note}", given)
    require_consent(
        high,
        confirm_above=app.settings.confirm_above_usd,
        max_cost=limits.max_cost,
        yes=limits.yes,
        ask=(lambda: ask(f"Submit a job that may cost up to {high.display()}?")) if limits.may_ask else None,
    )


def _resend(app: App, given: Globals, reference: str) -> Submitted:
    from ftjobs.workflows.recheck import recheck
    from ftjobs.workflows.resend import resend

    submission = app.find(reference)
    settle_s = app.settings.settle_s
    say(f"watching for {settle_s:g} s whether submission {submission.id} created a job after all", given)
    with (
        _going_on(f"Run `ftjobs submit --resend {submission.id}` again: it watches from the start."),
        app.session(app.profile_of(submission.profile, submission.account)) as session,
        _hooks(given, 0) as hooks,
    ):
        done = resend(
            submission.id,
            session,
            settle_s=settle_s,
            hooks=hooks,
            on_left=_countdown(settle_s, given),
            recheck=lambda current: recheck(
                current, session, prices=app.prices, price_list=app.settings.price_list, limits=app.limits
            ),
        )
    _show(done, given, None)
    return done


def _countdown(settle_s: float, given: Globals) -> Callable[[float], None]:
    """Return what says how long is left, once a minute."""
    told_s = settle_s

    def on_left(left_s: float) -> None:
        nonlocal told_s
        if told_s - left_s >= _TOLD_EVERY_S:
            told_s = left_s
            say(f"{left_s:.0f} s left; no job of it so far", given)

    return on_left


@contextmanager
def _hooks(given: Globals, upload_bytes: int) -> Iterator[Hooks]:
    from ftjobs.workflows.submit import Hooks

    with progress_bar("uploading", upload_bytes, given) as on_sent:
        yield Hooks(
            on_follow=lambda held: say(f"another process is working on submission {held}; waiting for it", given),
            on_sent=lambda sent, _of: on_sent(sent),
            on_signal=lambda: say(
                "one moment: a create call is under way and must be recorded (up to 60 s)", given
            ),
        )


@contextmanager
def _going_on(next_step: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedByUserError("interrupted", "Interrupted; nothing is lost.", next_step=next_step) from None


def _show(
    done: Submitted, given: Globals, estimate: Estimate | None, tags: Mapping[str, str] | None = None
) -> None:
    from ftjobs.reports.estimate import estimate_json
    from ftjobs.reports.submission import submission_json, submission_text

    for budget in done.budgets:
        if budget.warns:
            say(f"warning: {budget.sentence()}", given)
    kept = done.submission.tags
    if done.reused and any(kept.get(key) != value for key, value in (tags or {}).items()):
        said = ", ".join(f"{key}={value}" for key, value in kept.items()) or "none"
        say(f"note: the job keeps the tags that it was created with ({said})", given)
    if given.json:
        fuller = estimate_json(estimate) if estimate and not done.reused else None
        print_json(submission_json(done.submission, reused=done.reused, sandbox=given.sandbox, estimate=fuller))
    else:
        print(given.spelled(submission_text(done.submission, reused=done.reused)))


def _usd(text: str | None) -> Usd | None:
    try:
        return None if text is None else Usd.parse(text)
    except ValueError as error:
        raise UsageError("bad_amount", f"{error}.", next_step="Write it like --max-cost 12.50") from None


def _given(value: str | None, message: str, example: str) -> str:
    _require(value is not None, message, example)
    return value or ""


def _require(holds: bool, message: str, example: str) -> None:
    if not holds:
        raise UsageError("usage", message, next_step=f"Write it like: ftjobs submit {example}")
