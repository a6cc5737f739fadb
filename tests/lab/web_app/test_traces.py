"""Spans of OpenTelemetry around a load: it has no parent, and a link to the span of its first caller."""

import asyncio
from contextvars import ContextVar

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags

from cachelab import Cache, Flight, MemoryStore, flight
from tests.support.fakes import in_virtual_time


@in_virtual_time
async def test_a_load_has_no_parent_and_a_link_to_its_first_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests with a span each wait for one load."""
    monkeypatch.setattr(flight, "_carried", [])
    asked_by = flight.carry(ContextVar[SpanContext]("asked_by"))
    parents, links = list[SpanContext](), list[Link]()

    async def load(user_id: int) -> str:
        parents.append(trace.get_current_span().get_span_context())
        links.append(Link(asked_by.get()))
        await asyncio.sleep(1)
        return "value"

    users = Cache[int, str](MemoryStore(10), load, ttl=60, flight=Flight())

    async def request(number: int) -> str | object:
        span_context = SpanContext(trace_id=7, span_id=number, is_remote=False, trace_flags=TraceFlags.get_default())
        with trace.use_span(NonRecordingSpan(span_context)):
            asked_by.set(trace.get_current_span().get_span_context())
            return await users.get(7)

    assert await asyncio.gather(*map(request, (1, 2, 3))) == ["value"] * 3
    assert [parent.is_valid for parent in parents] == [False]
    assert [link.context.span_id for link in links] == [1]
