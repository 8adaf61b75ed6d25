"""Usage over HTTP: sums, and the records of single jobs; as JSON, CSV, and usage records of the OGF."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.types import ASGIApp

from argosy.languages import usage_record
from argosy.languages.documents_usage import UsagePage, UsageRecordDocument, UsageSumDocument, UsageSummary
from argosy.model import InvalidInput, clock
from argosy.model.choices import none_of
from argosy.service.contract import Operations, UsageQuery, UsageRecord, UsageSum

from . import render
from .bodies import MAX_NUMBER
from .parameter_types import ApiRequest, Cursor, Limit, instant
from .streaming import Answer, whole

CSV = "text/csv"
_COLUMNS = UsageRecordDocument.__struct_fields__
_SUM_COLUMNS = UsageSumDocument.__struct_fields__

Since = Annotated[
    str | None, QueryParameter(name="from", description="Of jobs that ended then or later; RFC 3339, or a UTC day.")
]
Until = Annotated[str | None, QueryParameter(description="Of jobs that ended before that.")]
User = Annotated[str | None, QueryParameter(description="Whose; administrators see everybody's where nothing is said.")]
Format = Annotated[str | None, QueryParameter(name="format", description="Instead of Accept: json, csv or ur.")]


def usage_routes(operations: Operations) -> list[HTTPRouteHandler]:
    """The routes of usage."""

    @get(
        "/usage",
        operation_id="sum_usage",
        summary="What jobs have used, summed up",
        opt={"answers": {200: (UsageSummary, CSV)}, "problems": (406, 422, 429, 503)},
    )
    async def sums(
        request: ApiRequest,
        by: Annotated[
            list[str] | None, QueryParameter(description="user, share, resource, account, day; repeatable.")
        ] = None,
        since: Since = None,
        until: Until = None,
        user: User = None,
        resource: Annotated[str | None, QueryParameter()] = None,
        kind: Format = None,
    ) -> ASGIApp:
        groups = by or []
        answer = _format(kind, request.headers.get("accept", ""), ("json", "csv"))
        query = UsageQuery(user, None, resource, instant(since, "from"), instant(until, "until"))
        found = [_sum(one, groups) for one in await operations.usage(request.user, query, groups)]
        if answer == "csv":
            columns = [*groups, *(name for name in _SUM_COLUMNS if name not in _GROUP_FIELDS)]
            return Answer(200, {"content-type": CSV}, _once(_csv_head(columns) + _csv(columns, found)))
        return whole(UsageSummary(by=groups, since=since, until=until, items=found))

    @get(
        "/usage/records",
        operation_id="list_usage",
        summary="What each job has used, by the time of its end; as CSV or XML all of them, as JSON in pages",
        opt={
            "answers": {200: (UsagePage, CSV, usage_record.MEDIA_TYPE)},
            "problems": (406, 422, 503),
        },
    )
    async def records(
        request: ApiRequest,
        since: Since = None,
        until: Until = None,
        user: User = None,
        resource: Annotated[str | None, QueryParameter()] = None,
        activity: Annotated[str | None, QueryParameter(description="Of this one.")] = None,
        kind: Format = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> ASGIApp:
        answer = _format(kind, request.headers.get("accept", ""), ("json", "csv", "ur"))
        query = UsageQuery(user, activity, resource, instant(since, "from"), instant(until, "until"))
        if answer == "json":
            found = await operations.usage_records(request.user, query, after=_cursor(cursor), limit=limit)
            following = f"{found[-1].final_at!r}:{found[-1].number}" if len(found) == limit else None
            return whole(UsagePage(items=[_record(one) for one in found], next=following))
        # What is wrong with the query is found with the first page, before the answer begins.
        pages = operations.all_usage_records(request.user, query)
        first = await anext(pages, None) or []
        if answer == "csv":
            return Answer(200, {"content-type": CSV}, _pages(first, pages, _csv_head(_COLUMNS), _csv_page, b""))
        head, tail = usage_record.HEAD, usage_record.TAIL
        return Answer(200, {"content-type": usage_record.MEDIA_TYPE}, _pages(first, pages, head, _xml_page, tail))

    return [sums, records]


#: The fields of a sum that are there where they were asked for.
_GROUP_FIELDS = ("user", "share", "resource", "account", "day")
_ACCEPTED = {"application/json": "json", CSV: "csv", "application/xml": "ur", "text/xml": "ur"}


def _format(asked: str | None, accept: str, offered: Sequence[str]) -> str:
    """What to answer with: what `format` says, or else the first that Accept names and that is offered."""
    if asked is not None:
        if asked not in offered:
            raise InvalidInput(none_of(asked, offered), element="format")
        return asked
    for part in accept.split(","):
        kind = _ACCEPTED.get(part.partition(";")[0].strip().lower())
        if kind in offered:
            return str(kind)
    return offered[0]


def _cursor(text: str | None) -> tuple[float, int] | None:
    if not text:
        return None
    moment, _, number = text.partition(":")
    try:
        found = float(moment), int(number)
    except ValueError:
        found = 0.0, -1
    if not 0 <= found[1] <= MAX_NUMBER:
        raise InvalidInput(f"{text!r} is no cursor; take `next` of the page before", element="cursor")
    return found


def _sum(found: UsageSum, by: Sequence[str]) -> UsageSumDocument:
    return UsageSumDocument(
        jobs=found.jobs,
        finished=found.finished,
        failed=found.failed,
        terminated=found.terminated,
        cpu_seconds=found.cpu_seconds,
        wall_seconds=found.wall_seconds,
        core_seconds=found.core_seconds,
        max_rss=found.max_rss,
        unmeasured=found.unmeasured,
        **dict(zip(by, found.group, strict=True)),
    )


def _record(one: UsageRecord) -> UsageRecordDocument:
    def utc(seconds: float | None) -> str | None:
        return None if seconds is None else render.utc(seconds)

    return UsageRecordDocument(
        activity=one.activity,
        run=one.run,
        user=one.owner,
        account=one.account,
        name=one.name,
        share=one.share,
        native_id=one.native_id,
        state=one.state,
        exit_code=one.exit_code,
        created=render.utc(one.created),
        submitted=utc(one.submitted),
        started=utc(one.started),
        ended=utc(one.ended),
        final=render.utc(one.final_at),
        nodes=one.nodes,
        processes=one.processes,
        cores=one.cores,
        cpu_seconds=one.cpu_seconds,
        wall_seconds=one.wall_seconds,
        core_seconds=one.core_seconds,
        max_rss=one.max_rss,
        hosts=list(one.hosts),
    )


def _csv(columns: Sequence[str], documents: Sequence[Any]) -> bytes:
    """Lines of CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(getattr(one, name)) for name in columns] for one in documents)
    return text.getvalue().encode()


def _csv_head(columns: Sequence[str]) -> bytes:
    return (",".join(columns) + "\r\n").encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = " ".join(value)
    # A name that a spreadsheet would take for a formula.
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _csv_page(page: Sequence[UsageRecord]) -> bytes:
    return _csv(_COLUMNS, [_record(one) for one in page])


def _xml_page(page: Sequence[UsageRecord]) -> bytes:
    now = clock.now()
    return b"".join(usage_record.element(one, now=now) for one in page)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _pages(
    first: Sequence[UsageRecord],
    rest: AsyncIterator[Sequence[UsageRecord]],
    head: bytes,
    lines: Callable[[Sequence[UsageRecord]], bytes],
    tail: bytes,
) -> AsyncIterator[bytes]:
    yield head
    if first:
        yield lines(first)
    async for page in rest:
        yield lines(page)
    if tail:
        yield tail
