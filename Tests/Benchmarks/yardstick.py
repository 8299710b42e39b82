"""What all parts of the benchmark measure with: pinned processes, CPU times, ratios and their spread."""
import datetime
import glob
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks  # noqa: E402
from processes import PEERS, Child, Failure, free_port, peer  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[1 if len(CORES) > 1 else 0]
OWN = "wscope"
BUSY = 0.93  # of a core: this side was the limit
TICKS = os.sysconf("SC_CLK_TCK")

checks = Checks()


def compiled(name):
    """The C program of this folder, or of another one beside it, compiled once into the peers' folder."""
    source = os.path.join(HERE, name + ".c")
    name = os.path.basename(name)
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler and shutil.which("swift"):
        compiler = os.path.join(os.path.dirname(os.path.realpath(shutil.which("swift"))), "clang")
    if not compiler or not os.path.exists(compiler):
        sys.exit("no C compiler: apt-get install gcc libc6-dev")
    parts = [source, *sorted(glob.glob(os.path.join(os.path.dirname(source), "*.h")))]
    text = b"".join(open(part, "rb").read() for part in parts)
    mark = hashlib.sha256(text + compiler.encode()).hexdigest()[:16]
    program = os.path.join(PEERS, f"{name}-{mark}")
    if not os.path.exists(program):
        subprocess.run([compiler, "-O3", "-march=native", "-o", program + ".new", source], check=True)
        os.rename(program + ".new", program)
    return program


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def run_json(name, command, seconds, **options):
    """The last line of a command's output as JSON; every failure is a Failure."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"{name} still runs after {seconds:g} s") from None
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise Failure(f"{name}: exit {done.returncode}, {(done.stderr or done.stdout).strip()[-300:]!r}") from None


def machine():
    def first(path, key):
        with open(path) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), "?")
    return {"cores": len(CORES), "cpu": first("/proc/cpuinfo", "model name"), "memory": first("/proc/meminfo", "MemTotal"),
            "kernel": platform.release(), "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "load": os.getloadavg()[0], "server_core": SERVER_CORE, "client_core": CLIENT_CORE}


def stolen():
    """Clock ticks that the host took from this machine, and all ticks."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return ticks[7], sum(ticks[:8])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds():
    """CPU time of all cores and everybody."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = (int(word) for word in file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def others(result):
    """How much of a core neither side used: other people's work, which spoils the figures."""
    return max(0, result["busy"] - result["client"]["cpu"] - result["server"]["cpu"]) / result["seconds"]


def limit(server_share, client_share):
    sides = [name for name, share in (("server", server_share), ("client", client_share)) if share >= BUSY]
    return " and ".join(sides) or "neither"


def spread(values, form):
    """`median (least-most)`; of many values the middle half, which one stray run does not widen."""
    middle = form(statistics.median(values))
    if len(values) == 1:
        return middle
    low, high = (statistics.quantiles(values)[i] for i in (0, 2)) if len(values) >= 8 else (min(values), max(values))
    return f"{middle} ({form(low)}-{form(high)})"


def thousands(value):
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value / 1e3:.1f}k"


def ratios(rounds, key, base, name):
    """Of name to base, round by round: what both met under the same weather."""
    pairs = zip(rounds.get(name, []), rounds.get(base, []))
    return [key(ours) / key(theirs) for ours, theirs in pairs if ours and theirs and key(theirs)]


def ratio(rounds, key, base, name):
    values = ratios(rounds, key, base, name)
    return spread(values, "{:.2f}".format) if values else "-"


def summary(rounds, key, base, name):
    values = ratios(rounds, key, base, name)
    return {"base": base, "median": statistics.median(values), "min": min(values), "max": max(values)} if values else None


def turns(names, number):
    """The names in another order each round, so that nobody always follows the same one."""
    return names[number % len(names):] + names[:number % len(names)]


def by_rate(result):
    return result["rate"]


def by_cpu(result):
    return result["msgs"] / max(result["server"]["cpu"], 1 / TICKS)


def websocat_echo():
    port = free_port()
    child = Child("websocat server", [peer("websocat"), "-q", "--binary", f"ws-listen:127.0.0.1:{port}", "mirror:"], core=SERVER_CORE)
    child.wait_for_port(port)
    return child, port
