"""A sampling profiler: where a process spends its CPU time, by the stacks it is seen in each millisecond of it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from types import FrameType


class Sampler:
    """Looks at the main thread's stack by a timer that runs on CPU time alone: waiting does not count."""

    def __init__(self, every: float = 0.002) -> None:
        self._every = every
        self._own: Counter[str] = Counter()
        self._whole: Counter[str] = Counter()
        self._count = 0

    def start(self) -> None:
        """Begin, in the main thread."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, self._every, self._every)

    def stop(self) -> str:
        """End, and say what was seen."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        lines = [f"{self._count} samples; share in the function itself, then with all it calls"]
        lines += [f"{100 * n / self._count:5.1f} %  {name}" for name, n in self._own.most_common(40)]
        lines.append("-- cumulative")
        lines += [f"{100 * n / self._count:5.1f} %  {name}" for name, n in self._whole.most_common(70)]
        return "\n".join(lines)

    def _look(self, _: int, frame: FrameType | None) -> None:
        self._count += 1
        seen, first = set[str](), True
        while frame is not None:
            code = frame.f_code
            name = f"{'/'.join(code.co_filename.split(os.sep)[-3:])}:{code.co_name}"
            if first:
                self._own[name] += 1
                first = False
            if name not in seen:
                seen.add(name)
                self._whole[name] += 1
            frame = frame.f_back
