"""A plug-in of pytest, `-p tests.support.on_uvloop`: every loop on real time is one of uvloop."""

import asyncio

import uvloop

__all__: list[str] = []

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
