from pathlib import Path

import pytest
from pydantic import BaseModel

from monitor.cli.generate import configuration_page
from monitor.settings import Settings, load
from monitor.settings.keys import keys, resolve, section_of
from tests.paths import ROOT

REMEDY = "run make generate"


def test_example_file_is_the_generators() -> None:
    """The committed example is what the settings tree makes."""
    assert (ROOT / configuration_page.EXAMPLE).read_text(encoding="utf-8") == configuration_page.example(), REMEDY


def test_reference_page_is_the_generators() -> None:
    """The committed reference is what the settings tree makes."""
    assert (ROOT / configuration_page.REFERENCE).read_text(encoding="utf-8") == configuration_page.reference(), REMEDY


def test_both_files_are_written(tmp_path: Path) -> None:
    """The command that the files name makes them."""
    for folder in ("configs", "docs"):
        (tmp_path / folder).mkdir()
    configuration_page.main(tmp_path)
    assert (tmp_path / configuration_page.EXAMPLE).read_text(encoding="utf-8") == configuration_page.example()
    assert (tmp_path / configuration_page.REFERENCE).read_text(encoding="utf-8") == configuration_page.reference()


def test_example_holds_the_defaults(tmp_path: Path) -> None:
    """Loading the example file changes nothing."""
    path = tmp_path / "example.yaml"
    path.write_text(configuration_page.example(), encoding="utf-8")
    assert load(path) == Settings()


def test_every_key_is_described() -> None:
    """No key is without a description, in the tree and on the page."""
    page = configuration_page.reference()
    for key in keys(Settings):
        assert key.field.description, key.dotted
        if key.section is None:
            assert f"| `{key.dotted}` |" in page


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("bus.kind", "one of `memory`, `kafka`"),
        ("venues.<name>.symbols", "`all`, or list of text"),
        ("delivery.port", "integer, at least 0 and at most 65535"),
        ("bus.kafka.password", "secret, or empty"),
        ("detector.levels", "mapping of text to list of number"),
        ("detector.market.indexes", "mapping of text to one of `falls`, `rises`"),
        (
            "detector.holders",
            "list of mapping with holder, asset, quantity, average_cost_usd, equity_usd, as_of, source",
        ),
    ],
)
def test_types_are_said_in_words(key: str, words: str) -> None:
    """The page says what may stand there."""
    assert f"| `{key}` | {words} |" in configuration_page.reference()


def test_location_resolves_as_far_as_it_is_known() -> None:
    """A path resolves to its longest valid part; what follows is left to the caller."""
    key, section = resolve(Settings, ("venues", "okx", "symbols", 0))
    assert key is not None
    assert (key.path, section) == (("venues", "okx", "symbols"), None)
    key, _ = resolve(Settings, ("venues",))
    assert key is not None
    assert key.path == ("venues",)
    assert resolve(Settings, ("nothing", "here")) == (None, Settings)


def test_section_of_a_plain_mapping_is_none() -> None:
    """A mapping of plain values is a leaf."""
    assert section_of(dict[str, int]) == (None, False)
    assert section_of(dict[str, BaseModel]) == (BaseModel, True)
