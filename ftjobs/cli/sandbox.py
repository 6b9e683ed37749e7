"""`sandbox`: the tour; `sandbox serve`: the loopback service alone."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated, Literal

import typer

from ftjobs.cli.context import open_app, say
from ftjobs.cli.options import Family, Verb, globals_of, print_json
from ftjobs.errors import UsageError
from ftjobs.reports.envelope import envelope

PORT = 8787
app = typer.Typer(cls=Family, subcommand_metavar="[COMMAND]")


@app.callback(invoke_without_command=True)
def sandbox(ctx: typer.Context) -> None:
    """Take a 20-second tour of the promises. On a loopback service; needs no key, and touches nothing of yours."""
    if ctx.invoked_subcommand is None:
        from ftjobs.cli.tour import tour

        tour(globals_of(ctx))


@app.command(cls=Verb)
def serve(
    ctx: typer.Context,
    *,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = PORT,
    name: Annotated[
        Literal["openai", "azure", "nebius", "litellm", "bare", "mistral"],
        typer.Option("--as", metavar="NAME", help="Service to play: azure, nebius, litellm, bare, mistral."),
    ] = "openai",
) -> None:
    """Serve the sandbox until Ctrl-C. Prints the lines to export; loopback only, and nothing costs money there."""
    root, given = open_app(ctx, profile="sandbox")
    from ftjobs.app import SANDBOX_KEY, no_sandbox

    try:
        from ftjobs.sandbox.personalities import PERSONALITIES
        from ftjobs.sandbox.serving import serve_forever
    except ModuleNotFoundError as error:
        raise no_sandbox(error) from None

    from ftjobs.cli.practice import practice_profile, practice_settings
    from ftjobs.ledger.store import Ledger
    from ftjobs.workflows.drafts import put

    ledger = root.sandbox_dir / "served.sqlite3"
    # Made now: `--profile sandbox` in the other shell would stamp it as its own, and shut everybody else out.
    Ledger(ledger, stamp="real")

    def announce(base_url: str) -> None:
        # The profile is named in the environment, since a project's own settings are nearer than any file of ours.
        where = {"OPENAI_BASE_URL": base_url, "FTJOBS_PROFILE": "generic"}
        if name != "openai":
            settings = root.sandbox_dir / f"served-{name}.toml"
            put(settings, practice_settings(name, base_url).encode(), force=True)
            where = {"FTJOBS_CONFIG": str(settings), "FTJOBS_PROFILE": practice_profile(name)}
        environment = {**where, "OPENAI_API_KEY": SANDBOX_KEY, "FTJOBS_LEDGER_URL": f"sqlite:///{ledger}"}
        if given.json:
            print_json(envelope("sandbox", sandbox=True, personality=name, environment=environment))
        else:
            print("\n".join(f"export {name}={_quoted(value)}" for name, value in environment.items()))
        sys.stdout.flush()
        played = "" if name == "openai" else f" as {name}"
        # Lines that stay behind in a shell would send its next real job into the void.
        say(f"serving the sandbox{played}; run these lines in a new shell, and close it after Ctrl-C here", given)

    try:
        serve_forever(root.sandbox_dir, personality=PERSONALITIES[name], port=port, announce=announce)
    except OSError as error:
        raise UsageError(
            "port_in_use",
            f"The sandbox cannot be served on port {port}: {error.strerror}.",
            next_step="Name another port with --port, or 0 for a free one.",
            port=port,
        ) from None


def _quoted(value: str) -> str:
    """Return a value as a shell reads it; one that a terminal would obey is spelled in escapes."""
    if value.isprintable():
        return shlex.quote(value)
    return "$'" + "".join(f"\\x{byte:02x}" for byte in os.fsencode(value)) + "'"
