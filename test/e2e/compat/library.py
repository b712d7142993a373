"""
A control library in the manner of the one scripts have been using for years: it runs the program
`walbc`, reads what it prints, and polls. Used by library.test.ts to show that such a library works with
these servers unchanged.

    python3 library.py LAYOUT.json STEP [ARG...]     prints the result of one step as JSON
"""
import json
import re
import subprocess
import sys
import time
from datetime import datetime

POLL_SEC = 0.3
LONG_SEC = 100
UINT64_MAX = 2 ** 64 - 1
PRETTY = "%Y-%m-%dT%H:%M:%S"
DIGITS = "%Y%m%d%H%M%S"

S_DURING_FULL = ["FullSync", "Stopped", "StartTarget"]
S_DURING_HASH = ["HashSync", "Stopped", "StartTarget"]
S_STOP_TARGET = ["Target", "StopTarget"]
S_STOP_STANDBY = ["Standby", "StopStandby"]
P_ACTIVE = ["Started", "WlogRecv"]
P_STOP = ["Started", "WlogRecv", "Stop", "WaitForEmpty"]
A_ACTIVE = ["Archived", "WdiffRecv", "HashSync", "ReplSyncAsServer"]
A_RESIZE = A_ACTIVE + ["Stopped", "SyncReady"]
A_REPLICATE = ["ReplSyncAsServer", "FullSync", "Resync"]
A_STOP = A_ACTIVE + ["Stop"]


# ---- values, strict in what they read: each prints what it was read from


class Snapshot:
    def __init__(self, text):
        match = re.match(r"^\|(\d+)(?:,(\d+))?\|$", text)
        if match is None:
            raise ValueError("no snapshot: %r" % text)
        self.gidB = int(match.group(1))
        self.gidE = int(match.group(2) or match.group(1))
        if str(self) != text:
            raise ValueError("%s was read from %r" % (self, text))

    def __str__(self):
        same = self.gidB == self.gidE
        return "|%d|" % self.gidB if same else "|%d,%d|" % (self.gidB, self.gidE)


class Diff:
    def __init__(self, text):
        span, flags, ts, size = text.split(" ")
        begin, end = span.split("-->")
        self.B, self.E = Snapshot(begin), Snapshot(end)
        if re.match("^[M-][C-]$", flags) is None:
            raise ValueError("no flags: %r" % flags)
        self.isMergeable, self.isCompDiff = flags[0] == "M", flags[1] == "C"
        self.ts = datetime.strptime(ts, PRETTY)
        self.dataSize = int(size)
        if self.B.gidB >= self.E.gidB or self.B.gidE > self.E.gidE:
            raise ValueError("no diff: %r" % text)
        if str(self) != text:
            raise ValueError("%s was read from %r" % (self, text))

    def __str__(self):
        flags = ("M" if self.isMergeable else "-") + ("C" if self.isCompDiff else "-")
        ts = self.ts.strftime(PRETTY)
        return "%s-->%s %s %s %d" % (self.B, self.E, flags, ts, self.dataSize)


class MetaState:
    def __init__(self, text):
        match = re.match(r"^<(\|[\d,]+\|)(?:-->(\|[\d,]+\|))?>-(\d{14})", text)
        if match is None:
            raise ValueError("no meta state: %r" % text)
        self.B = Snapshot(match.group(1))
        self.E = Snapshot(match.group(2)) if match.group(2) else None
        self.ts = datetime.strptime(match.group(3), DIGITS)

    def is_applying(self):
        return self.E is not None


class GidInfo:
    def __init__(self, text):
        words = text.split()
        if len(words) != 3 or words[2] not in ("0", "1"):
            raise ValueError("no gid: %r" % text)
        self.gid, self.ts = int(words[0]), datetime.strptime(words[1], PRETTY)
        self.is_explicit = words[2] == "1"


def parse_ltsv(line):
    return dict(item.split(":", 1) for item in line.split("\t"))


def lines_of(text):
    return text.split("\n") if text else []


# ---- servers and the controller


class Server:
    def __init__(self, name, address, port, kind):
        self.name, self.address, self.port, self.kind = name, address, port, kind

    def host_port(self):
        return "%s:%d" % (self.address, self.port)


class Walbc:
    def __init__(self, path, layout, is_debug=False):
        self.path, self.is_debug = path, is_debug
        self.storages = [Server(**s) for s in layout["storage"]]
        self.proxies = [Server(**s) for s in layout["proxy"]]
        self.archives = [Server(**s) for s in layout["archive"]]

    def server(self, name):
        (found,) = [s for s in self.all() if s.name == name]
        return found

    def all(self):
        return self.storages + self.proxies + self.archives

    def run(self, s, *words, timeout=0):
        args = [self.path, "-id", "ctl", "-a", s.address, "-p", str(s.port)]
        if self.is_debug:
            args.append("-debug")
        if timeout > 0:
            args += ["-to", str(timeout)]
        args += [str(word) for word in words]
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Exception("command failed", args, done.returncode, done.stderr.decode())
        return done.stdout.decode().strip()

    def get(self, s, *words):
        return self.run(s, "get", *words)

    def fails(self, s, *words):
        try:
            self.run(s, *words)
        except Exception:
            return True
        return False

    # ---- information

    def state(self, s, vol):
        return self.get(s, "state", vol)

    def restorable(self, a, vol, *opt):
        return [GidInfo(line) for line in lines_of(self.get(a, "restorable", vol, *opt))]

    def restorable_gid(self, a, vol, *opt):
        return [info.gid for info in self.restorable(a, vol, *opt)]

    def gids(self, a, vol, what):
        return [int(line) for line in lines_of(self.get(a, what, vol))]

    def diffs(self, a, vol, gid0=0, gid1=UINT64_MAX):
        return [Diff(line) for line in lines_of(self.get(a, "diff", vol, gid0, gid1))]

    def applicable(self, a, vol, gid=UINT64_MAX):
        return [Diff(line) for line in lines_of(self.get(a, "applicable-diff", vol, gid))]

    def actions(self, a):
        result = {}
        for line in lines_of(self.get(a, "all-actions")):
            words = line.split()
            rest = words[1:]
            result[words[0]] = {
                name: (int(count), None if ts == "---" else datetime.strptime(ts, PRETTY))
                for name, count, ts in zip(rest[::3], rest[1::3], rest[2::3])
            }
        return result

    def exists_diff(self, a, vol, gidB, gidE):
        return self.get(a, "exists-diff", vol, gidB, gidB, gidE, gidE) == "1"

    def size_mb(self, a, vol):
        return int(self.get(a, "vol-size", vol)) * 512 // 2 ** 20

    # ---- waiting

    def wait(self, what, check, timeout):
        limit = time.time() + timeout
        while time.time() < limit:
            result = check()
            if result is not None:
                return result
            time.sleep(POLL_SEC)
        raise Exception("timeout", what)

    def wait_for_state_change(self, s, vol, during, goals, timeout=10):
        def check():
            state = self.state(s, vol)
            return None if state in during else state

        state = self.wait("state " + str(goals), check, timeout)
        if state not in goals:
            raise Exception("bad goal", s.name, vol, state, goals)

    def wait_for_no_action(self, a, vol, action, timeout=LONG_SEC):
        def check():
            return True if self.get(a, "num-action", vol, action) == "0" else None

        self.wait("no " + action, check, timeout)

    def wait_for_restorable(self, a, vol, gid, timeout=LONG_SEC):
        self.wait(
            "restorable %d" % gid,
            lambda: True if gid in self.restorable_gid(a, vol) else None,
            timeout,
        )

    def wait_for_stopped(self, s, vol, before):
        if s.kind == "storage":
            if before in ("Standby", "HashSync", "FullSync"):
                self.wait_for_state_change(s, vol, S_STOP_STANDBY, ["SyncReady"], LONG_SEC)
            else:
                self.wait_for_state_change(s, vol, S_STOP_TARGET, ["Stopped"], LONG_SEC)
        elif s.kind == "proxy":
            self.wait_for_state_change(s, vol, P_STOP, ["Stopped"], LONG_SEC)
        else:
            self.wait_for_state_change(s, vol, A_STOP, ["Stopped"], LONG_SEC)

    # ---- life of a volume

    def stop_nbk(self, s, vol, mode="graceful"):
        before = self.state(s, vol)
        self.run(s, "stop", vol, mode)
        return before

    def stop(self, s, vol, mode="graceful"):
        self.wait_for_stopped(s, vol, self.stop_nbk(s, vol, mode))

    def start(self, s, vol):
        if s.kind == "storage":
            self.run(s, "start", vol, "target")
            self.wait_for_state_change(s, vol, ["StartTarget"], ["Target"])
        else:
            self.run(s, "start", vol)
            goals = P_ACTIVE if s.kind == "proxy" else A_ACTIVE
            self.wait_for_state_change(s, vol, ["Start"], goals)

    def reset(self, s, vol):
        self.run(s, "reset-vol", vol, timeout=LONG_SEC)
        self.verify_state(s, vol, "SyncReady")

    def verify_state(self, s, vol, state):
        found = self.state(s, vol)
        if found != state:
            raise Exception("verify_state: differ", s.name, vol, found, state)

    def init_storage(self, s, vol, path):
        self.run(s, "init-vol", vol, path)
        self.start_standby(s, vol)

    def start_standby(self, s, vol):
        self.verify_state(s, vol, "SyncReady")
        self.run(s, "start", vol, "standby")
        self.wait_for_state_change(s, vol, ["StartStandby"], ["Standby"])

    def go_standby(self, s, vol):
        state = self.state(s, vol)
        if state == "Standby":
            return
        if state == "Target":
            self.stop(s, vol, "force")
            self.stop_synchronizing(self.archives[0], vol)
            self.reset(s, vol)
        elif state != "SyncReady":
            raise Exception("go_standby: bad state", state)
        self.start_standby(s, vol)

    def clear(self, s, vol):
        state = self.state(s, vol)
        if state == "Clear":
            return
        active = {"storage": ["Target", "Standby"], "proxy": P_ACTIVE, "archive": ["Archived"]}
        if state in active[s.kind]:
            self.stop(s, vol, "force")
        if s.kind == "storage" and self.state(s, vol) == "Stopped":
            self.reset(s, vol)
        self.run(s, "clear-vol", vol)

    # ---- proxies

    def archive_infos(self, p, vol):
        return lines_of(self.run(p, "archive-info", "list", vol))

    def archive_info(self, p, vol, a):
        host_port, cmpr, delay = self.run(p, "archive-info", "get", vol, a.name).split()
        kind, level, cpus = cmpr.split(":")
        return host_port, (kind, int(level), int(cpus)), int(delay)

    def is_synchronizing(self, a, vol):
        known = [a.name in self.archive_infos(p, vol) for p in self.proxies]
        if any(known) != all(known):
            raise Exception("not at all proxies", a.name)
        return all(known)

    def register(self, p, vol, a, opt=()):
        word = "update" if a.name in self.archive_infos(p, vol) else "add"
        self.run(p, "archive-info", word, vol, a.name, a.host_port(), *opt)

    def add_archive(self, p, vol, a, opt=()):
        if self.state(p, vol) in P_ACTIVE:
            self.stop(p, vol, "force")
        self.register(p, vol, a, opt)
        if self.state(p, vol) == "Stopped":
            self.start(p, vol)

    def del_archive(self, p, vol, a):
        if self.state(p, vol) in P_ACTIVE:
            self.stop(p, vol, "force")
        if a.name in self.archive_infos(p, vol):
            self.run(p, "archive-info", "delete", vol, a.name)
        if self.state(p, vol) == "Stopped":
            self.start(p, vol)

    def kick_storages(self):
        for s in self.storages:
            self.run(s, "kick")

    def start_synchronizing(self, a, vol, opt=()):
        for p in self.proxies:
            self.add_archive(p, vol, a, opt)
        self.kick_storages()

    def stop_synchronizing(self, a, vol):
        for p in self.proxies:
            self.del_archive(p, vol, a)
        self.kick_storages()

    # ---- backup

    def prepare_backup(self, s, vol, opt=()):
        state = self.state(s, vol)
        if state == "Standby":
            self.stop(s, vol)
        elif state == "Stopped":
            self.reset(s, vol)
        elif state != "SyncReady":
            raise Exception("prepare_backup: bad state", state)
        for other in self.storages:
            if other is not s and self.state(other, vol) not in ("Standby", "Clear"):
                raise Exception("prepare_backup: other storage", other.name)
        for a in self.archives:
            if self.is_synchronizing(a, vol):
                self.stop_synchronizing(a, vol)
        if self.state(self.archives[0], vol) == "Clear":
            self.run(self.archives[0], "init-vol", vol)
        self.start_synchronizing(self.archives[0], vol, opt)

    def backup(self, s, vol, command, during, bulk):
        primary = self.archives[0]
        last = (self.restorable_gid(primary, vol) or [-1])[-1]
        self.run(s, command, vol, bulk)
        self.wait_for_state_change(s, vol, during, ["Target"], LONG_SEC)
        if self.state(primary, vol) not in A_ACTIVE:
            raise Exception("primary is not active")
        for p in self.proxies:
            self.run(p, "kick", vol, primary.name)

        def check():
            gids = self.restorable_gid(primary, vol)
            return gids[-1] if gids and gids[-1] > last else None

        return self.wait("a snapshot of the backup", check, LONG_SEC)

    def full_backup(self, s, vol, bulk="64K", opt=()):
        self.prepare_backup(s, vol, opt)
        return self.backup(s, vol, "full-bkp", S_DURING_FULL, bulk)

    def hash_backup(self, s, vol, bulk="64K"):
        self.prepare_backup(s, vol)
        return self.backup(s, vol, "hash-bkp", S_DURING_HASH, bulk)

    def snapshot(self, s, vol, archives):
        for a in archives:
            if self.state(a, vol) not in A_ACTIVE:
                raise Exception("not active", a.name)
        gid = int(self.run(s, "snapshot", vol))
        self.verify_state(s, vol, "Target")
        for a in archives:
            self.wait_for_restorable(a, vol, gid)
        return gid

    # ---- archives

    def restore(self, a, vol, gid):
        if gid in self.gids(a, vol, "restored"):
            raise Exception("restored already", gid)
        self.run(a, "restore", vol, gid)
        self.wait_for_no_action(a, vol, "Restore")
        if gid not in self.gids(a, vol, "restored"):
            raise Exception("wait_for_restored: failed", gid)

    def del_restored(self, a, vol, gid):
        self.run(a, "del-restored", vol, gid)
        self.wait(
            "no more restored",
            lambda: None if gid in self.gids(a, vol, "restored") else True,
            LONG_SEC,
        )

    def apply(self, a, vol, gid):
        if gid not in [diff.E.gidB for diff in self.applicable(a, vol)]:
            raise Exception("apply: gid is not restorable", gid)
        self.run(a, "apply", vol, gid)
        self.wait_for_no_action(a, vol, "Apply")
        if MetaState(self.get(a, "base", vol)).is_applying():
            raise Exception("wait_for_applied: applying")
        gids = self.restorable_gid(a, vol)
        if not gids or gids[0] < gid:
            raise Exception("wait_for_applied: failed", gids)

    def merge(self, a, vol, gidB, gidE):
        diffs = self.applicable(a, vol, gidE)
        if gidB not in [d.B.gidB for d in diffs] or gidE not in [d.E.gidB for d in diffs]:
            raise Exception("merge: specify exact ranges")
        for diff in diffs:
            if gidB < diff.B.gidB < gidE and (not diff.isMergeable or diff.isCompDiff):
                raise Exception("merge: not mergeable", str(diff))
        self.run(a, "merge", vol, gidB, "gid", gidE)
        self.wait_for_no_action(a, vol, "Merge")
        if not self.exists_diff(a, vol, gidB, gidE):
            raise Exception("wait_for_merged: failed")

    def resize_archive(self, a, vol, size_mb, zero_clear):
        if self.state(a, vol) not in A_RESIZE:
            raise Exception("resize: bad state")
        if self.size_mb(a, vol) == size_mb:
            return
        words = ["zeroclear"] if zero_clear else []
        self.run(a, "resize", vol, "%dm" % size_mb, *words)
        self.wait_for_no_action(a, vol, "Resize")
        if self.size_mb(a, vol) != size_mb:
            raise Exception("size is not changed")

    def resize(self, vol, size_mb, zero_clear):
        for a in self.archives:
            self.resize_archive(a, vol, size_mb, zero_clear)
        for s in self.storages:
            if self.state(s, vol) != "Clear":
                self.run(s, "resize", vol, "%dm" % size_mb)

    # ---- replication

    def replicate_once(self, src, vol, dst, resync=False, opt=()):
        state = self.state(dst, vol)
        if state == "Clear":
            self.run(dst, "init-vol", vol)
        elif state == "Archived" and not resync:
            if self.get(src, "archive-uuid", vol) != self.get(dst, "archive-uuid", vol):
                raise Exception("Archive uuids differ")
        if self.get(dst, "exists-base-image", vol) == "1":
            if self.size_mb(src, vol) > self.size_mb(dst, vol):
                self.resize_archive(dst, vol, self.size_mb(src, vol), False)
        gid = [info.gid for info in self.restorable(src, vol) if info.is_explicit][-1]
        flags = ["1" if resync else "0", "0"]
        self.run(src, "replicate", vol, "gid", gid, dst.host_port(), *flags, *opt)
        self.wait_for_no_action(src, vol, "ReplSyncAsClient")
        self.wait_for_state_change(dst, vol, A_REPLICATE, A_ACTIVE, LONG_SEC)
        diffs = self.applicable(dst, vol)
        if not diffs or diffs[-1].E.gidB < gid:
            raise Exception("wait_for_replicated: replicate failed", gid)
        return gid

    def synchronize(self, src, vol, dst, opt=()):
        for p in self.proxies:
            if self.state(p, vol) in P_ACTIVE:
                self.run(p, "stop", vol, "empty")
        for p in self.proxies:
            self.wait_for_stopped(p, vol, None)
            self.register(p, vol, dst, opt)
        gid = self.replicate_once(src, vol, dst)
        for p in self.proxies:
            self.start(p, vol)
        self.kick_storages()
        return gid


# ---- the steps of the test


def information(walbc, vol):
    """Every getter; each fails when the text is not what it expects."""
    s0, p0 = walbc.storages[0], walbc.proxies[0]
    a0, a1 = walbc.archives
    gid = walbc.restorable_gid(a0, vol)[-1]
    diffs = walbc.diffs(a0, vol)
    latest = [parse_ltsv(line) for line in lines_of(walbc.get(a0, "latest-snap", vol))]
    deltas = [parse_ltsv(line) for line in lines_of(walbc.get(a0, "ts-delta"))]
    return {
        "kinds": [walbc.get(s, "host-type") for s in walbc.all()],
        "states": [walbc.state(s, vol) for s in walbc.all()],
        "volumes": [lines_of(walbc.get(s, "vol")) for s in walbc.all()],
        "size_mb": walbc.size_mb(a0, vol),
        "progress": int(walbc.get(a0, "progress", vol)),
        "base": str(MetaState(walbc.get(a0, "base", vol)).B),
        "num_diff": int(walbc.get(a0, "num-diff", vol, 0, UINT64_MAX)) == len(diffs),
        "total_size": int(walbc.get(a0, "total-diff-size", vol))
        == sum(diff.dataSize for diff in diffs),
        "chain": [str(diff.E) for diff in walbc.applicable(a0, vol)][-1] == "|%d|" % gid,
        "actions": sorted(walbc.actions(a0)[vol]),
        "overflow": walbc.get(s0, "is-overflow", vol),
        "send_error": walbc.get(p0, "is-wdiff-send-error", vol, a0.name),
        "uuids": walbc.get(s0, "uuid", vol) == walbc.get(a0, "uuid", vol),
        "archive_uuids": walbc.get(a0, "archive-uuid", vol) == walbc.get(a1, "archive-uuid", vol),
        "all": walbc.restorable_gid(a0, vol, "all")[-1] == gid,
        "cold": walbc.gids(a0, vol, "cold"),
        "meta_snap": Snapshot(walbc.get(a0, "meta-snap", vol)).gidB == gid,
        "applying": MetaState(walbc.get(a0, "meta-state", vol, 1, gid)).is_applying(),
        "latest": [int(item["gid"]) for item in latest] == [gid],
        "deltas": [(item["name"], item["dest"], item["ts_delta"]) for item in deltas],
        "hashes": walbc.run(a0, "bhash", vol, gid, "64K") == walbc.run(a1, "bhash", vol, gid, "64K"),
        "info": walbc.archive_info(p0, vol, a1)[1:],
        "status": walbc.run(s0, "status", vol, timeout=LONG_SEC).split("\n")[:3],
        "exec": walbc.run(s0, "exec", "/bin/echo", "-n", "a", "b"),
    }


def snapshots(walbc, vol):
    s0, a0 = walbc.storages[0], walbc.archives[0]
    gids = [walbc.snapshot(s0, vol, [a0]) for _ in range(3)]
    walbc.restore(a0, vol, gids[0])
    restored = walbc.gids(a0, vol, "restored")
    walbc.del_restored(a0, vol, gids[0])
    walbc.run(a0, "disable-snapshot", vol, *gids[:2])
    explicit = walbc.restorable_gid(a0, vol)
    walbc.merge(a0, vol, gids[0] - 1, gids[2])
    walbc.apply(a0, vol, gids[0] - 1)
    walbc.run(a0, "gc-diff", vol)
    return {"gids": gids, "restored": restored, "explicit": explicit}


def exchange(walbc, vol):
    s0, s1 = walbc.storages
    walbc.run(s1, "set-full-scan-bps", "1G")
    walbc.go_standby(s0, vol)
    gid = walbc.hash_backup(s1, vol)
    refused = walbc.fails(s1, "full-bkp", vol) and walbc.fails(s0, "snapshot", vol)
    return {"gid": gid, "refused": refused, "states": [walbc.state(s, vol) for s in (s0, s1)]}


def clear(walbc, vol):
    for s in walbc.all():
        walbc.clear(s, vol)
    states = [walbc.state(s, vol) for s in walbc.all()]
    for s in walbc.all():
        walbc.run(s, "shutdown", "graceful")
    return states


def steps(walbc, vol):
    s0, a0 = walbc.storages[0], walbc.archives[0]
    return {
        "init": lambda s, path: walbc.init_storage(walbc.server(s), vol, path),
        "full_backup": lambda: walbc.full_backup(s0, vol, "128K", ["gzip:1:2", "0"]),
        "snapshots": lambda: snapshots(walbc, vol),
        "synchronize": lambda: [
            walbc.replicate_once(a0, vol, walbc.archives[1], opt=["lz4:0:1", "1G", "64K"]),
            walbc.synchronize(a0, vol, walbc.archives[1], ["zstd:3:1", "0"]),
            walbc.snapshot(s0, vol, walbc.archives),
        ],
        "information": lambda: information(walbc, vol),
        "resize": lambda size: walbc.resize(vol, int(size), False),
        "exchange": lambda: exchange(walbc, vol),
        "clear": lambda: clear(walbc, vol),
    }


def main(layout_file, step, *args):
    with open(layout_file) as file:
        layout = json.load(file)
    walbc = Walbc(layout["walbc"], layout["servers"], is_debug=layout["debug"])
    print(json.dumps(steps(walbc, layout["volume"])[step](*args)))


main(*sys.argv[1:])
