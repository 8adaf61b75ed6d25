"""Programs that move files for us: what they print goes to a sink, what they read comes from a content.

Secrets reach them through files that are ours alone, whose names are in their environment; never by their arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence

from argosy.staging.contract import Credentials
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Content, Context, Sink

_PIECE = 1024 * 1024
#: What is kept of what a program says.
_WORDS = 8192
_MOST_OUTPUT = 64 * 1024 * 1024
#: For a program that was told to end, in seconds.
_PATIENCE = 1.0


def missing(program: str) -> str | None:
    """What lacks where a program is not installed."""
    return None if shutil.which(program) else f"the program {program} is not installed"


@contextlib.contextmanager
def environment(context: Context, credentials: Credentials) -> Iterator[dict[str, str]]:
    """The environment of a program: nothing of our own, and the credentials in files for as long as it runs."""
    with tempfile.TemporaryDirectory(dir=context.directory, prefix="tool-") as private:
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": private,
            "TMPDIR": private,
            "LC_ALL": "C",
        }
        if context.ca_directory:
            environ["X509_CERT_DIR"] = context.ca_directory
        if credentials.certificate is not None:
            environ["X509_USER_PROXY"] = _private(private, "proxy", credentials.certificate)
        if credentials.token is not None:
            environ["BEARER_TOKEN_FILE"] = _private(private, "token", credentials.token)
        yield environ


def _private(directory: str, name: str, text: str) -> str:
    path = os.path.join(directory, name)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    return path


class ToolFailed(Exception):
    """A program has ended with a failure; `words` is what it said."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


async def printed(arguments: Sequence[str], environ: dict[str, str]) -> str:
    """What a program prints. Raises ToolFailed."""
    async with _running(arguments, environ, reads=False) as (process, words):
        assert process.stdout is not None
        data = bytearray()
        while piece := await process.stdout.read(_PIECE):
            data += piece
            if len(data) > _MOST_OUTPUT:
                raise TransferFailed(f"{arguments[0]} prints more than can be read", Fault.REFUSED)
        await _ended(process, words)
    return data.decode("utf-8", "replace")


async def fetched(arguments: Sequence[str], environ: dict[str, str], sink: Sink) -> None:
    """Write what a program prints to the sink. Raises ToolFailed."""
    async with _running(arguments, environ, reads=False) as (process, words):
        assert process.stdout is not None
        while piece := await process.stdout.read(_PIECE):
            await sink.write(piece)
        await _ended(process, words)


async def pushed(arguments: Sequence[str], environ: dict[str, str], content: Content) -> None:
    """Give a program the content to read. Raises ToolFailed."""
    async with _running(arguments, environ, reads=True) as (process, words):
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it says why
            async for piece in content.chunks():
                process.stdin.write(piece)
                await process.stdin.drain()
        process.stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
        await _ended(process, words)


@contextlib.asynccontextmanager
async def _running(
    arguments: Sequence[str], environ: dict[str, str], *, reads: bool
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.Task[str]]]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=environ,
        cwd=environ["HOME"],
        stdin=asyncio.subprocess.PIPE if reads else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL if reads else asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=_PIECE,
    )
    words = asyncio.create_task(_said(process))
    try:
        yield process, words
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        # What is left in the pipe must be read, or asyncio keeps it open.
        while process.stdout is not None and await process.stdout.read(_PIECE):
            pass
        words.cancel()
        await asyncio.wait([words])


async def _said(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    kept = b""
    while piece := await process.stderr.read(_WORDS):
        kept = (kept + piece)[-_WORDS:]
    return " ".join(kept.decode("utf-8", "replace").split())


async def _ended(process: asyncio.subprocess.Process, words: asyncio.Task[str]) -> None:
    code = await process.wait()
    if code != 0:
        raise ToolFailed(code, await words)
