"""Configuration: typed, complete, strict."""

from __future__ import annotations

import tomllib
import typing
from pathlib import Path

import pytest

from liveserver.bucket import bucket_of
from liveserver.config import Config, env_name, flatten, keys, load, to_env
from liveserver.config.checks import ConfigError
from liveserver.config.units import Duration, Size
from liveserver.config.values import CONVERTERS
from liveserver.core.permissions import FORCED, Role
from recorder.options import arguments

SAMPLE = Path(__file__).parents[2] / "liveserver.example.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "liveserver.toml"
    path.write_text(text, encoding="utf-8")
    return path


class TestSampleFile:
    def test_it_lists_every_key_and_no_other(self) -> None:
        document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
        listed = []
        for name, value in document.items():
            listed += [f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [name]
        assert listed == [key for key, _ in keys()]

    def test_its_values_are_the_defaults(self) -> None:
        assert flatten(load(SAMPLE)) == flatten(Config())


class TestWhereAValueComesFrom:
    def test_nothing_given_is_the_defaults(self) -> None:
        assert load(env={}) == Config()

    def test_the_environment_wins_over_the_file_and_flags_over_both(self, tmp_path: Path) -> None:
        file = write(tmp_path, "[http]\nport = 1111\nhost = '10.0.0.1'\n[rtc]\nport = 1\n")
        found = load(
            file,
            env={"LIVESERVER_HTTP_PORT": "2222", "LIVESERVER_RTC_PORT": "2"},
            flags={"http.port": "3333"},
        )
        assert (found.http.host, found.rtc.port, found.http.port) == ("10.0.0.1", 2, 3333)

    def test_the_file_may_be_named_in_the_environment(self, tmp_path: Path) -> None:
        file = write(tmp_path, "data_dir = 'elsewhere'")
        assert load(env={"LIVESERVER_CONFIG": str(file)}).data_dir == Path("elsewhere")

    def test_other_programs_variables_are_left_alone(self) -> None:
        assert load(env={"PATH": "/bin", "LIVE": "1"}) == Config()

    def test_the_advertised_addresses_are_a_comma_list(self) -> None:
        assert load(env={"LIVESERVER_RTC_ADVERTISE": "127.0.0.1, ::1"}).rtc.advertise == ("127.0.0.1", "::1")

    def test_a_configuration_survives_the_way_to_a_child(self) -> None:
        changed = load(
            env={
                "LIVESERVER_RTC_ADVERTISE": "10.0.0.1,10.0.0.2",
                "LIVESERVER_TEST_HOOKS": "true",
                "LIVESERVER_SOCKET_STALL": "1500ms",
                "LIVESERVER_STORE_URL": "postgresql://u:p@h/d",
            }
        )
        assert load(env=to_env(changed)) == changed

    def test_no_two_keys_share_a_variable(self) -> None:
        names = [env_name(key) for key, _ in keys()]
        assert len(set(names)) == len(names)


class TestABucket:
    ENV: typing.ClassVar = {
        "LIVESERVER_OBJECTS_S3_BUCKET": "class",
        "LIVESERVER_OBJECTS_S3_ENDPOINT": "https://s3.example",
        "LIVESERVER_OBJECTS_S3_ACCESS_KEY": "AK",
    }

    def test_has_its_secret_from_a_file(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("hidden\n")
        loaded = load(env={**self.ENV, "LIVESERVER_OBJECTS_S3_SECRET_KEY_FILE": str(secret)})
        settings = bucket_of(loaded.objects)
        assert settings is not None
        assert (settings.bucket, settings.secret_key) == ("class", "hidden")
        assert "hidden" not in repr(settings)
        options = arguments(settings)
        assert "hidden" not in " ".join(options)

    def test_is_none_on_the_disk(self) -> None:
        assert bucket_of(Config().objects) is None

    def test_names_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        loaded = load(env={**self.ENV, "LIVESERVER_OBJECTS_S3_SECRET_KEY_FILE": str(tmp_path / "none")})
        with pytest.raises(ConfigError, match="s3_secret_key_file"):
            bucket_of(loaded.objects)

    @pytest.mark.parametrize(
        ("variable", "value", "named"),
        [
            ("ENDPOINT", "s3.example", "s3_endpoint"),
            ("PREFIX", "no-slash", "s3_prefix"),
            ("PREFIX", "../x/", "s3_prefix"),
            ("SECRET_KEY", "", "s3_access_key"),
        ],
    )
    def test_is_refused_half_described(self, variable: str, value: str, named: str) -> None:
        given = {**self.ENV, "LIVESERVER_OBJECTS_S3_SECRET_KEY": "x"}
        with pytest.raises(ConfigError, match=named):
            load(env={**given, f"LIVESERVER_OBJECTS_S3_{variable}": value})


class TestAWrongKeyStopsTheStart:
    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("[http]\nprot = 1", "http.prot"),
            ("dta_dir = 'x'", "dta_dir"),
            ("[nothing]\nport = 1", "nothing"),
            ("http = 3", "http"),
            ("[http.port]\nx = 1", "http.port"),
        ],
    )
    def test_in_the_file_it_is_named_in_full(self, tmp_path: Path, text: str, named: str) -> None:
        with pytest.raises(ConfigError, match=rf"\b{named}\b"):
            load(write(tmp_path, text))

    def test_the_nearest_known_key_is_suggested(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"did you mean http\.port\?"):
            load(write(tmp_path, "[http]\nprot = 1"))

    def test_in_the_environment_it_is_named_in_full(self) -> None:
        with pytest.raises(ConfigError, match="LIVESERVER_HTTP_PROT"):
            load(env={"LIVESERVER_HTTP_PROT": "1"})


class TestAWrongValueIsNamed:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("LIVESERVER_HTTP_PORT", "65536"),
            ("LIVESERVER_HTTP_PORT", "-1"),
            ("LIVESERVER_HTTP_PORT", "http"),
            ("LIVESERVER_HTTP_HEADER_TIMEOUT", "5"),
            ("LIVESERVER_HTTP_HEADER_TIMEOUT", "5 s"),
            ("LIVESERVER_HTTP_MAX_BODY", "64"),
            ("LIVESERVER_TEST_HOOKS", "yes"),
            ("LIVESERVER_LOG_LEVEL", "loud"),
            ("LIVESERVER_RTC_ADVERTISE", "127.0.0.1,nowhere"),
            ("LIVESERVER_RTC_HOST", "0.0.0.0\n"),
            ("LIVESERVER_HTTP_BASE_URL", "class.example"),
            ("LIVESERVER_HTTP_BASE_URL", "https://class.example/sub"),
            ("LIVESERVER_STORE_URL", "mysql://h/d"),
        ],
    )
    def test_in_the_environment(self, variable: str, value: str) -> None:
        key = next(key for key, _ in keys() if env_name(key) == variable)
        with pytest.raises(ConfigError, match=f"{variable}|{key}"):
            load(env={variable: value})

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("[http]\nport = true", "http.port"),
            ("[http]\nport = 1.5", "http.port"),
            ("[http]\nheader_timeout = 5", "http.header_timeout"),
            ("[rtc]\nadvertise = [1]", "rtc.advertise"),
            ("[rtc]\nadvertise = 1", "rtc.advertise"),
            ("data_dir = 3", "data_dir"),
            ("test_hooks = 1", "test_hooks"),
        ],
    )
    def test_in_the_file(self, tmp_path: Path, text: str, key: str) -> None:
        with pytest.raises(ConfigError, match=key):
            load(write(tmp_path, text))

    def test_a_certificate_without_its_key(self) -> None:
        with pytest.raises(ConfigError, match="tls_key"):
            load(env={"LIVESERVER_HTTP_TLS_CERT": "cert.pem"})

    def test_a_file_that_is_absent_or_not_toml(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot read"):
            load(tmp_path / "absent.toml")
        with pytest.raises(ConfigError, match="not valid TOML"):
            load(write(tmp_path, "= 3"))


class TestDurationsAndSizes:
    @pytest.mark.parametrize(
        ("text", "ms"), [("250ms", 250), ("5s", 5_000), ("10m", 600_000), ("12h", 43_200_000), ("0s", 0)]
    )
    def test_a_duration_is_whole_milliseconds(self, text: str, ms: int) -> None:
        assert Duration.parse(text) == Duration(ms)
        assert Duration.parse(str(Duration(ms))) == Duration(ms)

    @pytest.mark.parametrize(
        ("text", "size"), [("512B", 512), ("64KiB", 65_536), ("500kB", 500_000), ("8MiB", 2**23)]
    )
    def test_a_size_is_bytes(self, text: str, size: int) -> None:
        assert Size.parse(text) == Size(size)
        assert Size.parse(str(Size(size))) == Size(size)


def test_every_annotation_has_a_converter() -> None:
    assert {str(definition.type) for _, definition in keys()} <= set(CONVERTERS)


class TestRecordings:
    def test_versions_are_a_list_of_known_names(self) -> None:
        assert load(env={"LIVESERVER_RECORDER_VERSIONS": "web,archive"}).recorder.versions == (
            "web",
            "archive",
        )
        assert load(env={"LIVESERVER_RECORDER_VERSIONS": ""}).recorder.versions == ()
        for wrong in ("hd", "web,web"):
            with pytest.raises(ConfigError, match="a list out of web, archive, parts"):
                load(env={"LIVESERVER_RECORDER_VERSIONS": wrong})

    def test_the_longest_chapter_is_twice_the_shortest(self) -> None:
        with pytest.raises(ConfigError, match="chapter_most"):
            load(env={"LIVESERVER_RECORDER_CHAPTER_MOST": "9m"})


class TestTheSecondFactor:
    @pytest.mark.parametrize(
        ("given", "address", "roles"),
        [
            ("auto", "https://class.example", FORCED),
            ("auto", "https://192.0.2.7", frozenset()),  # passkeys are bound to names
            ("auto", "https://[2001:db8::1]", frozenset()),
            ("auto", "http://class.example", frozenset()),
            ("auto", "", frozenset()),
            ("auto,instructor", "https://class.example", FORCED | {Role.INSTRUCTOR}),
            ("system", "", frozenset({Role.SYSTEM})),
            ("", "https://class.example", frozenset()),
        ],
    )
    def test_is_taken_of_roles_where_it_can_be_had(
        self, given: str, address: str, roles: frozenset[Role]
    ) -> None:
        env = {"LIVESERVER_ACCOUNTS_SECOND_FACTOR": given, "LIVESERVER_HTTP_BASE_URL": address}
        assert load(env=env).second_factor == roles

    def test_of_a_role_nobody_has_stops_the_start(self) -> None:
        with pytest.raises(ConfigError, match="a list out of auto, admin"):
            load(env={"LIVESERVER_ACCOUNTS_SECOND_FACTOR": "learner"})
