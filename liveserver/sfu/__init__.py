"""Selective forwarding: asyncio over `liveserver.rtp`. Nothing here decodes or encodes media."""
