"""The HTTP edge: pages, REST, WHIP, WHEP, WebSockets, health and diagnostics on one TCP port."""
