"""Checks of GPU modes, from what the devices counted themselves."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.measure.stats import speedup_interval
from harness.report.executions import PRIMITIVE_OF, by_opcode, host_rows, in_all, of_devices
from harness.report.format import count, duration, is_missing, number, percent, printable, speedup
from harness.report.frames import BASELINE
from harness.report.tables import timed_blocks
from harness.report.verify_evidence import CannotTell, Evidence, Judged, threshold
from harness.report.verify_run import expected_names

_NAMED = 6  # opcodes that are named at most
_TOO_MANY = 1.25  # times the executions that programs have: retries do not explain more
_FEW = 1e-3  # of all calls: so few the compiler may have computed beforehand, where it knows their arguments


def _words(name: str) -> set[str]:
    """Return the words of a device's name that tell it from others."""
    return set(re.findall(r"[a-z0-9]+", name.lower())) - {"nvidia", "tesla", "gpu"}


def _is_meant(expected: str, found: str) -> bool:
    """Whether a device is one that was asked for; a part of a GPU (MIG) is not, unless that was."""
    wanted, there = _words(expected), _words(found)
    return wanted <= there and ("mig" in there) == ("mig" in wanted)


def expected_devices(evidence: Evidence) -> Judged:
    """Whether the mode ran on the GPUs that the configuration expects: a P100 that became a T4 is none."""
    expected = expected_names(evidence.run)
    found = [printable(name) for name in evidence.devices["name"]]
    value = _counted(found) or "none"
    if not expected:
        return Judged("skipped", value, None, "The configuration names no devices that it expects.")
    wanted = _counted(map(printable, expected))
    left = list(found)
    missing = []
    for name in expected:
        match = next((own for own in left if _is_meant(name, own)), None)
        if match is None:
            missing.append(printable(name))
        else:
            left.remove(match)
    if not missing and not left:
        return Judged("pass", value, wanted, "The GPUs are those that were asked for.")
    if missing and left:
        text = (
            f"The GPUs are others than asked for: {missing[0]} became {left[0]}; targets of {missing[0]} do not hold."
        )
    elif missing:
        text = f"GPUs are missing: {_counted(missing)}."
    else:
        text = f"There are more GPUs than asked for: {_counted(left)} too many."
    return Judged("fail", value, wanted, f"{text} Ask for another machine, or for what this one has.")


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{times} x {name}" for name, times in Counter(names).items())


def _counters(evidence: Evidence) -> Judged | None:
    """Return what keeps the devices' counters from being read; None if nothing does."""
    if evidence.devices.empty:
        return Judged("fail", "no device", "all", "No device was recorded: nothing shows that a GPU took part.")
    if not evidence.devices["counters"].fillna(False).all():
        return Judged(
            "unproven",
            "no counters",
            "all",
            "The kernels were compiled without counters, so what ran on the device is not known; compile them in.",
        )
    return None


def _idle(evidence: Evidence) -> str:
    """Say what it looks like where devices have executed nothing."""
    own = evidence.device_blocks
    launches, sent, fetched = (own[column].sum() for column in ("launches", "bytes_to_device", "bytes_from_device"))
    if not launches and not sent and not fetched:
        return "the GPU was initialised and never called: nothing was launched, and no byte moved"
    moved = f"{count(sent)} bytes went to it and {count(fetched)} came back"
    if sent and fetched:
        return f"data went there and back: {moved}, {count(launches)} launches executed no operation in between"
    return f"{count(launches)} launches executed no operation of a program ({moved})"


def device_executions(evidence: Evidence) -> Judged:
    """Whether the devices executed every opcode that the compiled programs contain, on every device."""
    problem = _counters(evidence)
    if problem is not None:
        return problem
    opcodes = by_opcode(evidence)
    if evidence.is_of_calls:
        opcodes = opcodes[opcodes.index.isin(PRIMITIVE_OF.keys())]
    contained = opcodes[opcodes["instructions"] > 0]
    if not opcodes["executions"].sum():
        value = f"0 of {count(len(contained))} opcodes"
        return Judged("fail", value, "all", f"No opcode was executed on a device; {_idle(evidence)}.")
    executed = set(opcodes.index[opcodes["executions"] > 0])
    missing, compared = _not_called(evidence, executed) if evidence.is_of_calls else _not_executed(evidence, executed)
    if missing and not compared:
        raise CannotTell(
            f"nobody counted whether {_opcode_names(missing)}, which no device has executed, lie in branches that are "
            "never taken; run it again where the host's library is built"
        )
    value = f"{count(len(executed))} of {count(len(executed) + len(missing))} opcodes"
    if missing:
        return Judged(
            "fail",
            value,
            "all",
            f"Never executed on a device, though the programs need them: {_opcode_names(missing)}. "
            "A patch does not reach them, or the CPU computes them.",
        )
    per_device = evidence.table("opcodes").groupby("device")["executions"].sum()
    used = evidence.device_blocks.groupby("device")["multiprocessors_used"].max()
    for device in evidence.devices["device"]:
        if not per_device.get(device, 0):
            return Judged("fail", value, "all", f"{printable(device)} executed nothing; the other devices did it all.")
        if is_missing(used.get(device)) or not used[device]:
            text = f"{printable(device)} has counted executions, but no multiprocessor of it took part."
            return Judged("fail", value, "all", f"{text} One of the two records is wrong.")
    return Judged("pass", value, "all", "The devices' own counters saw every opcode that the programs need.")


def _not_executed(evidence: Evidence, executed: set[str]) -> tuple[list[str], bool]:
    """Return the opcodes that devices ought to have executed and have not, and whether anybody counted which ought to.

    The host build tells what lies in a branch that these evaluations never take.
    """
    opcodes = by_opcode(evidence)
    host = host_rows(evidence).groupby("opcode")["executions"].sum()
    taken = set(host.index[host > 0])
    contained = opcodes.index[opcodes["instructions"] > 0]
    missing = [op for op in contained if op not in executed and (op in taken or host.empty)]
    if evidence.row["fell_back"] == 0:
        missing += sorted(taken - executed - set(missing))
    return missing, not host.empty


def _not_called(evidence: Evidence, executed: set[str]) -> tuple[list[str], bool]:
    """Return likewise, of calls, the primitives that the same programs call when the reference evaluates them."""
    counted = evidence.run.primitives
    own = counted[(counted["mode"] == BASELINE) & counted["module"].isin(evidence.evaluations.index.unique("module"))]
    calls = own[own["primitive"].isin(PRIMITIVE_OF.values())].groupby("primitive")["calls"].sum()
    done = {PRIMITIVE_OF[opcode] for opcode in executed}
    missing = [name for name, called in calls.items() if name not in done and called > _FEW * calls.sum()]
    return (sorted(map(str, missing)) if evidence.row["fell_back"] == 0 else []), not calls.empty


def _opcode_names(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")


def device_share(evidence: Evidence) -> Judged:
    """Which share of all primitive executions of the timed blocks the devices have counted."""
    wanted = threshold(evidence.run, "min_device_share")
    problem = _counters(evidence)
    if problem is not None:
        return Judged(problem.verdict, problem.value, wanted, problem.meaning)
    done = float(of_devices(evidence).sum())
    if not done:
        return Judged("fail", 0.0, wanted, f"No primitive was executed on a device; {_idle(evidence)}.")
    expected = float(in_all(evidence).sum())
    if not expected:
        raise CannotTell("the programs execute no primitives, so there is no share of them")
    share = done / expected
    counts = f"{number(done)} of {number(expected)} executions of primitives"
    if share > _TOO_MANY:
        text = f"The devices counted {counts}: more than the programs have, so these are not counts of them alone."
        return Judged("unproven", share, wanted, text)
    if share < wanted:
        text = f"Devices executed {counts}; the CPU did the rest. Look at what fell back, and at what is not patched."
        return Judged("fail", share, wanted, text)
    return Judged("pass", share, wanted, f"Devices executed {counts}.")


def device_evaluations(evidence: Evidence) -> Judged:
    """Whether the evaluations of timed blocks were done on devices, but for what is said to have fallen back."""
    most = threshold(evidence.run, "max_fallback_share")
    if evidence.is_of_calls:
        text = "Devices do calls of primitives in this mode, not evaluations; device_share says which part of them."
        return Judged("skipped", None, None, text)
    total, done = int(evidence.blocks["evaluations"].sum()), int(evidence.device_blocks["evaluations"].sum())
    if not total:
        raise CannotTell("there are no timed blocks")
    share = 1 - done / total
    counts = f"{count(total - done)} of {count(total)} timed evaluations"
    if done > total:
        return Judged("unproven", share, most, "Devices say to have done more evaluations than the blocks have.")
    if share <= most:
        return Judged("pass", share, most, f"Not on a device: {counts}.")
    told = evidence.row["fell_back"]
    share_told = 0.0 if is_missing(told) else float(told) / max(1, float(evidence.row["first_calls"]))
    if share_told <= most:
        text = f"Silent fallback: {counts} were not done on a device, and only {percent(share_told)} are said to have"
        return Judged("fail", share, most, f"{text} fallen back; the CPU computed under a GPU's name.")
    return Judged("fail", share, most, f"{counts} were not done on a device, but by the reference on the CPU.")


def kernel_time(evidence: Evidence) -> Judged:
    """Which share of the wall time of timed blocks kernels ran, by CUDA's events, on the device that ran least."""
    wanted = threshold(evidence.run, "min_kernel_share")
    if evidence.devices.empty:
        return Judged("fail", None, wanted, "No device was recorded: nothing shows that a kernel ran.")
    wall = float(evidence.blocks["wall_s"].sum())
    if not wall > 0:
        raise CannotTell("there are no timed blocks")
    seconds = evidence.device_blocks.groupby("device")["kernel_s"].sum()
    shares = {printable(device): float(seconds.get(device, 0.0)) / wall for device in evidence.devices["device"]}
    least = min(shares.values())
    said = ", ".join(f"{device} {percent(share)}" for device, share in shares.items())
    if math.isnan(least):
        raise CannotTell("device_blocks.parquet lacks kernel times")
    if least >= wanted:
        return Judged("pass", least, wanted, f"Kernels ran for so much of {duration(wall)}: {said}.")
    why = f"; {_idle(evidence)}" if not evidence.device_blocks["kernel_s"].sum() else ""
    text = f"Kernels ran for so little of {duration(wall)}: {said}{why}."
    return Judged("fail", least, wanted, f"{text} Most of the time goes into something else than the GPU's work.")


def one_device(evidence: Evidence) -> Judged:
    """Whether blocks of one device alone were done by that device: by the counters of all the others."""
    wanted = "none by others"
    problem = _counters(evidence)
    if problem is not None:
        return Judged(problem.verdict, problem.value, wanted, problem.meaning)
    alone = set(evidence.devices["device"])
    if len(alone) != 1:
        text = "More than one device is recorded, so these are no blocks of one device."
        return Judged("fail", f"{count(len(alone))} devices", wanted, text)
    opcodes, blocks = evidence.table("opcodes"), evidence.device_blocks
    executed = opcodes[~opcodes["device"].isin(alone)].groupby("device")["executions"].sum(min_count=1)
    work = blocks[~blocks["device"].isin(alone)].groupby("device")[["launches", "evaluations"]].sum()
    there = set(evidence.run.devices["device"].dropna()) - alone
    for device in sorted(there | set(executed.index) | set(work.index)):
        name = printable(device)
        if device not in executed.index or is_missing(executed[device]) or device not in work.index:
            raise CannotTell(f"what {name} did in these blocks was not recorded")
        if executed[device] or work.loc[device].any():
            text = (
                f"{name} took part in blocks that are said to be of {printable(*alone)} alone: it counted "
                f"{number(executed[device])} executions in {count(work.loc[device, 'launches'])} launches."
            )
            return Judged("fail", f"{number(executed[device])} by {name}", wanted, text)
    others = ", ".join(map(printable, sorted(there))) or "others"
    return Judged("pass", "0 by others", wanted, f"The counters of {others} saw nothing in these blocks.")


def scaling_efficiency(evidence: Evidence) -> Judged:
    """Throughput of all devices against that of one, times their number, by the interval's lower end."""
    wanted = threshold(evidence.run, "min_scaling_efficiency")
    devices = len(evidence.devices)
    if devices < 2:
        return Judged("skipped", None, wanted, "There is one device.")
    single = evidence.on_one_device
    if single is None:
        return Judged("skipped", None, wanted, "No blocks were timed on one device as well as on all of them.")
    proof = one_device(single)
    if proof.verdict != "pass":
        return Judged(proof.verdict, None, wanted, f"There is nothing to compare with: {proof.meaning}")
    one, all_of_them = (timed_blocks(evidence.run, mode) for mode in (single.mode, evidence.mode))
    found = speedup_interval(
        one["wall_s"] / one["evaluations"],
        all_of_them["wall_s"] / all_of_them["evaluations"],
        evidence.run.confidence,
    )
    if is_missing(found.low):
        return Judged("unproven", None, wanted, "One block has no interval; measure more blocks.")
    low = found.low / devices
    text = (
        f"{devices} devices are {speedup(found.median)} ({speedup(found.low)} to {speedup(found.high)}) times as fast "
        f"as one: {percent(found.median / devices)} of {devices}x"
    )
    if low >= wanted:
        return Judged("pass", low, wanted, f"Even the lower end reaches it: {text}.")
    reached = found.median / devices >= wanted
    return Judged("fail", low, wanted, f"{text}{'; the lower end does not reach it, more blocks may' * reached}.")
