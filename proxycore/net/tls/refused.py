"""What is said when a TLS setting cannot be used."""


class Refused(ValueError):
    """A setting cannot be used. The message is nginx's where nginx has one."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting
        """Name of the field of the contract."""
