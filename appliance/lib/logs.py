"""What of a log record is worth an operator's screen."""

import logging
from typing import Final

_REQUESTS: Final = "django.request"


class Brief(logging.Filter):
    """Leave the traceback out of a request that was refused: nothing of ours is broken there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        if record.name == _REQUESTS and record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True
