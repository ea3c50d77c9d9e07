"""A repair, as a Job runs it: asks a service to heal itself and says what came of it.

    python3 /repair.py http://inventory/heal

The result is the termination message: a JSON object with `changed` and `message`.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 5.0


def main(address: str) -> int:
    """Ask once; 0 when the service answered that it did it."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=PATIENCE) as answer:
            text = answer.read(100).decode().strip()
    except (urllib.error.URLError, TimeoutError) as error:
        return report(changed=False, message=f"{address}: {error}", code=1)
    run = os.environ.get("RECOVERY_RUN", "by hand")
    return report(changed=text == "changed", message=f"{address} says: {text} (run {run})", code=0)


def report(*, changed: bool, message: str, code: int) -> int:
    """Write the termination message; the exit code of the process is returned."""
    text = json.dumps({"changed": changed, "message": message})
    sys.stdout.write(f"{text}\n")
    Path("/dev/termination-log").write_text(text)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
