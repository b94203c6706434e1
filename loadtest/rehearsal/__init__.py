"""The rehearsal of a large class with Locust: `locust -f loadtest/locustfile.py` (loadtest/README.md)."""
