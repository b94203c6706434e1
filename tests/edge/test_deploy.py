"""What else is in deploy/: the compose file, what Prometheus alarms about, what Grafana shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.redis import RedisServer
from tests.drivers.server import REPOSITORY, Server, request
from tests.edge.varnish import options

DEPLOY = REPOSITORY / "deploy"
TOOLS = REPOSITORY / "tests/node_modules"
AS_JSON = """
const text = require('fs').readFileSync(0, 'utf8');
console.log(JSON.stringify(require('yaml').parse(text, { merge: true })));
"""
# `latest` and its like name another image tomorrow.
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+(\.\d+){1,2}(-[a-z0-9.]+)?")
METRIC = re.compile(r"\b(?:liveserver|process)_[a-z0-9_]+")


def run(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """A program's end, whatever it was."""
    options = {"capture_output": True, "text": True, "timeout": 60, **more}
    return subprocess.run([str(word) for word in command], check=False, **options)


def prepare(into: Path) -> subprocess.CompletedProcess[str]:
    """`deploy/prepare`."""
    environment = {"PATH": "/usr/bin:/bin", "LECTERN_SECRETS": str(into)}
    return run(DEPLOY / "prepare", "class.example", "192.0.2.10", env=environment)


def parsed(file: Path) -> Any:
    """A YAML file, read by the library that the linter uses."""
    done = run("node", "-e", AS_JSON, input=file.read_text(), cwd=TOOLS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compose() -> Mapping[str, Any]:
    return parsed(DEPLOY / "docker-compose.yml")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `deploy/prepare` writes."""
    into = tmp_path_factory.mktemp("prepared") / "secrets"
    done = prepare(into)
    assert done.returncode == 0, done.stderr
    return into


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What /metrics says of a server with all its parts."""
    redis = RedisServer()
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, LIVESERVER_SCREENING_ENABLED="true", LIVESERVER_BUS_URL=redis.url)
    try:
        server.start()
        return request("GET", f"{server.base_url}/metrics").body.decode()
    finally:
        server.stop()
        redis.stop()


class TestTheComposeFile:
    def test_is_one_and_well_written(self):
        file = DEPLOY / "docker-compose.yml"
        done = run(TOOLS / ".bin/dclint", "--config", DEPLOY / ".dclintrc.yaml", file)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_has_every_part(self, compose):
        parts = {
            "liveserver",
            "redis",
            "postgres",
            "s3",
            "nginx",
            "varnish",
            "coturn",
            "prometheus",
            "grafana",
        }
        assert parts <= set(compose["services"])

    def test_keeps_each_of_them_within_bounds(self, compose):
        for name, service in compose["services"].items():
            assert PINNED.fullmatch(service["image"]), name
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert "no-new-privileges:true" in service["security_opt"], name
            assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
            assert "healthcheck" in service or name in ("liveserver", "bucket"), "theirs is in the image"
            assert not str(service.get("user", "")).startswith("0"), name
            assert "privileged" not in service, name

    def test_starts_varnish_as_a_host_without_it_does(self, compose):
        command = compose["services"]["varnish"]["command"]
        _, *unit = options()
        assert set(unit) - set(command) == {"-j", "unix,user=vcache", "127.0.0.1:6081"}, (
            "containers have jails"
        )
        assert set(command) - set(unit) == {"varnishd", ":6081"}

    def test_shows_people_nginx_and_media_alone(self, compose):
        services = compose["services"].items()
        shown = {name: service["ports"] for name, service in services if "ports" in service}
        assert shown == {
            "grafana": ["127.0.0.1:3000:3000/tcp"],
            "liveserver": ["8082:8082/udp", "8082:8082/tcp"],
            "nginx": ["80:80/tcp", "443:443/tcp"],
        }

    def test_names_files_that_are_there_or_are_prepared(self, compose, prepared):
        named = [each["file"] for each in compose["secrets"].values()]
        for service in compose["services"].values():
            named += [volume.split(":")[0] for volume in service.get("volumes", ())]
            named += [service["env_file"]] if "env_file" in service else []
        for path in (name.removeprefix("./") for name in named if "/" in name):
            below = path.partition("secrets/")[2]
            assert (prepared / below if below else DEPLOY / path).exists(), path

    def test_has_no_secret_in_it(self, prepared):
        text = (DEPLOY / "docker-compose.yml").read_text()
        for file in ("postgres_password", "grafana_password"):
            assert (prepared / file).read_text().strip() not in text
        assert not re.search(r"(PASSWORD|SECRET|KEY): ", text)


class TestWhatIsPrepared:
    def test_is_for_the_owner_s_eyes(self, prepared):
        assert prepared.stat().st_mode & 0o777 == 0o700

    def test_is_a_configuration_that_the_server_takes(self, prepared):
        file = prepared / "liveserver.toml"
        done = run(sys.executable, "-m", "liveserver", "check-config", "--config", file, cwd=REPOSITORY)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_has_the_same_secret_on_both_ends(self, prepared, compose):
        config = tomllib.loads((prepared / "liveserver.toml").read_text())
        relay = (prepared / "turnserver.conf").read_text()
        assert f"\nstatic-auth-secret={config['rtc']['turn_secret']}\n" in relay
        assert f":{(prepared / 'postgres_password').read_text()}@postgres/" in config["store_url"]
        assert config["bus"]["url"].split(":")[2].split("@")[0] in (prepared / "redis.conf").read_text()
        assert config["objects"]["s3_secret_key"] in (prepared / "s3.env").read_text()
        nginx = compose["services"]["nginx"]["networks"]["inside"]["ipv4_address"]
        assert config["accounts"]["proxies"] == [nginx]

    def test_leaves_what_is_there(self, prepared):
        before = (prepared / "liveserver.toml").read_bytes()
        done = prepare(prepared)
        assert (done.returncode, (prepared / "liveserver.toml").read_bytes()) == (1, before)


class TestMonitoring:
    def test_prometheus_takes_its_configuration_and_rules(self):
        if shutil.which("promtool") is None:
            pytest.skip("promtool is not installed (tests/install-debian.sh)")
        for what in (
            ("check", "config", DEPLOY / "prometheus/prometheus.yml"),
            ("test", "rules", Path(__file__).parent / "alerts.yml"),
        ):
            done = run("promtool", *what)
            assert done.returncode == 0, done.stdout + done.stderr

    def test_every_number_that_is_looked_at_is_one_that_the_server_has(self, numbers):
        there = set(METRIC.findall(numbers))
        for file in (DEPLOY / "prometheus/alerts.yml", DEPLOY / "grafana/dashboards/lectern.json"):
            looked_at = set(METRIC.findall(file.read_text()))
            assert looked_at, file
            assert looked_at <= there, f"{file.name}: {sorted(looked_at - there)}"

    def test_grafana_s_dashboard_asks_the_source_that_is_provisioned(self):
        dashboard = json.loads((DEPLOY / "grafana/dashboards/lectern.json").read_text())
        (source,) = parsed(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                assert {target["datasource"]["uid"] for target in panel["targets"]} == {source["uid"]}
                assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
