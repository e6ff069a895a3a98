"""Sentences for files that cannot be read or written: which one, and what to do."""

from pathlib import Path


def unreadable(path: str | Path, fault: OSError) -> str:
    """Say why a file cannot be read."""
    match fault:
        case FileNotFoundError():
            return f"There is no file {path}. Give the path of one, from here or from the root."
        case IsADirectoryError():
            return f"{path} is a directory. Give the path of a file."
        case PermissionError():
            return f"{path} may not be read by the user that this runs as. Change who may read it."
    return f"{path} cannot be read: {fault.strerror or fault}."


def unwritable(path: str | Path, fault: OSError) -> str:
    """Say why a file or directory cannot be written."""
    match fault:
        case FileNotFoundError() | NotADirectoryError():
            return f"{path} cannot be made: {Path(path).parent} is no directory that takes it."
        case IsADirectoryError():
            return f"{path} is a directory. Give the path of a file."
        case FileExistsError():
            return f"{path} is a file. Give the path of a directory."
        case PermissionError():
            return f"{path} may not be written by the user that this runs as. Choose another place."
    return f"{path} cannot be written: {fault.strerror or fault}."
