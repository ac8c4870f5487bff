from pathlib import Path

import pytest

from monitor.exchanges.registry import ADAPTERS
from monitor.settings import Settings, SettingsError, load
from tests.paths import ROOT

SECRET = "hunter2-hunter2"  # noqa: S105 - the value that must never show


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine reaches the settings."""
    for name in ("CASCADE_SECRETS_DIR", "CASCADE_CONFIG", "CASCADE_ROLE"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str, name: str = "c.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(file: Path | None = None, **overrides: object) -> list[str]:
    """What loading says is wrong."""
    with pytest.raises(SettingsError) as caught:
        load(file, overrides)
    assert caught.value.exit_status == 2
    assert SECRET not in str(caught.value)
    return list(caught.value.problems)


def test_no_source_gives_the_defaults() -> None:
    """Without a file or variable the settings are the defaults, and every exchange is watched."""
    settings = load()
    assert settings == Settings()
    assert list(settings.enabled_venues) == [venue for venue, adapter in ADAPTERS.items() if not adapter.closed]


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command line beats environment beats secret files beats the file beats the defaults."""
    file = write(tmp_path, "delivery: {port: 1, host: a, max_assets: 11}\nlog: {level: error, format: json}\n")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    write(secrets, "2\n", "cascade_delivery__port")
    write(secrets, "b\n", "cascade_delivery__host")
    write(secrets, "warning\n", "CASCADE_LOG__LEVEL")
    monkeypatch.setenv("CASCADE_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("CASCADE_DELIVERY__PORT", "3")
    monkeypatch.setenv("CASCADE_DELIVERY__HOST", "c")
    settings = load(file, {"delivery": {"port": 4}})
    assert (settings.delivery.port, settings.delivery.host, settings.delivery.max_assets) == (4, "c", 11)
    assert (settings.log.level, settings.log.format) == ("warning", "json")
    assert settings.role == "all"


def test_environment_names_venues_with_underscores_and_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell can set what hangs off a venue, and a list without JSON."""
    monkeypatch.setenv("CASCADE_VENUES__BINANCE_USDM__SYMBOLS", "BTCUSDT, ETHUSDT,")
    monkeypatch.setenv("CASCADE_VENUES__BINANCE_USDM__CHANNELS", "trades,liquidations")
    monkeypatch.setenv("CASCADE_VENUES__OKX__SYMBOLS", "all")
    monkeypatch.setenv("CASCADE_DELIVERY__ASSETS", "BTC,ETH")
    settings = load()
    assert settings.venues["binance-usdm"].symbols == ("BTCUSDT", "ETHUSDT")
    assert settings.venues["binance-usdm"].channels == ("trades", "liquidations")
    assert settings.venues["okx"].symbols == "all"
    assert settings.delivery.assets == ("BTC", "ETH")
    assert list(settings.venues) == ["binance-usdm", "okx"]


def test_environment_merges_into_the_files_venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key of one venue can be overridden without repeating the others."""
    file = write(tmp_path, "venues:\n  bybit: {symbols: [BTCUSDT], ws_url: 'ws://127.0.0.1:1/x'}\n  okx:\n")
    monkeypatch.setenv("CASCADE_VENUES__BYBIT__SYMBOLS", "ETHUSDT")
    settings = load(file)
    assert settings.venues["bybit"].symbols == ("ETHUSDT",)
    assert settings.venues["bybit"].ws_url == "ws://127.0.0.1:1/x"
    assert settings.venues["okx"].symbols == "all"


@pytest.mark.parametrize("text", ["", "bus:\nlog:\n", "# only a comment\n"])
def test_empty_file_and_empty_sections_are_the_defaults(tmp_path: Path, text: str) -> None:
    """A section whose keys are all commented out is no error."""
    assert load(write(tmp_path, text)) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bus: {knd: memory}", "bus.knd: unknown key; did you mean bus.kind?"),
        ("port: 1", "port: unknown key; did you mean delivery.port?"),
        ("bus: {kafka: {passwort: hunter2-hunter2}}", "did you mean bus.kafka.password?"),
        ("venues: {okx: {chanels: [trades]}}", "venues.okx.chanels: unknown key; did you mean venues.okx.channels?"),
        ("log: {xyzzy: 1}", "log.xyzzy: unknown key; there are level, format"),
        ("detector: {phases: {building_scor: 1}}", "did you mean detector.phases.building_score?"),
        ("1: 2", "1: unknown key; there are role, "),
    ],
)
def test_unknown_key_names_file_key_and_nearest(tmp_path: Path, text: str, expected: str) -> None:
    """A mistyped key is refused with the file, its path and the nearest valid one."""
    file = write(tmp_path, text)
    (problem,) = refusal(file)
    assert problem.startswith(f"{file}: ")
    assert expected in problem


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("delivery: {port: 70000}", "delivery.port", "should be less than or equal to 65535. Meaning: TCP port of"),
        ("bus: {kind: hunter2-hunter2}", "bus.kind", "should be 'memory' or 'kafka'. Meaning: "),
        ("bus: {kafka: hunter2-hunter2}", "bus.kafka", "should be a valid dictionary"),
        ("bus: {kafka: {password: [hunter2-hunter2]}}", "bus.kafka.password", "should be a valid string"),
        ("venues: {okx: {symbols: []}}", "venues.okx.symbols", "the list is empty"),
        ("venues: {okx: {channels: [orders]}}", "venues.okx.channels", "should be 'liquidations', "),
        ("venues: {okx: {ws_url: 'http://x'}}", "venues.okx.ws_url", "should match pattern"),
        ("venues: {okx: {symbols: 7}}", "venues.okx.symbols", "should be "),
        ("venues: {bibit: {}}", "venues", "unknown venue 'bibit': did you mean 'bybit'?"),
        ("venues: [bybit]", "venues", "should be a valid dictionary"),
    ],
)
def test_bad_value_names_file_key_problem_and_meaning(tmp_path: Path, text: str, key: str, expected: str) -> None:
    """A value that does not fit is refused with the file, its key, what is wrong and what the key is for."""
    file = write(tmp_path, text)
    problems = refusal(file)
    assert all(problem.startswith(f"{file}: {key}: ") for problem in problems), problems
    assert any(expected in problem for problem in problems), problems


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    """Whoever mends the file learns everything in one go."""
    assert len(refusal(write(tmp_path, "log: {level: 1, format: 2}\nbus: {knd: 1}"))) == 3


def test_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value from the environment is blamed on its variable."""
    monkeypatch.setenv("CASCADE_DELIVERY__PORT", SECRET)
    (problem,) = refusal()
    assert problem.startswith("environment: CASCADE_DELIVERY__PORT: should be a valid integer")


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("CASCADE_DELIVERY__PRT", "did you mean delivery.port?"), ("CASCADE_DELIVRY__PORT", "did you mean delivery?")],
)
def test_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, expected: str) -> None:
    """A mistyped variable is no silent default."""
    monkeypatch.setenv(variable, SECRET)
    (problem,) = refusal()
    assert variable in problem
    assert expected in problem


def test_variables_that_are_not_ours_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets such variables for a service of the name."""
    monkeypatch.setenv("CASCADE_MONITOR_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("CASCADE_PORT", "tcp://10.0.0.1:9108")
    assert load() == Settings()


def test_section_in_a_variable_must_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole section can be given as JSON; anything else is refused without its value."""
    monkeypatch.setenv("CASCADE_BUS", SECRET)
    (problem,) = refusal()
    assert problem.startswith("environment: ")
    assert "JSON" in problem
    monkeypatch.setenv("CASCADE_BUS", '{"memory": {"high_water": 5000}}')
    assert load().bus.memory.high_water == 5000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1", "c.yaml:1:6: not YAML: expected ',' or ']'"),
        (b"- 1\n", "c.yaml: holds a list instead of a mapping"),
        (b"a: \xff", "c.yaml: cannot be read: it is not UTF-8 text"),
        (b"a: \x01", "c.yaml: not YAML"),
    ],
)
def test_unreadable_file_says_where(tmp_path: Path, content: bytes, expected: str) -> None:
    """What is no YAML mapping is refused with the place."""
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    (problem,) = refusal(file)
    assert expected in problem


def test_missing_file_says_so(tmp_path: Path) -> None:
    """A file that is not there is named."""
    (problem,) = refusal(tmp_path / "none.yaml")
    assert "none.yaml: No such file or directory; name another file with --config" in problem


SASL = "bus: {kind: kafka, kafka: {security_protocol: SASL_SSL, username: u, password_file: %s}}"


def test_password_file_fills_the_secret_and_nothing_shows_it(tmp_path: Path) -> None:
    """The password is read from the file without its line end, and neither repr nor dump shows it."""
    secret = write(tmp_path, f"{SECRET}\r\n", "password")
    kafka = load(write(tmp_path, SASL % secret)).bus.kafka
    assert kafka.password is not None
    assert kafka.password.get_secret_value() == SECRET
    assert SECRET not in repr(kafka)
    assert SECRET not in kafka.model_dump_json()


def test_given_password_beats_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both are set the value wins; the file is not even read."""
    monkeypatch.setenv("CASCADE_BUS__KAFKA__PASSWORD", SECRET)
    kafka = load(write(tmp_path, SASL % (tmp_path / "none"))).bus.kafka
    assert kafka.password is not None
    assert kafka.password.get_secret_value() == SECRET


def test_unreadable_password_file_is_named(tmp_path: Path) -> None:
    """A secret file that is missing stops the start with the key that names it."""
    (problem,) = refusal(write(tmp_path, SASL % (tmp_path / "none")))
    assert "bus.kafka.password_file: cannot be read" in problem
    assert problem.endswith("create it or correct the path")


@pytest.mark.parametrize(("kafka", "needed"), [("", "username"), (", username: u", "password")])
def test_sasl_without_login_is_refused(tmp_path: Path, kafka: str, needed: str) -> None:
    """SASL needs a name and a password."""
    (problem,) = refusal(write(tmp_path, f"bus: {{kafka: {{security_protocol: SASL_PLAINTEXT{kafka}}}}}"))
    assert f"bus.kafka: SASL_PLAINTEXT needs a {needed}" in problem


def test_secrets_folder_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mistyped folder is no folder without secrets."""
    monkeypatch.setenv("CASCADE_SECRETS_DIR", str(tmp_path / "none"))
    (problem,) = refusal()
    assert problem.startswith("CASCADE_SECRETS_DIR: ")


def test_secret_file_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong value in a secret file is blamed on the folder and key, without the value."""
    write(tmp_path, SECRET, "cascade_delivery__port")
    monkeypatch.setenv("CASCADE_SECRETS_DIR", str(tmp_path))
    (problem,) = refusal()
    assert problem.startswith(f"secret files in {tmp_path}: delivery.port: ")


def test_roles_that_meet_on_kafka_need_it() -> None:
    """A role of several processes is refused on the bus of one."""
    (problem,) = refusal(role="detector")
    assert problem == "settings: role detector meets the others on Kafka: set bus.kind to kafka, or role to all"
    assert load(None, {"role": "detector", "bus": {"kind": "kafka"}, "venues": {}}).role == "detector"


def test_no_enabled_venue_is_refused(tmp_path: Path) -> None:
    """A monitor that watches nothing does not start."""
    (problem,) = refusal(write(tmp_path, "venues: {bybit: {enabled: false}}"))
    assert "no venue is enabled" in problem


@pytest.mark.parametrize("name", ["live.yaml", "example.yaml"])
def test_committed_files_load(name: str) -> None:
    """The configurations in the repository are valid and watch the exchanges that they name."""
    settings = load(ROOT / "configs" / name)
    assert {"binance-usdm", "bybit", "okx"} <= set(settings.enabled_venues)
