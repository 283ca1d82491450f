"""Samples of the GPUs throughout a run, in a thread of its own, on disk as they come."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import pynvml
from numpy.typing import NDArray

from harness.measure import nvml
from harness.measure.nvml import Device, Gap, NoNvml
from harness.measure.sample_rows import SampleRows, Span

PERIOD_S = 0.25
"""Seconds between polls. NVML's utilization averages over 1/6 to 1 s, so more polls would see no more."""
SLOW_S = 1.0
"""Seconds between fetches of the driver's own samples, and of what takes long to ask for."""
_FLUSH_S = 10.0  # of samples at most are lost when a run is killed in its first minutes
_FLUSH_SHARE = 0.01  # of the run's time: later a part holds more, so that a run of 12 hours has hundreds of them
_STOP_S = 10.0  # that a driver which hangs may hold up the end of a run
FOLDER = "gpu_samples"
SUMMARY = "gpu_sampling.json"


class Writer(Protocol):
    """Where samples go: a run folder."""

    def write_part(self, name: str, number: int, columns: Mapping[str, Any]) -> None:
        """Write columns as a part of a table, whole."""

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON, whole."""


class Sampler:
    """Asks NVML for everything, time and again, and tags what it says with the mode and the block under way.

    Polled values stand for themselves. The driver's own samples are finer; they carry the driver's time, by which they
    are tagged, and each is a row of its own.
    """

    def __init__(
        self,
        writer: Writer,
        period_s: float = PERIOD_S,
        slow_s: float = SLOW_S,
        flush_s: float = _FLUSH_S,
        *,
        parts: int = 0,
        earlier: Mapping[str, Any] | None = None,
    ) -> None:
        """Do not sample yet.

        Args:
            writer: where samples go.
            period_s: seconds between polls.
            slow_s: seconds between fetches of the driver's samples, and of what takes long.
            flush_s: seconds of samples that are held in memory at most, early in a run.
            parts: of the table that are there, of a run that is continued.
            earlier: the summary of that run until then.
        """
        self._writer = writer
        self._period_s, self._slow_s, self._flush_s = period_s, slow_s, flush_s
        self._start = time.perf_counter()
        self._spans: list[Span] = []
        self._devices: list[Device] = []
        self._reason: str | None = "sampling was not started"
        self._driver: str | None = None
        self._rows = SampleRows()
        self._gaps: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._seen: dict[tuple[str, str], int] = {}  # per device and column: the driver's last time stamp
        self._polls = self._samples = 0
        self._parts, self._earlier = parts, earlier or {}
        self._cpu_s = 0.0
        self._error: str | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, began: float | None = None) -> None:
        """Open NVML and begin; where there is none, only say so in the summary.

        Args:
            began: seconds of ``perf_counter`` from which samples count theirs; None for now.

        Raises:
            OSError: the summary cannot be written.
        """
        self._start = time.perf_counter() if began is None else began
        try:
            self._devices, self._reason = nvml.open_devices(os.environ), None
        except NoNvml as error:
            self._reason = str(error)
        else:
            try:
                self._driver = str(pynvml.nvmlSystemGetDriverVersion())
            except Exception as error:
                self._driver = f"not known: {nvml.reason_of(error)}"
            now_us = int(time.time() * 1e6)
            self._seen = {(device.uuid, column): now_us for device in self._devices for column in nvml.BUFFERED}
            # A daemon: a driver that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._work, name="nvml-sampler", daemon=True)
        self._writer.write_json(SUMMARY, self.summary())
        if self._thread is not None:
            self._thread.start()

    @contextmanager
    def during(self, mode: str, block: int | None) -> Iterator[None]:
        """Tag what is sampled within this context.

        Args:
            mode: what runs.
            block: number of the timed block; None for what is not timed. A block that raises is none.
        """
        span = Span(mode, block, self._now())
        self._spans.append(span)
        try:
            yield
        except BaseException:
            span.block = None
            raise
        finally:
            span.end = self._now()

    def stop(self) -> str | None:
        """End sampling, and write what is left; return a warning if samples are missing."""
        if self._thread is not None and self._thread.is_alive():
            self._ending.set()
            self._thread.join(_STOP_S)
            if self._thread.is_alive():
                self._error = f"a call of NVML did not return within {_STOP_S:g} s, so the last samples are missing"
            else:
                nvml.close()
        try:
            self._writer.write_json(SUMMARY, self.summary())
        except OSError as error:
            self._error = self._error or f"{SUMMARY} cannot be written: {error}"
        return f"GPU sampling: {self._error}" if self._error else None

    def summary(self) -> dict[str, Any]:
        """Return what ``gpu_sampling.json`` holds; docs/results.md describes it."""
        wall, earlier = self._now(), self._earlier
        cpu = self._cpu_s + earlier.get("cpu_s", 0.0)
        return {
            "available": self._reason is None,
            "reason": self._reason,
            "error": self._error,
            "driver": self._driver,
            "devices": [
                {"device": d.index, "uuid": d.uuid, "name": d.name, "memory_bytes": d.memory_bytes}
                for d in self._devices
            ],
            "period_s": self._period_s,
            "polls": self._polls + earlier.get("polls", 0),
            "samples": self._samples + earlier.get("samples", 0),
            "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 6),
            "cpu_share": round(cpu / wall, 6) if wall else None,
            "gaps": [*earlier.get("gaps", ()), *self._gaps.values()],
            "spans": list(earlier.get("spans", ()))
            + [
                {"mode": span.mode, "block": span.block, "start_s": span.start, "end_s": min(span.end, wall)}
                for span in list(self._spans)
            ],
        }

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def _work(self) -> None:
        """Poll until the end; the samples of a part are written while the next are taken."""
        slow_at = flushed = self._now()
        next_poll = flushed
        while True:
            ending = self._ending.is_set()
            now = self._now()
            slow = ending or now >= slow_at
            for device in self._devices:
                self._poll(device, slow)
            if slow:
                slow_at = now + self._slow_s
            self._polls += 1
            self._cpu_s = time.thread_time()
            if ending or now - flushed >= max(self._flush_s, _FLUSH_SHARE * now):
                self._flush()
                flushed = now
            if ending:
                return
            # A poll that took longer than the period is followed by the next at once, but never by several.
            next_poll = max(next_poll + self._period_s, self._now())
            self._ending.wait(next_poll - self._now())

    def _poll(self, device: Device, slow: bool) -> None:
        at = self._now()
        values, gaps = nvml.poll(device, nvml.POLLED)
        self._keep(device, "poll", np.array([at]), values)
        self._note(device, at, gaps)
        if not slow:
            return
        for reader in nvml.POLLED_SLOWLY:
            at = self._now()
            values, gaps = nvml.poll(device, [reader])
            self._keep(device, "poll", np.array([at]), values)
            self._note(device, at, gaps)
        for column in nvml.BUFFERED:
            self._fetch(device, column)

    def _fetch(self, device: Device, column: str) -> None:
        """Keep the driver's samples of a column that are new."""
        at, key = self._now(), (device.uuid, column)
        ahead = time.time() - at  # what the time of day is ahead of ours
        try:
            times, values = nvml.driver_samples(device, column, self._seen[key])
        except Exception as error:
            self._note(device, at, [Gap(f"{column} (driver)", nvml.reason_of(error))])
            return
        if len(times):
            self._seen[key] = int(times[-1])
            self._keep(device, "driver", times / 1e6 - ahead, {column: values})

    def _keep(self, device: Device, source: str, times: NDArray[np.float64], values: Mapping[str, Any]) -> None:
        if values:
            self._rows.add(device, source, times, values, self._spans)
            self._samples += len(times)

    def _note(self, device: Device, at: float, gaps: Sequence[Gap]) -> None:
        """Record gaps: one entry per device, column and reason, with how often and when."""
        for gap in gaps:
            entry = self._gaps.setdefault(
                (device.uuid, gap.column, gap.reason),
                {
                    "device": device.index,
                    "uuid": device.uuid,
                    "column": gap.column,
                    "reason": gap.reason,
                    "first_s": round(at, 3),
                    "last_s": round(at, 3),
                    "times": 0,
                },
            )
            entry["last_s"] = round(at, 3)
            entry["times"] += 1

    def _flush(self) -> None:
        """Write the samples taken since the last part; what cannot be written is kept and tried again."""
        try:
            if len(self._rows):
                self._writer.write_part(FOLDER, self._parts, self._rows.columns())
                self._rows.clear()
                self._parts += 1
            self._error = None
        except Exception as error:
            self._error = f"samples cannot be written: {nvml.reason_of(error)}"
        self._cpu_s = time.thread_time()
        try:
            self._writer.write_json(SUMMARY, self.summary())
        except Exception as error:
            self._error = f"{SUMMARY} cannot be written: {nvml.reason_of(error)}"
