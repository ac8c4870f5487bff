from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.main import cli
from monitor.lab.bench import decode, replay
from monitor.lab.bench.frames import generate


def test_prints_a_table_for_people() -> None:
    """The decode row names our adapters, the reference and what was measured."""
    result = CliRunner().invoke(cli, ["bench", "decode", "--frames", "200", "--rounds", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "orjson.loads" in result.output
    assert "200 frames" in result.output


def test_prints_one_json_object_for_programs() -> None:
    """Rates by round and median ratios can be read back."""
    arguments = ["bench", "decode", "--frames", "200", "--rounds", "2", "--json"]
    answer = json.loads(CliRunner().invoke(cli, arguments, catch_exceptions=False).output)
    rows = {row["name"]: row for row in answer["groups"][0]["rows"]}
    assert len(rows[decode.OURS]["rates"]) == 2
    assert rows[decode.ORJSON]["ratios"][decode.ORJSON] == 1.0


def test_refuses_a_part_that_does_not_exist() -> None:
    """A misspelt part is an error of use."""
    assert CliRunner().invoke(cli, ["bench", "windoes"]).exit_code == 2


def test_replays_every_event_of_the_file(tmp_path: Path) -> None:
    """The replay row counts what the whole process read: all that the adapters made of the frames."""
    frames = list(generate(300))
    group = replay.group(frames, 1, tmp_path)
    assert [row.name for row in group.rows] == [replay.ORJSON, replay.REPLAY]
    assert replay.run_replay(tmp_path / "events.jsonl") == sum(frame.events for frame in frames)


def test_frames_that_are_not_read_are_no_measurement() -> None:
    """A rate over frames that the adapters reject would flatter: it is refused."""
    frames = [frame._replace(data=b"{}") for frame in generate(3)]
    with pytest.raises(RuntimeError, match="the adapters made"):
        decode.group(frames, 1)


@pytest.mark.deep("measures two Kafka clients in processes of their own; the other rows run every day")
@pytest.mark.kafka
def test_measures_kafka_beside_the_plain_client(kafka_bootstrap: str) -> None:
    """Every row publishes or reads each record."""
    arguments = ["bench", "kafka", "--kafka", kafka_bootstrap, "--frames", "200", "--rounds", "1", "--json"]
    groups = json.loads(CliRunner().invoke(cli, arguments, catch_exceptions=False).stdout)["groups"]
    assert [group["title"].split(",")[0] for group in groups] == ["publish to Kafka"] * 2 + ["consume from Kafka"]
    assert all(row["rates"][0] > 0 for group in groups for row in group["rows"])


def test_leaves_kafka_out_without_a_broker() -> None:
    """One line names what is left out without a broker; the rest is measured."""
    result = CliRunner().invoke(cli, ["bench", "kafka", "latency", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "--kafka HOST:PORT" in result.stderr
    assert json.loads(result.stdout)["groups"] == []
