"""Writes the files of a new project: all of them, or none."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagster_pgflow.errors import ConfigurationError

TEMPLATE: Final = Path(__file__).parent / "template"
ENDING: Final = ".template"
"""So that nothing takes the files for modules or projects of this package."""

NAME_IN_TEMPLATE: Final = "my_project"
DISTRIBUTION_IN_TEMPLATE: Final = "my-project"


@dataclass(frozen=True)
class NewProject:
    """A project that is not there yet.

    Attributes:
        folder: Where it shall be; the folder need not exist.
        name: The name of its package.
    """

    folder: Path
    name: str

    @property
    def files(self) -> Mapping[Path, str]:
        """What each file says, by its path in the folder."""
        sources = sorted(TEMPLATE.rglob(f"*{ENDING}"))
        return {
            Path(self._named(path.relative_to(TEMPLATE).as_posix().removesuffix(ENDING))): (
                self._named(path.read_text(encoding="utf-8"))
            )
            for path in sources
        }

    def write(self) -> list[Path]:
        """Write the files; return their paths in the folder.

        Raises:
            ConfigurationError: Something is in the way; nothing was written then.
        """
        files = self.files
        in_the_way = sorted({str(place) for path in files for place in self._occupied(path)})
        if in_the_way:
            raise ConfigurationError(
                f"{self.folder} has {', '.join(in_the_way)} already, and nothing is overwritten;"
                " name a new folder, or move what is there."
            )
        written: list[Path] = []
        try:
            for path, text in files.items():
                target = self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("x", encoding="utf-8") as file:
                    written.append(target)
                    file.write(text)
        except OSError as error:
            for target in written:
                target.unlink(missing_ok=True)
            raise ConfigurationError(
                f"{error.filename or self.folder} cannot be written ({error.strerror}); nothing of"
                " the project was kept."
            ) from error
        return list(files)

    def _occupied(self, path: Path) -> Iterator[Path]:
        """Yield what stands where a file, or a folder of it, shall be."""
        if os.path.lexists(self.folder / path):
            yield path
        yield from (
            parent
            for parent in path.parents
            if os.path.lexists(self.folder / parent) and not (self.folder / parent).is_dir()
        )

    def _named(self, text: str) -> str:
        distribution = self.name.replace("_", "-").strip("-")
        return text.replace(NAME_IN_TEMPLATE, self.name).replace(
            DISTRIBUTION_IN_TEMPLATE, distribution
        )
