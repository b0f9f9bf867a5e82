"""The files that a manifest names: what it extends, and its fragments."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from dagster_pgflow.dsl.manifest.edn_text import read_edn
from dagster_pgflow.dsl.manifest.forms import Form, FormRefused, MapForm, form_of, shown
from dagster_pgflow.dsl.manifest.placed import read_placed_json, read_placed_yaml
from dagster_pgflow.dsl.reading.files import text_of_file
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.json_values.limits import problem_of

Loaded: TypeAlias = Callable[[str], object]
"""What gives the text, or the object, that a name stands for; it raises `LookupError` for none."""

EDN_SUFFIX: Final = ".edn"
YAML_SUFFIXES: Final = (".yaml", ".yml")
JSON_SUFFIX: Final = ".json"
_EDN: Final = re.compile(r"[\s,]*(;|#_|#:|[{\[][\s,{]*(;|:[^\s:]))")
FORM_SUFFIXES: Final = (EDN_SUFFIX, *YAML_SUFFIXES, JSON_SUFFIX)


class NotFound(Exception):
    """Raised where a name stands for nothing that can be read; the message is one sentence."""


class Sources:
    """Where the files of one manifest are found: in a folder, or by what a caller gives.

    Args:
        folder: The folder of the manifest; nothing outside it is read.
        load: What gives a text or an object by its name, in place of a folder.
    """

    def __init__(self, folder: Path | None = None, load: Loaded | None = None) -> None:
        self._folder = folder
        self._load = load
        self._forms: dict[str, MapForm] = {}

    def form(self, name: str) -> MapForm:
        """Return what a name stands for.

        Raises:
            NotFound: It stands for nothing, or for something that cannot be read.
        """
        if name in self._forms:
            return self._forms[name]
        try:
            load = self._load
            form = self._of_file(name) if load is None else self._given(name, load)
        except Unreadable as reason:
            place = "" if reason.place in ("$", "") else f"{reason.place}: "
            raise NotFound(f"{name} cannot be read: {place}{reason}") from None
        if not isinstance(form, MapForm):
            raise NotFound(f"{name} holds no object; got {shown(form)}.")
        self._forms[name] = form
        return form

    @staticmethod
    def _given(name: str, load: Loaded) -> Form:
        try:
            given = load(name)
        except LookupError:
            raise NotFound(f"There is no {name} among what was given to read from.") from None
        if isinstance(given, str):
            return only_form(forms_of_text(given, Path(name).suffix.lower(), name), name)
        beyond = problem_of(given)
        if beyond is not None:
            raise NotFound(f"{name} is refused: {beyond}.")
        try:
            return form_of(given)
        except FormRefused as reason:
            raise NotFound(f"{name} is refused: {reason}") from None

    def _of_file(self, name: str) -> Form:
        if self._folder is None:
            raise NotFound(
                f"{name} is a file, and nothing says which folder it is in; give the folder."
            )
        path = self._inside(self._folder, name)
        if path.suffix.lower() not in FORM_SUFFIXES:
            known = ", ".join(FORM_SUFFIXES)
            raise NotFound(f"{name} is no manifest; its name must end in one of: {known}.")
        try:
            text = text_of_file(path)
        except ConfigurationError as error:
            raise NotFound(str(error)) from None
        return only_form(forms_of_text(text, path.suffix.lower(), name), name)

    def _inside(self, folder: Path, name: str) -> Path:
        """Return a path, unless it leads out of a folder: by itself, or over a link."""
        if "\x00" in name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise NotFound(
                f"{name!r} leads out of the folder of the manifest; write a path below it."
            )
        root = folder.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise NotFound(f"{name} is a link out of the folder of the manifest; copy the file.")
        return path


def forms_of_text(text: str, suffix: str, file: str = "") -> list[Form]:
    """Return the forms of a text.

    Args:
        suffix: That of its file, which says what language it is; without one, its begin does.
        file: What its places call it.

    Raises:
        Unreadable: It is not of that language, or is out of bounds.
    """
    match suffix:
        case ".edn":
            return read_edn(text, file)
        case ".json":
            return read_placed_json(text, file)
        case ".yaml" | ".yml":
            return read_placed_yaml(text, file)
        case _:
            return forms_of_any_text(text, file)


def forms_of_any_text(text: str, file: str = "") -> list[Form]:
    """Return the forms of a text of which nobody says what language it is.

    Raises:
        Unreadable: It is none of them; the sentence is about that which it looks like.
    """
    if looks_like_edn(text):
        return read_edn(text, file)
    try:
        return read_placed_json(text, file)
    except Unreadable as no_json:
        try:
            return read_placed_yaml(text, file)
        except Unreadable as no_yaml:
            raise (no_json if text.lstrip()[:1] in ("{", "[") else no_yaml) from None


def looks_like_edn(text: str) -> bool:
    """Return whether a text begins as a manifest in EDN does, and no JSON and no YAML.

    >>> looks_like_edn("; ours"), looks_like_edn("{ :a 1}"), looks_like_edn('{"a": 1}')
    (True, True, False)
    """
    return _EDN.match(text.removeprefix("\ufeff")) is not None


def only_form(forms: list[Form], name: str) -> Form:
    """Return the one form of a text.

    Raises:
        Unreadable: There is none, or there are several.
    """
    if len(forms) == 1:
        return forms[0]
    count = "nothing" if not forms else f"{len(forms)} things"
    raise Unreadable("$", f"{name} holds {count}; write one object.")
