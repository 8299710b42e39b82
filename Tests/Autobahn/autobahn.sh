#!/bin/bash
# autobahn.sh: the Autobahn|Testsuite 25.10.1 (WebSocket conformance, 517 cases) on Python 3.
# The suite is Python 2 code; setup fetches it and Autobahn|Python 0.10.9 (the version the suite pins)
# from PyPI and converts it.  Everything goes into one folder; all traffic is on 127.0.0.1.
set -euo pipefail
usage() { cat <<'U'
autobahn.sh [-d DIR] setup                                   install into DIR (also done on first use)
autobahn.sh [-d DIR] server ws://127.0.0.1:PORT [CASES...] [options]   test an echo server
autobahn.sh [-d DIR] client 'COMMAND...' [CASES...] [options]          test an echo client: COMMAND is run with
        AUTOBAHN_URL=ws://127.0.0.1:PORT and must fetch $AUTOBAHN_URL/getCaseCount (a text message: N), then for
        i=1..N open $AUTOBAHN_URL/runCase?case=$i&agent=NAME and echo until closed, then open
        $AUTOBAHN_URL/updateReports?agent=NAME (optional here)
DIR: default $ABTS_DIR, else ~/.cache/wscope-autobahn
CASES: globs of case ids ('1.*', '9.[12].*'), case ids, or section prefixes (9, 7.1); default: all
 -x GLOB      leave out (repeatable, commas allowed): -x 9,12,13 or -x '9.*'
 -o FOLDER    JSON reports (default DIR/reports/server or DIR/reports/client; old ones there are removed)
 -n NAME      server mode: agent name         -p PORT  client mode: port of the fuzzing server [free one]
 -t SECONDS   stop after this long            -k GLOB  known failures: listed, do not change the exit code
 -L           never count bad closing         -c       count WRONG CODE / FAILED BY CLIENT closings too
 -s           strict: NON-STRICT and UNIMPLEMENTED count as failures too
 -l           list the chosen cases           -H       HTML reports too        -v  print each case
Exit: 0 nothing FAILED; 1 FAILED or BAD-CLOSE cases (-s: or NON-STRICT, UNIMPLEMENTED); 2 some chosen cases did not run; 3 error inside the suite
U
}
DIR=${ABTS_DIR:-$HOME/.cache/wscope-autobahn}
if [ "${1:-}" = -d ]; then DIR=$2; shift 2; fi
case "${1:-}" in setup|server|client) ;; *) usage; [ "${1:-}" = -h ] || [ "${1:-}" = --help ] && exit 0; exit 64;; esac
mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
SELF=$(readlink -f "$0"); STAMP="$DIR/.installed-$(sha256sum < "$SELF" | cut -c1-16)"

python_ok() { "$1" -c 'import sys, venv, ensurepip; assert (3, 11) <= sys.version_info[:2] <= (3, 13)' 2>/dev/null; }
find_python() { local p; for p in "${PYTHON:-}" /usr/bin/python3 python3 python3.11 python3.12; do
    if [ -n "$p" ] && python_ok "$p"; then echo "$p"; return; fi; done; return 1; }

setup() {
  local py pip
  if ! py=$(find_python); then
    local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -q >&2; $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends python3 python3-venv >&2
    py=$(find_python) || { echo "autobahn.sh: no Python 3.11-3.13 with venv" >&2; exit 69; }
  fi
  echo "autobahn.sh: installing into $DIR with $("$py" --version) ..." >&2
  rm -rf "$DIR"/.installed-* "$DIR/venv" "$DIR/orig" "$DIR/lib"
  "$py" -m venv "$DIR/venv"
  pip="$DIR/venv/bin/python -m pip --disable-pip-version-check -q"
  $pip install setuptools==68.2.2 wheel==0.48.0 packaging==26.3
  $pip install --only-binary :all: twisted==24.11.0 zope.interface==8.7 attrs==26.1.0 Automat==25.4.16 constantly==23.10.4 \
      hyperlink==21.0.0 idna==3.20 Incremental==24.11.0 typing_extensions==4.16.0 six==1.17.0 fissix==24.4.24 appdirs==1.4.4
  $pip install --only-binary :all: wsaccel==0.6.7 || echo "autobahn.sh: no wsaccel wheel for this Python; section 9 will be slow" >&2
  cat > "$DIR/sdists.txt" <<'R'
autobahntestsuite==25.10.1 --hash=sha256:b083d6e15330fc16f3e5f0975cce2b15f21bfa0c6db09547316b1852c6dbd6df
autobahn==0.10.9 --hash=sha256:3fecc1e2a26a0421128ddcfb4e577f0bc669dd65d0e0fdad1c773965cbcef75a
txaio==2.1.0 --hash=sha256:b94e3dbc83760b68955160fc61a2c34e2798f7a90c41672560f40dfd2946a864
R
  $pip -q install --no-deps --no-compile --no-cache-dir --use-pep517 --no-build-isolation --no-binary autobahn,autobahntestsuite,txaio --require-hashes --target "$DIR/orig" -r "$DIR/sdists.txt"
  mkdir -p "$DIR/lib"
  cp -r "$DIR/orig/autobahn" "$DIR/orig/txaio" "$DIR/lib/"
  # Autobahn 0.10.9 knows Python 3; one integer division was forgotten (FuzzingProtocol uses payload_len)
  grep -q 'range(payload_len / len(payload))' "$DIR/lib/autobahn/websocket/protocol.py"
  sed -i 's|range(payload_len / len(payload))|range(payload_len // len(payload))|' "$DIR/lib/autobahn/websocket/protocol.py"
  cat > "$DIR/lib/port.py" <<'PORT_PY'
"""port.py ORIG DEST: convert autobahntestsuite 25.10.1 (Python 2) to Python 3.

Method: sources are read and re-declared as latin-1, so a native '' literal holds exactly one
character per byte, as a Python 2 str did; the case files then need no edits.  A shim in
FuzzingProtocol encodes str -> latin-1 bytes on the way out and decodes on the way in."""
import os, re, shutil, sys
from fissix.refactor import RefactoringTool, get_fixers_from_package     # lib2to3's successor
PKG = "fissix.fixes"
ORIG, DEST = sys.argv[1:3]
SKIP = {"set_literal", "buffer", "idioms", "ws_comma", "unicode", "future", "asserts"}
FIXERS = [f for f in get_fixers_from_package(PKG) if f.rsplit("fix_", 1)[1] not in SKIP]
tool = RefactoringTool(FIXERS)

def sub(text, old, new, count=1, name=""):
    n = text.count(old)
    if n != count:
        raise SystemExit("port.py: %s: %r found %d times, expected %d" % (name, old, n, count))
    return text.replace(old, new)

def patch_pre(rel, t):
    if rel == "report.py":                      # keep only the CSS/JS constants
        t = t[:t.index("REPORT_DIR_PERMISSIONS")].replace("import jinja2\n", "")
    return t

SHIM = '''
   ## --- Python 3 port: payloads inside cases are latin-1 str (one char per octet) ---
   def sendFrame(self, opcode, payload = b'', *args, **kwargs):
      return super().sendFrame(opcode, _b(payload), *args, **kwargs)

   def sendMessage(self, payload, *args, **kwargs):
      return super().sendMessage(_b(payload), *args, **kwargs)

   def sendMessageFrameData(self, payload, *args, **kwargs):
      return super().sendMessageFrameData(_b(payload), *args, **kwargs)

   def sendMessageFrame(self, payload, *args, **kwargs):
      return super().sendMessageFrame(_b(payload), *args, **kwargs)

   def sendPing(self, payload = None):
      return super().sendPing(_b(payload))

   def sendPong(self, payload = None):
      return super().sendPong(_b(payload))

   def sendCloseFrame(self, code = None, reasonUtf8 = None, isReply = False):
      return super().sendCloseFrame(code, _b(reasonUtf8), isReply)

'''

HELPERS = '''
def _b(data):
   """latin-1 str (or bytes, or None) -> bytes"""
   return data.encode('latin-1') if isinstance(data, str) else data

def _s(data):
   """text for reports"""
   if isinstance(data, str):
      try:
         data = data.encode('latin-1')
      except UnicodeEncodeError:
         return data
   return data.decode('utf8', 'replace') if isinstance(data, bytes) else data

def _hex(data):
   return binascii.b2a_hex(data).decode('ascii')

def _resource(pkg, rel):
   return os.path.join(os.path.dirname(os.path.abspath(__file__)), rel)

'''

def patch_post(rel, t):
    s = lambda old, new, count=1: sub(t, old, new, count, rel)
    if rel == "fuzzing.py":
        t = s("import os, json, binascii, time, textwrap, pkg_resources\n", "import os, json, binascii, time, textwrap\n" )
        t = s("from twisted.internet import reactor, ssl\n",
              "from twisted.internet import reactor\ntry:\n   from twisted.internet import ssl   # needs pyopenssl: only for wss\nexcept ImportError:\n   ssl = None\n")
        t = s("def binLogData(", HELPERS + "def binLogData(")
        t = s("   ellipses = \" ...\"\n   if len(data)", "   ellipses = \" ...\"\n   data = _b(data)\n   if len(data)")
        t = s("      dd = binascii.b2a_hex(data[:maxlen]) + ellipses\n", "      dd = _hex(data[:maxlen]) + ellipses\n")
        t = s("      dd = binascii.b2a_hex(data)\n", "      dd = _hex(data)\n")
        t = s("   ellipses = \" ...\"\n   try:\n", "   ellipses = \" ...\"\n   data = _b(data)\n   try:\n")
        t = s("         dd = data[:maxlen] + ellipses\n", "         dd = data[:maxlen] + ellipses.encode('ascii')\n")
        t = s("   MAX_WIRE_LOG_DATA = 256\n", "   MAX_WIRE_LOG_DATA = 256\n" + SHIM)
        t = s("p = ''.join(payload)", "p = b''.join(payload)")
        t = s("binascii.b2a_hex(frameHeader.mask) if", "_hex(frameHeader.mask) if", 2)
        t = s("mmask = binascii.b2a_hex(t[6])", "mmask = t[6]")
        t = s('"description": self.Case.DESCRIPTION', '"description": _s(self.Case.DESCRIPTION)')
        t = s('"expectation": self.Case.EXPECTATION', '"expectation": _s(self.Case.EXPECTATION)')
        t = s("% CCase.DESCRIPTION)", "% _s(CCase.DESCRIPTION))")
        t = s("% CCase.EXPECTATION)", "% _s(CCase.EXPECTATION))")
        t = s('"localCloseReason": self.localCloseReason', '"localCloseReason": _s(self.localCloseReason)')
        t = s('"remoteCloseReason": self.remoteCloseReason', '"remoteCloseReason": self.remoteCloseReason if isinstance(self.remoteCloseReason, str) else _s(self.remoteCloseReason)')
        t = s('"httpRequest": self.http_request_data if', '"httpRequest": _s(self.http_request_data) if')
        t = s('"httpResponse": self.http_response_data if', '"httpResponse": _s(self.http_response_data) if')
        t = s("         self.runCase.onPong(payload)\n", "         self.runCase.onPong(payload.decode('latin-1'))\n")
        t = s("         self.runCase.onMessage(msg, binary)\n", "         self.runCase.onMessage(msg.decode('latin-1'), binary)\n")
        t = s('log.msg("Pong received: " + payload)', 'log.msg("Pong received: %r" % payload)')
        t = s(", report_filename), 'w')", ", report_filename), 'w', encoding = 'utf-8', errors = 'replace')", 4)
        t = s(".encode(\"utf-8\"))\n      f.write('      </table>')", ")\n      f.write('      </table>')")
        t = s("ll.encode('utf8')", "ll")
        t = s("self.contextFactory = ssl.ClientContextFactory()", "self.contextFactory = ssl.ClientContextFactory() if ssl else None")
        t = s("listenWS(factory, sslContext)", "listenWS(factory, sslContext, interface = '127.0.0.1')")
        t = s("pkg_resources.resource_filename(", "_resource(")
        # reason 'connectWS(self)' for the 2nd and later servers forgets the TLS context; same as original otherwise
    elif rel == "case/case.py":
        # the original compares pickles; with Python 3 pickle's memo that would compare object identity too
        t = s("return pickle.dumps(obj1) == pickle.dumps(obj2)", "return obj1 == obj2")
        t = s("import pickle\n", "")
    elif rel == "case/case10_1_1.py":
        t = s("len(self.payload) / self.p.autoFragmentSize", "len(self.payload) // self.p.autoFragmentSize")
    elif rel == "case/case12_x_x.py":
        t = s("import copy, os, pkg_resources, hashlib, binascii\n", "import copy, os, hashlib, binascii\n")
        t = s("pkg_resources.resource_filename(\"autobahntestsuite\", ", "os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ", 3)
        t = s("   m = hashlib.sha1()\n   m.update(msg)\n   received_hash", "   msg = msg.encode('latin-1')\n   m = hashlib.sha1()\n   m.update(msg)\n   received_hash")
        t = s("      msg = ''\n", "      msg = b'' if self.TESTDATA['binary'] else ''\n")
    elif rel == "case/case6_x_x.py":
        t = s("v.validate(vss[:i])", "v.validate(vss[:i].encode('latin-1'))")
        t = s("binascii.b2a_hex(p[1])", "binascii.b2a_hex(p[1].encode('latin-1')).decode('ascii')")
    elif rel == "case/case7_5_1.py":
        t = s("binascii.b2a_hex(self.p.localCloseReason)", "binascii.b2a_hex(self.p.localCloseReason).decode('ascii')")
    elif re.match(r"case/case6_[234]_\d\.py$", rel):
        t = re.sub(r"binascii\.b2a_hex\(((?:Case6_\d_\d\.)?PAYLOAD\d?(?:\[\d*:?\d*\])?)\)",
                   r"binascii.b2a_hex(\1.encode('latin-1')).decode('ascii')", t)
        assert t.count("b2a_hex(") == t.count("encode('latin-1')).decode('ascii')"), rel
    t = t.replace("(object, Case, )", "(Case, )").replace("(object, Case,)", "(Case, )")
    return t

KEEP = {"_version.py", "caseset.py", "fuzzing.py", "report.py", "spectemplate.py"}
shutil.rmtree(DEST, ignore_errors=True)
n = 0
for top, dirs, files in os.walk(ORIG):
    dirs[:] = sorted(d for d in dirs if d != "__pycache__")
    reltop = os.path.relpath(top, ORIG)
    if reltop != "." and reltop.split(os.sep)[0] not in ("case", "testdata"):
        continue
    os.makedirs(os.path.join(DEST, reltop), exist_ok=True)
    for f in sorted(files):
        rel = os.path.normpath(os.path.join(reltop, f))
        src, dst = os.path.join(ORIG, rel), os.path.join(DEST, rel)
        if not f.endswith(".py"):
            shutil.copyfile(src, dst)
            continue
        if reltop == "." and f not in KEEP or f == "case9_9_1.py":   # 9.9.1: not in the case list
            continue
        t = open(src, "rb").read().decode("latin-1").replace("\r\n", "\n")
        t = re.sub(r"^[ \t\f]*#.*?coding[:=].*\n", "", t, flags=re.M)
        if not t.endswith("\n"):
            t += "\n"
        t = patch_pre(rel, t)
        t = str(tool.refactor_string(t, src))
        if rel == "case/__init__.py":
            t = sub(t, "from .case9_9_1 import *\n", "", 1, rel)
        t = patch_post(rel, t)
        compile(t, rel, "exec")
        with open(dst, "wb") as o:
            o.write(b"# -*- coding: latin-1 -*-\n" + t.encode("latin-1"))
        n += 1
with open(os.path.join(DEST, "__init__.py"), "w") as o:
    o.write("from ._version import __version__\nversion = __version__\n")
print("converted %d files" % n)
PORT_PY
  cat > "$DIR/lib/abts_run.py" <<'RUN_PY'
"""abts_run.py server URL | client COMMAND   (called by autobahn.sh; see its usage text)"""
import argparse, fnmatch, json, os, signal, socket, subprocess, sys, time, warnings
warnings.filterwarnings("ignore")
from twisted.internet import epollreactor
epollreactor.install()
from twisted.internet import reactor
from twisted.logger import globalLogBeginner

ap = argparse.ArgumentParser(prog="autobahn.sh", description="Autobahn|Testsuite: test a WebSocket server or client")
ap.add_argument("verb", choices=["server", "client"])
ap.add_argument("target", help="server: ws://127.0.0.1:PORT[/path]; client: shell command, run with AUTOBAHN_URL set")
ap.add_argument("globs", nargs="*", help="cases: globs of case ids ('1.*', '9.[12].*'), ids, or section prefixes ('9', '7.1'); default all")
ap.add_argument("-x", "--exclude", action="append", default=[], metavar="GLOB", help="cases to leave out (repeatable, commas allowed)")
ap.add_argument("-o", "--out", help="folder for the JSON reports (emptied of old ones first)")
ap.add_argument("-n", "--name", help="server mode: agent name in the reports [server]")
ap.add_argument("-c", "--strict-close", action="store_true", help="let the soft closing verdicts (WRONG CODE, FAILED BY CLIENT) count as failures too")
ap.add_argument("-s", "--strict", action="store_true", help="let NON-STRICT and UNIMPLEMENTED count as failures too")
ap.add_argument("-L", "--lax-close", action="store_true", help="never let the closing verdict (behaviorClose) count as a failure")
ap.add_argument("-p", "--port", type=int, default=0, help="client mode: port of the fuzzing server [a free one]")
ap.add_argument("-t", "--timeout", type=float, default=0, help="stop after this many seconds and report what has run")
ap.add_argument("-k", "--known", action="append", default=[], metavar="GLOB", help="known failures: listed, but they do not change the exit code")
ap.add_argument("-l", "--list", action="store_true", help="only list the chosen cases")
ap.add_argument("-H", "--html", action="store_true", help="write the HTML reports too")
ap.add_argument("-v", "--verbose", action="store_true", help="print each case as it starts")
A = ap.parse_intermixed_args()

import autobahntestsuite
from autobahntestsuite import fuzzing
from autobahntestsuite.case import Case, Cases, CaseCategories
from autobahn.twisted.websocket import listenWS

def cid(c):
    return c.__name__[4:].replace("_", ".")

def key(i):
    return tuple(int(x) for x in i.split("."))

ALL = sorted((cid(c) for c in Cases), key=key)

def pick(globs):
    out = set()
    for g in [y for x in globs for y in x.split(",") if y]:
        m = [i for i in ALL if fnmatch.fnmatchcase(i, g) or i.startswith(g.rstrip(".") + ".")]
        if not m:
            ap.error("no case matches %r" % g)
        out.update(m)
    return out

chosen = pick(A.globs) if A.globs else set(ALL)
chosen = sorted(chosen - pick(A.exclude), key=key)
known = pick(A.known)
if A.list:
    print("\n".join(chosen))
    sys.exit(0)
if not chosen:
    ap.error("no cases left")
OUT = os.path.abspath(A.out or os.path.join(os.environ.get("ABTS_DIR", "."), "reports", A.verb))
os.makedirs(OUT, exist_ok=True)
for f in os.listdir(OUT):
    if f.endswith((".json", ".html")):
        os.unlink(os.path.join(OUT, f))

errors = []
def observer(e):
    f = e.get("log_failure")
    if f is None:
        return
    t = f.getTraceback()
    if f.check(UnicodeDecodeError) and "in onCloseFrame" in t:
        return              # the peer sent a close reason that is not UTF-8: Autobahn drops the connection
    if f.check(UnicodeDecodeError) and "in parseHttpHeader" in t:
        return              # the peer's HTTP response is not UTF-8
    errors.append(t)
    print("INTERNAL ERROR in the test suite:\n" + t, file=sys.stderr)
globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)

real_print = print
fuzzing.print = real_print if A.verbose else (lambda *a, **k: None)
state = {"done": False, "rc": None, "note": None}
T0 = time.time()
last = [T0]

def progress(self, res):
    if not A.verbose and sys.stderr.isatty():
        sys.stderr.write("\r%-8s %-14s" % (res["id"], res["behavior"]))
        sys.stderr.flush()
    elif not A.verbose and key(res["id"])[0] in (9, 12, 13):
        sub = ".".join(res["id"].split(".")[:2])        # a line for each slow subsection begun
        if state.get("sub") != sub:
            state["sub"] = sub
            print("[%5.0f s] %s ..." % (time.time() - T0, sub), file=sys.stderr, flush=True)
    if A.verbose:
        real_print("   -> %s %s (close: %s) %d ms" % (res["id"], res["behavior"], res["behaviorClose"], res["duration"]))

def make(base):
    class F(base):
        def logCase(self, res):
            if state["done"]:          # a case cut off by -t or a signal
                return
            now = time.time()
            res["wall"] = int(1000 * (now - last[0]))
            last[0] = now
            base.logCase(self, res)
            progress(self, res)
        def createReports(self, *a, **k):
            if state["done"]:
                base.createReports(self, produceHtml=A.html)
    return F

def finish():
    if not state["done"]:
        state["done"] = True
        factory.createReports()
        if reactor.running:
            reactor.stop()

def on_signal(*a):
    state["note"] = "interrupted"
    reactor.callFromThread(finish)
signal.signal(signal.SIGINT, on_signal)
signal.signal(signal.SIGTERM, on_signal)

if A.verb == "server":
    class F(make(fuzzing.FuzzingClientFactory)):
        def clientConnectionLost(self, connector, reason):
            # reconnect from the reactor loop, and stop through finish()
            if state["done"]:
                return
            if self.nextCase():
                connector.connect()
            else:
                finish()
        def clientConnectionFailed(self, connector, reason):
            state["note"] = "connection to %s failed: %s" % (A.target, reason.getErrorMessage())
            finish()
    fuzzing_connect = fuzzing.connectWS
    spec = {"outdir": OUT, "servers": [{"agent": A.name or "server", "url": A.target}], "cases": chosen, "exclude-cases": [], "exclude-agent-cases": {}}
    factory = F(spec)
else:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", A.port))
    port = s.getsockname()[1]
    s.close()
    url = "ws://127.0.0.1:%d" % port
    spec = {"url": url, "outdir": OUT, "cases": chosen, "exclude-cases": [], "exclude-agent-cases": {}}
    factory = make(fuzzing.FuzzingServerFactory)(spec)
    listenWS(factory, interface="127.0.0.1")

    def poll():
        rc = state["child"].poll()
        if rc is None:
            reactor.callLater(0.1, poll)
        else:
            state["rc"] = rc
            reactor.callLater(0.5, finish)
    def spawn():
        state["child"] = subprocess.Popen(["/bin/bash", "-c", A.target], env=dict(os.environ, AUTOBAHN_URL=url), start_new_session=True)
        poll()
    reactor.callWhenRunning(spawn)

if A.timeout:
    def late():
        state["note"] = "stopped by --timeout %g" % A.timeout
        finish()
    reactor.callLater(A.timeout, late)

reactor.run(installSignalHandlers=False)
finish()                    # for a client that asked the server to stop
child = state.get("child")
if child is not None and state["rc"] is None:
    try:
        os.killpg(child.pid, signal.SIGTERM)    # its own session: only what the command started
        child.wait(5)
    except (OSError, subprocess.TimeoutExpired):
        os.killpg(child.pid, signal.SIGKILL)
if sys.stderr.isatty():
    sys.stderr.write("\r%30s\r" % "")

# ---- summary ----
COLS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
HARD = {"FAILED", "UNCLEAN"}            # what Autobahn's own report shows as Fail in the close column
SOFT = {"WRONG CODE", "FAILED BY CLIENT"}
fatal_close = set() if A.lax_close else HARD | SOFT if A.strict_close else HARD
HEAD = "%-30s %5s %5s %10s %13s %13s %6s %9s %7s %8s"
status = 0
agents = dict(factory.agents) or {A.name or "(none)": {}}
results = {}
gone = {"passed": 0, "failed": 0}
def short(c, n=150):
    x = c["result"]
    if c["behaviorClose"] not in ("OK", "INFORMATIONAL"):
        x += " | close %s: %s (code %s)" % (c["behaviorClose"], c["resultClose"], c["remoteCloseCode"])
    return x
for agent, cases in sorted(agents.items(), key=lambda x: str(x[0])):
    rows, failed, nonstrict, undone, badclose, soft, missing = {}, [], [], [], [], [], []
    for i in chosen:
        r = rows.setdefault(i.split(".")[0], dict.fromkeys(COLS + ["n", "close", "miss", "ms"], 0))
        c = cases.get(i)
        if c is None:
            r["miss"] += 1
            missing.append(i)
            continue
        b = c["behavior"] if c["behavior"] in COLS else "FAILED"
        r[b] += 1
        r["n"] += 1
        r["ms"] += c["wall"]
        if b == "FAILED":
            failed.append(i)
        elif b == "NON-STRICT":
            nonstrict.append(i)
        elif b == "UNIMPLEMENTED":
            undone.append(i)
        if b != "FAILED" and b != "UNIMPLEMENTED" and c["behaviorClose"] in HARD | SOFT:
            if c["behaviorClose"] in fatal_close:
                r["close"] += 1
                badclose.append(i)
            else:
                soft.append(i)
    print("\n== %s of %s: %s" % ("server test" if A.verb == "server" else "client test", agent, A.target))
    print(HEAD % ("section", "run", "OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED", "BAD-CLOSE", "not run", "seconds"))
    tot = dict.fromkeys(COLS + ["n", "close", "miss", "ms"], 0)
    for sec, r in list(rows.items()) + [("total", tot)]:
        if r is not tot:
            for k in tot:
                tot[k] += r[k]
        print(HEAD % ((sec + " " + CaseCategories.get(sec, ""))[:30], r["n"], *(r[c] for c in COLS), r["close"], r["miss"], "%.1f" % (r["ms"] / 1000)))
    bad = failed + badclose + (nonstrict + undone if A.strict else [])
    new = sorted({i for i in bad if i not in known}, key=key)
    print("FAILED cases: %s" % (" ".join(i for i in failed if i not in known) or "none"))
    if nonstrict:
        print("NON-STRICT cases: %s" % " ".join(nonstrict))
    if badclose:
        print("BAD-CLOSE cases (messages as expected, but the connection was not closed as it must be): %s" % (" ".join(i for i in badclose if i not in known) or "none"))
    if known & set(bad):
        print("known failures (-k): %s" % " ".join(i for i in bad if i in known))
    for i in bad[:30]:
        print("   %s: %s" % (i, short(cases[i])))
    if soft:
        print("closing verdicts that do not count: %s" % " ".join("%s[%s %s]" % (i, cases[i]["behaviorClose"], cases[i]["remoteCloseCode"]) for i in soft))
    if missing:
        print("NOT RUN: %s" % (" ".join(missing) if len(missing) <= 40 else "%d cases, first %s" % (len(missing), " ".join(missing[:10]))))
        status = max(status, 2)
    if new:
        status = max(status, 1)
    gone["passed"] += tot["n"] - len(new)
    gone["failed"] += len(new) + tot["miss"]
    results[str(agent)] = {"sections": rows, "total": tot, "failed": failed, "nonStrict": nonstrict, "badClose": badclose, "softClose": soft, "missing": missing}
if state["note"]:
    print("NOTE: " + state["note"])
    status = 2
if state["rc"] not in (None, 0):
    print("NOTE: the client command ended with %s" % state["rc"])
    status = max(status, 1)
if errors:
    print("NOTE: %d internal errors in the test suite (see stderr): results are not trustworthy" % len(errors))
    status = 3
with open(os.path.join(OUT, "summary.json"), "w") as f:
    json.dump(results, f, indent=1)
print("reports: %s (index.json, one JSON a case, summary.json); wall %.1f s; exit %d" % (OUT, time.time() - T0, status))
print("%(passed)d passed, %(failed)d failed" % gone)
sys.exit(status)
RUN_PY
  "$DIR/venv/bin/python" -W ignore "$DIR/lib/port.py" "$DIR/orig/autobahntestsuite" "$DIR/lib/autobahntestsuite" >&2
  PYTHONPATH="$DIR/lib" "$DIR/venv/bin/python" -W ignore -c 'from autobahntestsuite.case import Cases; assert len(Cases) == 517, len(Cases)'
  touch "$STAMP"
}

if [ ! -e "$STAMP" ]; then
  exec 9> "$DIR/.lock"; flock 9
  [ -e "$STAMP" ] || setup
  exec 9>&-
fi
[ "$1" = setup ] && { echo "autobahn.sh: ready in $DIR"; exit 0; }
export ABTS_DIR="$DIR"
exec env PYTHONPATH="$DIR/lib" "$DIR/venv/bin/python" -u "$DIR/lib/abts_run.py" "$@"
