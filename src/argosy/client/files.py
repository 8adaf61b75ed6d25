"""What both clients have for files: those of an activity's session directory, whole, in part, or as they grow."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar

import httpx
import msgspec

from argosy.languages.documents import ActivityDocument, FileDocument
from argosy.model import ArgosyError, NotFound

from . import calls
from .calls import Call
from .connection import STREAM_TIMEOUT, TIMEOUT
from .errors import Patience, from_response
from .transfer import Download, Moved, Source, Upload, check_file, file_content

T = TypeVar("T")


class FileMethods(ABC):
    """Of the synchronous client."""

    _http: httpx.Client
    """The connection that is in use."""

    @abstractmethod
    def _do(self, call: Call[T]) -> T: ...

    @abstractmethod
    def _open(self, method: str, url: str, **request: Any) -> AbstractContextManager[httpx.Response]: ...

    @abstractmethod
    def _repeat(
        self, send: Callable[[], T], *, idempotent: bool = True, spent: Callable[[], bool] = lambda: False
    ) -> T: ...

    @abstractmethod
    def _patience(self) -> Patience: ...

    @abstractmethod
    def _pause(self, seconds: float) -> None: ...

    @abstractmethod
    def status(self, id: str) -> ActivityDocument: ...

    @abstractmethod
    def changed(self, id: str, *, version: int | None = None, wait: float = calls.POLL) -> ActivityDocument: ...

    def list_files(self, id: str, path: str = "") -> Iterator[FileDocument]:
        """The entries of the session directory, or of a directory in it, by name."""
        cursor = None
        while True:
            page = self._do(calls.list_files(id, path, 1000, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def read_file(self, id: str, path: str, *, start: int = 0, size: int | None = None) -> bytes:
        """A file's content; at most `size` bytes of it, from `start`. Nothing where it ends before that."""
        if size is not None and size <= 0:
            return b""
        headers = {}
        if start or size is not None:
            headers["Range"] = f"bytes={start}-" + ("" if size is None else str(start + size - 1))

        def read() -> bytes:
            response = self._http.get(calls.file(id, path), headers=headers)
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return b""
            if response.is_error:
                raise from_response(response)
            return file_content(response)

        return self._repeat(read)

    def get_file(self, id: str, path: str, to: str | os.PathLike[str], *, progress: Moved | None = None) -> str:
        """Fetch a file whole or not at all, going on after a cut, and say where it is. `to` may be a directory.

        `progress` is called with the number of bytes that have come.
        """
        download = Download(path, to)
        patience = self._patience()
        try:
            while not download.done:
                before = download.progress
                try:
                    with self._open("GET", calls.file(id, path), headers=download.headers()) as response:
                        download.begin(response)
                        for chunk in response.iter_raw():
                            download.write(chunk)
                            if progress is not None:
                                progress(download.progress)
                    download.finish()
                except (ArgosyError, httpx.TransportError) as error:
                    if download.progress > before:
                        patience.renew()
                    self._pause(patience.after(error))
        finally:
            download.close()
        return download.target

    def put_file(
        self,
        id: str,
        path: str,
        source: Source,
        *,
        executable: bool | None = None,
        progress: Moved | None = None,
    ) -> FileDocument:
        """Write a file into the session directory, before the job is submitted.

        `executable` is the source's own mode where it is a path and nothing is said. `progress` is called with the
        number of bytes that have gone. A pipe, which cannot be read twice, is sent once.
        """
        upload = Upload(source, executable, progress)

        def send() -> FileDocument:
            upload.begin()
            response = self._http.put(calls.file(id, path), content=upload.pieces(), headers=upload.headers())
            if response.is_error:
                raise from_response(response)
            return msgspec.json.decode(response.content, type=FileDocument)

        try:
            return self._repeat(send, idempotent=upload.repeatable, spent=lambda: upload.spent)
        finally:
            upload.close()

    def delete_file(self, id: str, path: str) -> None:
        """Remove a file, before the job is submitted."""
        self._do(calls.delete_file(id, path))

    def follow(self, id: str, path: str, *, interval: float = 1.0) -> Iterator[bytes]:
        """The content of a file that grows, as it grows, until the activity is final.

        The service tells what is added. While there is no such file it is looked for whenever the activity changes, and
        every `interval` seconds. Raises NotFound where it has not appeared by the end.
        """
        offset = 0
        patience = self._patience()
        record = self.status(id)
        while True:
            opened = False
            try:
                with self._open(
                    "GET",
                    calls.file(id, path),
                    params={"follow": "true", "start": offset},
                    timeout=httpx.Timeout(TIMEOUT, read=STREAM_TIMEOUT),
                ) as response:
                    check_file(response)
                    opened = True
                    for data in response.iter_raw():
                        patience.renew()
                        offset += len(data)
                        yield data
                if record.final:
                    return
                record = self.status(id)
                if not record.final:
                    raise httpx.RemoteProtocolError("the service has ended the stream")
            except NotFound:
                if record.final:
                    raise
                patience.renew()
                record = self.changed(id, version=record.version, wait=interval)
            except (ArgosyError, httpx.TransportError) as error:
                # Nothing was added for so long: that is no fault.
                if not (opened and isinstance(error, httpx.ReadTimeout)):
                    self._pause(patience.after(error))


class AsyncFileMethods(ABC):
    """Of the asynchronous client."""

    _http: httpx.AsyncClient
    """The connection that is in use."""

    @abstractmethod
    async def _do(self, call: Call[T]) -> T: ...

    @abstractmethod
    def _open(self, method: str, url: str, **request: Any) -> AbstractAsyncContextManager[httpx.Response]: ...

    @abstractmethod
    async def _repeat(
        self, send: Callable[[], Awaitable[T]], *, idempotent: bool = True, spent: Callable[[], bool] = lambda: False
    ) -> T: ...

    @abstractmethod
    def _patience(self) -> Patience: ...

    @abstractmethod
    async def _pause(self, seconds: float) -> None: ...

    @abstractmethod
    async def status(self, id: str) -> ActivityDocument: ...

    @abstractmethod
    async def changed(self, id: str, *, version: int | None = None, wait: float = calls.POLL) -> ActivityDocument: ...

    async def list_files(self, id: str, path: str = "") -> AsyncIterator[FileDocument]:
        """The entries of the session directory, or of a directory in it, by name."""
        cursor = None
        while True:
            page = await self._do(calls.list_files(id, path, 1000, cursor))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def read_file(self, id: str, path: str, *, start: int = 0, size: int | None = None) -> bytes:
        """A file's content; at most `size` bytes of it, from `start`. Nothing where it ends before that."""
        if size is not None and size <= 0:
            return b""
        headers = {}
        if start or size is not None:
            headers["Range"] = f"bytes={start}-" + ("" if size is None else str(start + size - 1))

        async def read() -> bytes:
            response = await self._http.get(calls.file(id, path), headers=headers)
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return b""
            if response.is_error:
                raise from_response(response)
            return file_content(response)

        return await self._repeat(read)

    async def get_file(self, id: str, path: str, to: str | os.PathLike[str], *, progress: Moved | None = None) -> str:
        """Fetch a file whole or not at all, going on after a cut, and say where it is. `to` may be a directory.

        `progress` is called with the number of bytes that have come.
        """
        download = Download(path, to)
        patience = self._patience()
        try:
            while not download.done:
                before = download.progress
                try:
                    async with self._open("GET", calls.file(id, path), headers=download.headers()) as response:
                        download.begin(response)
                        async for chunk in response.aiter_raw():
                            download.write(chunk)
                            if progress is not None:
                                progress(download.progress)
                    download.finish()
                except (ArgosyError, httpx.TransportError) as error:
                    if download.progress > before:
                        patience.renew()
                    await self._pause(patience.after(error))
        finally:
            download.close()
        return download.target

    async def put_file(
        self,
        id: str,
        path: str,
        source: Source,
        *,
        executable: bool | None = None,
        progress: Moved | None = None,
    ) -> FileDocument:
        """Write a file into the session directory, before the job is submitted.

        `executable` is the source's own mode where it is a path and nothing is said. `progress` is called with the
        number of bytes that have gone. A pipe, which cannot be read twice, is sent once.
        """
        upload = Upload(source, executable, progress)

        async def send() -> FileDocument:
            await asyncio.to_thread(upload.begin)
            response = await self._http.put(calls.file(id, path), content=upload.awaited(), headers=upload.headers())
            if response.is_error:
                raise from_response(response)
            return msgspec.json.decode(response.content, type=FileDocument)

        try:
            return await self._repeat(send, idempotent=upload.repeatable, spent=lambda: upload.spent)
        finally:
            upload.close()

    async def delete_file(self, id: str, path: str) -> None:
        """Remove a file, before the job is submitted."""
        await self._do(calls.delete_file(id, path))

    async def follow(self, id: str, path: str, *, interval: float = 1.0) -> AsyncIterator[bytes]:
        """The content of a file that grows, as it grows, until the activity is final.

        The service tells what is added. While there is no such file it is looked for whenever the activity changes, and
        every `interval` seconds. Raises NotFound where it has not appeared by the end.
        """
        offset = 0
        patience = self._patience()
        record = await self.status(id)
        while True:
            opened = False
            try:
                async with self._open(
                    "GET",
                    calls.file(id, path),
                    params={"follow": "true", "start": offset},
                    timeout=httpx.Timeout(TIMEOUT, read=STREAM_TIMEOUT),
                ) as response:
                    check_file(response)
                    opened = True
                    async for data in response.aiter_raw():
                        patience.renew()
                        offset += len(data)
                        yield data
                if record.final:
                    return
                record = await self.status(id)
                if not record.final:
                    raise httpx.RemoteProtocolError("the service has ended the stream")
            except NotFound:
                if record.final:
                    raise
                patience.renew()
                record = await self.changed(id, version=record.version, wait=interval)
            except (ArgosyError, httpx.TransportError) as error:
                # Nothing was added for so long: that is no fault.
                if not (opened and isinstance(error, httpx.ReadTimeout)):
                    await self._pause(patience.after(error))
