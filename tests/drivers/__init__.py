"""Real parts the tests drive from outside: the server as a process, Chromium, Firefox, GStreamer."""
