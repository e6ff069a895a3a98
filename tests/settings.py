"""The appliance's own settings, on a state directory that lasts as long as the test run."""

import atexit
import os
import shutil
import tempfile

_state_dir = tempfile.mkdtemp(prefix="postroad-tests-")
atexit.register(shutil.rmtree, _state_dir, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("POSTROAD_")]:
    del os.environ[_name]
os.environ["POSTROAD_STATE_DIR"] = _state_dir

from appliance.settings import *  # noqa: E402, F403
