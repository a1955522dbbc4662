"""Files that people write, or save as they come: text in UTF-8, and no more of it than makes sense."""

from __future__ import annotations

from pathlib import Path

from mlab.core.errors import ConfigError, reason

KB, MB = 1024, 1024**2


def read_text(path: Path, source: str, most_bytes: int) -> str:
    """What a file says, in UTF-8 with or without a mark at its start; ``source`` names it in refusals.

    Raises:
        ConfigError: it cannot be read, is too large, or another kind of text; then with the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise ConfigError(source, "", "no such file") from None
    except IsADirectoryError:
        raise ConfigError(source, "", "must be a file, is a folder") from None
    except (OSError, ValueError) as error:  # the latter of a name that no system has
        told = reason(error) if isinstance(error, OSError) else error
        raise ConfigError(source, "", f"cannot be read: {told}") from None
    if len(content) > most_bytes:
        most = f"{most_bytes // MB} MB" if most_bytes >= MB else f"{most_bytes // KB} KB"
        raise ConfigError(source, "", f"must be at most {most}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(source, f"line {line}", "must be text in UTF-8") from None
