"""Light WebRTC viewers, a thousand and more to a core: joins, SRTP, reports, repair, and nothing decoded."""
