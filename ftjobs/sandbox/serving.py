"""The sandbox on a loopback port: beside a caller in a thread, or in the foreground.

uvicorn's protocol runs on a loop of our own: its `Server` installs signal handlers and takes 0.2 s to stop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ftjobs.sandbox.personalities import OPENAI, Personality
from ftjobs.sandbox.server import build_app
from ftjobs.sandbox.state import SandboxState


@contextmanager
def serve_in_background(
    state_dir: Path,
    *,
    personality: Personality = OPENAI,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.time,
) -> Iterator[str]:
    """Serve `state_dir` as `personality` from a thread for as long as the block lasts; yields the base URL (…/v1).

    Port 0 takes a free one. At the end of the block requests under way are cut off, at once. ValueError for
    a host that is not loopback, OSError where the port cannot be had or the directory cannot be used.
    """
    with _listen(host, port) as listener:
        config = _config(SandboxState(state_dir, clock), personality)
        started: Future[Callable[[], object]] = Future()

        async def serve() -> None:
            stop = asyncio.Event()
            async with _accepting(config, listener):
                started.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
                await stop.wait()

        def run() -> None:
            try:
                asyncio.run(serve())
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)

        thread = threading.Thread(target=run, name="sandbox", daemon=True)
        thread.start()
        stop_serving = started.result()
        try:
            yield _base_url(listener, personality)
        finally:
            stop_serving()
            thread.join()


def serve_forever(
    state_dir: Path,
    *,
    personality: Personality = OPENAI,
    host: str = "127.0.0.1",
    port: int = 0,
    announce: Callable[[str], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Serve `state_dir` as `personality` until Ctrl-C, then return.

    `announce` gets the base URL once requests are answered. Raises what `serve_in_background` raises.
    """

    async def serve() -> None:
        async with _accepting(config, listener):
            announce(_base_url(listener, personality))
            await asyncio.Event().wait()

    with suppress(KeyboardInterrupt), _listen(host, port) as listener:
        config = _config(SandboxState(state_dir, clock), personality)
        asyncio.run(serve())


class _Protocol(H11Protocol):
    """HTTP as uvicorn speaks it, with a way to close the connection in the middle of an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "close_connection": transport.close}


def _config(state: SandboxState, personality: Personality) -> Config:
    return Config(
        build_app(state, personality),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
    )


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ipaddress.ip_address(address)
        loopback = ip.is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(f"the sandbox serves loopback addresses only, not {host!r}")
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    listener = socket.create_server((address, port), family=family)
    # asyncio does this only for sockets that it opened; without it every answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _base_url(listener: socket.socket, personality: Personality) -> str:
    host, port = listener.getsockname()[:2]
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"http://{authority}{personality.base_path}"


@asynccontextmanager
async def _accepting(config: Config, listener: socket.socket) -> AsyncIterator[None]:
    """Answer the listener's connections inside the block; cut off what is under way at its end."""
    live = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(config=config, server_state=live, app_state={}), sock=listener
    )
    try:
        yield
    finally:
        server.close()
        for connection in list(live.connections):
            connection.transport.abort()
        under_way = list(live.tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
