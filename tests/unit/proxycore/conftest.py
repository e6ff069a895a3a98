"""How many examples property tests try; ``HYPOTHESIS_PROFILE=deep`` tries many more."""

import os

from hypothesis import HealthCheck, settings

# a busy machine is no fault of the code: examples have no deadline, the test has its timeout
settings.register_profile("fast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", settings.get_profile("fast"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
