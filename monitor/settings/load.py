"""Reads the settings and reports every fault in them as one line of text.

In order of precedence, the sources are: command line, environment (``CASCADE_BUS__KIND``), secret files
(``cascade_bus__kafka__password`` in the folder that ``CASCADE_SECRETS_DIR`` names), the YAML file, the defaults.
A ``*_file`` key fills the secret of the same name, unless that is given.

No message contains a value, because a misspelt key may hold a secret; source and key name the place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, NestedSecretsSettingsSource
from pydantic_settings import SettingsError as SourceError

from monitor.model.errors import OperatorError
from monitor.settings.holders import read_holders
from monitor.settings.keys import keys, resolve, section_of
from monitor.settings.tree import ENV_DELIMITER, ENV_PREFIX, Settings

Tree = dict[str, Any]

SECRETS_DIR: Final = "CASCADE_SECRETS_DIR"
_ENVIRONMENT: Final = "environment"


class SettingsError(OperatorError):
    """Reports settings that cannot be used; each of ``problems`` names source, key, fault and remedy."""

    exit_status = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _Source(NamedTuple):
    name: str
    tree: Tree
    path: Path | None = None


def load(file: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read all sources and return the settings.

    Args:
        file: YAML file, None for none.
        overrides: settings of the command line, as a tree like the file's.

    Raises:
        SettingsError: a source cannot be read, a key is unknown or a value is wrong.
    """
    sources = [
        _Source("command line", dict(overrides or {})),
        _environment(),
        _secrets(os.environ.get(SECRETS_DIR)),
        *([_file(file)] if file is not None else []),
    ]
    merged: Tree = {}
    for source in reversed(sources):
        merged = _merge(merged, source.tree)
    if problems := _read_secret_files(merged, sources) + _read_holders(merged, sources):
        raise SettingsError(problems)
    try:
        return Settings(**merged)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise SettingsError(list(dict.fromkeys(_problem(detail, sources) for detail in details))) from None


def _environment() -> _Source:
    for variable in os.environ:
        path = variable.removeprefix(ENV_PREFIX).lower().split(ENV_DELIMITER)
        # Names without the delimiter may be of others: Kubernetes sets CASCADE_..._PORT for a service of that name.
        if variable.upper().startswith(ENV_PREFIX) and len(path) > 1:
            key, section = resolve(Settings, path)
            if section is not None and (key is None or len(key.path) < len(path)):
                raise SettingsError([f"{_ENVIRONMENT}: {variable}: {_unknown(path, key and key.path, section)}"])
    try:
        return _Source(_ENVIRONMENT, _canonical(EnvSettingsSource(Settings)(), Settings))
    except SourceError as error:
        raise SettingsError([f"{_ENVIRONMENT}: {error}; a list or mapping is written as JSON"]) from None


def _secrets(folder: str | None) -> _Source:
    name = f"secret files in {folder}"
    if not folder:
        return _Source(name, {})
    try:
        source = NestedSecretsSettingsSource(Settings, secrets_dir=folder, secrets_dir_missing="error")  # type: ignore[arg-type]
        return _Source(name, _canonical(source(), Settings))
    except (SourceError, OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{SECRETS_DIR}: {_words(error)}; correct it or unset it"]) from None


def _file(path: Path) -> _Source:
    try:
        with path.open(encoding="utf-8") as stream:
            tree = yaml.safe_load(stream)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read: {_words(error)}; name another file with --config"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not YAML"
        raise SettingsError([f"{where}: not YAML: {problem}; mind indentation and quotes"]) from None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise SettingsError([f"{path}: holds a {type(tree).__name__} instead of a mapping; write `key: value` lines"])
    return _Source(str(path), _canonical(tree, Settings), path)


def _canonical(tree: Mapping[Any, Any], model: type[BaseModel]) -> Tree:
    """Return the tree with keys as strings, empty sections as mappings, and names of venues with dashes."""
    result: Tree = {}
    for key, value in tree.items():
        name = str(key)
        field = model.model_fields.get(name)
        section, by_name = section_of(field.annotation) if field else (None, False)
        if section is not None and by_name and isinstance(value, dict):
            value = {str(inner).replace("_", "-"): _section(held, section) for inner, held in value.items()}
        elif section is not None and not by_name:
            value = _section(value, section)
        result[name] = value
    return result


def _section(value: object, section: type[BaseModel]) -> object:
    if value is None:
        return {}
    return _canonical(value, section) if isinstance(value, dict) else value


def _merge(under: Tree, over: Tree) -> Tree:
    """Return both trees as one: mappings are merged, all other values replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _read_secret_files(tree: Tree, sources: Sequence[_Source]) -> list[str]:
    """Fill secrets in ``tree`` from the files that their ``*_file`` keys name; return the problems."""
    problems = []
    for key in keys(Settings):
        *sections, name = key.path
        holder = _at(tree, sections)
        file = holder.get(f"{name}_file") if key.secret and isinstance(holder, dict) else None
        if not isinstance(file, str) or holder.get(name) is not None:
            continue
        try:
            holder[name] = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            where = _origin((*sections, f"{name}_file"), sources)
            problems.append(f"{where}: cannot be read: {_words(error)}; create it or correct the path")
    return problems


def _read_holders(tree: Tree, sources: Sequence[_Source]) -> list[str]:
    """Add the holdings of the file that ``detector.holders_file`` names; return the problems."""
    path = ("detector", "holders_file")
    detector = tree.get("detector")
    named = _at(tree, path)
    if not isinstance(detector, dict) or not isinstance(named, str):
        return []
    named_by = next(source for source in sources if _at(source.tree, path) is not _MISSING)
    base = named_by.path.parent if named_by.path else Path()
    try:
        found = read_holders(base / named)
    except ValueError as error:
        return [f"{_origin(path, sources)}: {line}" for line in str(error).splitlines()]
    detector["holders"] = [*(detector.get("holders") or []), *found]
    return []


def _problem(detail: ErrorDetails, sources: Sequence[_Source]) -> str:
    """Return the line of one validation error: source, key, problem, remedy."""
    location = tuple(str(part) for part in detail["loc"])
    key, section = resolve(Settings, location)
    path = key.path if key else ()
    if detail["type"] == "extra_forbidden" and section is not None:
        return f"{_origin(location, sources)}: {_unknown(location, path, section)}"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "value_error" or key is None:
        return f"{_origin(path, sources)}: {message}"
    return f"{_origin(path, sources)}: {message[0].lower()}{message[1:]}. Meaning: {key.field.description}"


def _unknown(location: Sequence[str], path: Sequence[str] | None, section: type[BaseModel]) -> str:
    """Return the remedy for an unknown key: the nearest known key, here or elsewhere."""
    here = tuple(path or ())
    wrong = location[len(here)]
    if near := get_close_matches(wrong, section.model_fields, 1):
        return f"unknown key; did you mean {'.'.join((*here, near[0]))}?"
    elsewhere = {key.path[-1]: key.dotted for key in keys(Settings)}
    if near := get_close_matches(wrong, elsewhere, 1, 0.8):
        return f"unknown key; did you mean {elsewhere[near[0]]}?"
    return f"unknown key; there are {', '.join(section.model_fields)}"


def _origin(path: Sequence[str], sources: Sequence[_Source]) -> str:
    """Return source and key, such as ``live.yaml: bus.kind`` or ``environment: CASCADE_BUS__KIND``."""
    for source in sources:
        if path and _at(source.tree, path) is not _MISSING:
            if source.name == _ENVIRONMENT:
                return f"{source.name}: {ENV_PREFIX}{ENV_DELIMITER.join(path).upper().replace('-', '_')}"
            return f"{source.name}: {'.'.join(path)}"
    return ".".join(path) or "settings"


_MISSING: Final = object()


def _at(tree: Any, path: Sequence[str]) -> Any:
    """Return the value at ``path`` of ``tree``, ``_MISSING`` if there is none."""
    for part in path:
        tree = tree.get(part, _MISSING) if isinstance(tree, dict) else _MISSING
    return tree


def _words(error: Exception) -> str:
    """Return an error's text without Python's formatting."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return str(error)
