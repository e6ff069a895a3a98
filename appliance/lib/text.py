"""Text from outside on its way into the database."""


def storable(value: str, length: int) -> str:
    """Give the text as every database of ours can store it: PostgreSQL takes no NUL."""
    return value.replace("\x00", "?")[:length]
