"""`/screening/models`: for those who see policies, every card with the state of its weights."""

from __future__ import annotations

from tests.drivers.server import Server


def test_each_model_is_named_with_the_hash_of_its_weights(server: Server) -> None:
    reply = server.api("GET", "/screening/models", role="moderator")
    assert reply.status == 200
    models = {model["name"]: model for model in reply.json["items"]}
    assert models["open-nsfw"]["licence"] == "BSD-2-Clause (weights), MIT (package)"
    assert all(len(model["sha256"]) == 64 for model in models.values())
    assert {model["state"] for model in models.values()} <= {"present", "missing", "damaged"}


def test_others_may_not_ask(server: Server) -> None:
    for role in ("learner", "instructor"):
        assert server.api("GET", "/screening/models", role=role).status == 403
