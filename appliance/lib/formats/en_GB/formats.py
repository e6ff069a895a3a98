"""Times in the order that sorts, with their zone: nodes and operators may be far apart."""

DATETIME_FORMAT = "Y-m-d H:i e"
DATE_FORMAT = "Y-m-d"
