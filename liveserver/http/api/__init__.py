"""`/api/v1`, one module per resource; each has its part of the route table."""

PREFIX = "/api/v1"
