#!/usr/bin/env python3
"""nginx.py: what `wscope send` makes of Debian's nginx in front of `wscope listen`, set up as it should be and as it should not.

Reverse proxy with and without the Upgrade fields, redirects, passwords, an upstream that is down, TLS with certificates that are wrong in
one way each, client certificates, versions, ALPN and HTTP/2. Each row: the exit code, the reply, and words that must stand in the
explanation. nginx runs on loopback with a configuration of its own. The program is $WSCOPE, default .build/release/wscope.
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Peers"))
sys.dont_write_bytecode = True
from certificates import Certificates  # noqa: E402
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, Child, Failure, free_port, listen, require_wscope, scratch  # noqa: E402

SECONDS = 30
checks = Checks()

CONFIGURATION = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  proxy_connect_timeout 5s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{plain};
    location / {{ {upgrade} proxy_pass http://127.0.0.1:{upstream}; }}
    location /bare {{ proxy_pass http://127.0.0.1:{upstream}; }}
    location /old {{ proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_pass http://127.0.0.1:{upstream}; }}
    location /moved {{ return 301 http://$host:{plain}/new; }}
    location /found {{ return 307 wss://localhost:{good}/new; }}
    location /loop {{ return 302 /loop; }}
    location /secret {{ auth_basic "the realm"; auth_basic_user_file {dir}/users; {upgrade} proxy_pass http://127.0.0.1:{upstream}; }}
    location /down {{ {upgrade} proxy_pass http://127.0.0.1:{dead}; }}
    location /page {{ default_type text/html; return 200 "<html>a page</html>"; }}
    location /forbidden {{ return 403 "not from there"; }}
    location /busy {{ add_header Retry-After 17 always; return 429 "slowly"; }}
    location /gone {{ return 404; }}
    location /break {{ return 444; }}
  }}
  ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key};
  server {{ listen 127.0.0.1:{good} ssl http2; location / {{ {upgrade} proxy_pass http://127.0.0.1:{upstream}; }} }}
  server {{ listen 127.0.0.1:{other} ssl; ssl_certificate {dir}/other.pem; ssl_certificate_key {dir}/other-key.pem; }}
  server {{ listen 127.0.0.1:{expired} ssl; ssl_certificate {dir}/expired.pem; ssl_certificate_key {dir}/expired-key.pem; }}
  server {{ listen 127.0.0.1:{early} ssl; ssl_certificate {dir}/early.pem; ssl_certificate_key {dir}/early-key.pem; }}
  server {{ listen 127.0.0.1:{cut} ssl; ssl_certificate {dir}/leaf.pem; ssl_certificate_key {dir}/leaf-key.pem; }}
  server {{ listen 127.0.0.1:{selfmade} ssl; ssl_certificate {dir}/selfmade.pem; ssl_certificate_key {dir}/selfmade-key.pem; }}
  server {{
    listen 127.0.0.1:{private} ssl; ssl_verify_client on; ssl_client_certificate {ca};
    location / {{ {upgrade} proxy_pass http://127.0.0.1:{upstream}; }}
  }}
  server {{ listen 127.0.0.1:{tls12} ssl; ssl_protocols TLSv1.2; location / {{ {upgrade} proxy_pass http://127.0.0.1:{upstream}; }} }}
}}
"""
UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
PORTS = ["plain", "good", "other", "expired", "early", "cut", "selfmade", "private", "tls12", "dead"]


class Authority:
    """Certificates with dates and names of one's choice, by `openssl ca`."""

    def __init__(self, folder, certificates):
        self.folder, self.ca = folder, certificates
        self.config = self.path("ca.cnf")
        with open(self.config, "w") as file:
            file.write(f"[ca]\ndefault_ca = here\n[here]\nnew_certs_dir = {folder}\ndatabase = {self.path('index')}\nrand_serial = yes\n"
                       "default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n")
        open(self.path("index"), "w").close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"openssl {arguments[0]}: {done.stderr[-300:]}")

    def issue(self, name, extensions, *, by=None, start="20200101000000Z", end="20990101000000Z"):
        """NAME.pem with NAME-key.pem, signed by the authority of the run or by another that was issued here."""
        files = [self.path(f"{name}{ending}") for ending in ("-key.pem", ".csr", ".ext", ".pem")]
        key, request, extension, certificate = files
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request,
                     "-subj", f"/CN={name}")
        with open(extension, "w") as file:
            file.write("\n".join(extensions) + "\n")
        signer, signer_key = (self.path(f"{by}.pem"), self.path(f"{by}-key.pem")) if by else (self.ca.ca, os.path.join(self.ca.folder, "ca-key.pem"))
        self.openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", signer, "-keyfile", signer_key, "-in", request,
                     "-out", certificate, "-extfile", extension, "-startdate", start, "-enddate", end)
        return certificate, key


def make_certificates(folder, certificates):
    here = ["basicConstraints=CA:FALSE", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    authority = Authority(folder, certificates)
    authority.issue("other", ["basicConstraints=CA:FALSE", "subjectAltName=DNS:elsewhere.example,DNS:*.elsewhere.example"])
    authority.issue("expired", here, end="20210101000000Z")
    authority.issue("early", here, start="20980101000000Z")
    authority.issue("middle", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"])
    authority.issue("leaf", here, by="middle")
    authority.issue("client", ["basicConstraints=CA:FALSE", "extendedKeyUsage=clientAuth"])
    authority.openssl("pkcs12", "-export", "-in", authority.path("client.pem"), "-inkey", authority.path("client-key.pem"),
                      "-out", authority.path("client.p12"), "-passout", "pass:hush")
    authority.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                      "-keyout", authority.path("selfmade-key.pem"), "-out", authority.path("selfmade.pem"), "-subj", "/CN=localhost",
                      "-addext", "subjectAltName=DNS:localhost")


def start(certificates):
    folder = os.path.join(scratch(), "nginx")
    os.mkdir(folder, 0o755)
    os.chmod(scratch(), 0o755)  # nginx's worker is not root
    make_certificates(folder, certificates)
    with open(os.path.join(folder, "users"), "w") as file:
        file.write("ada:{PLAIN}lovelace\n")
    _, upstream = listen("-q")
    ports = {name: free_port() for name in PORTS}
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as file:
        file.write(CONFIGURATION.format(dir=folder, upstream=upstream, upgrade=UPGRADE, cert=certificates.cert, key=certificates.key,
                                        ca=certificates.ca, **ports))
    child = Child("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-e", os.path.join(folder, "error.log"), "-c", config], group=True)
    for name in PORTS:
        if name != "dead":
            child.wait_for_port(ports[name])
    return folder, ports


def row(name, options, code, *said, output=b""):
    """`send` of one message; `options` has the URL."""
    done = subprocess.run([WSCOPE, "send", "-N", "1", *options, "hi"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    errors = done.stderr.decode(errors="replace")
    missing = [words for words in said if words not in errors]
    if code and not errors.rpartition("\n  ")[2].startswith(("hint: ", "try: ")):
        missing.append("a hint at the end")
    wanted = output or (b"hi\n" if code == 0 else b"")
    checks.record("send", name, None if (done.returncode, done.stdout, missing) == (code, wanted, []) else
                  f"exit {done.returncode} (wanted {code}), stdout {done.stdout[:80]!r}, missing {missing}; stderr: {errors.strip()[-500:]!r}")
    table.append([name, str(done.returncode), errors.splitlines()[0][:110] if errors and code else "ok"])


table = []


def plain_rows(port):
    def at(path):
        return f"ws://127.0.0.1:{port}{path}"
    row("reverse proxy as it should be", [at("/chat")], 0)
    row("without the Upgrade fields", [at("/bare")], 22, "400 Bad Request", "hint: ", "proxy_set_header Upgrade $http_upgrade")
    row("with them, over HTTP/1.0", [at("/old")], 22, "400 Bad Request", "HTTP/1.1", "proxy_http_version 1.1")
    row("301", [at("/moved")], 22, "301 Moved Permanently", f"location: http://127.0.0.1:{port}/new", "hint: -L")
    row("301, -L", ["-L", at("/moved")], 0)
    row("302 to itself, -L", ["-L", "--max-redirects", "3", at("/loop")], 47, "more than 3 redirects")
    row("401", [at("/secret")], 22, "401 Unauthorized", 'www-authenticate: Basic realm="the realm"', "--user")
    row("401, wrong password", ["--allow-clear-auth", "-u", "ada:byron", at("/secret")], 22, "401 Unauthorized")
    row("401, right password", ["--allow-clear-auth", "-u", "ada:lovelace", at("/secret")], 0)
    row("the upstream is down", [at("/down")], 22, "502 Bad Gateway", "hint: ")
    row("a web page", [at("/page")], 22, "200 OK", "page")
    row("403", ["-o", "https://app.example", at("/forbidden")], 22, "403 Forbidden", "https://app.example", "body: not from there")
    row("429", [at("/busy")], 22, "429 Too Many Requests", "retry-after: 17")
    row("404", [at("/gone")], 22, "404 Not Found", "hint: ")
    row("closed before a reply", [at("/break")], 52, "closed the connection before it replied")
    row("wss to a plain port", [f"wss://127.0.0.1:{port}/"], 35, "plain HTTP", "try: ", f"ws://127.0.0.1:{port}/")


def secure_rows(folder, ports, ca):
    def at(name, host="localhost"):
        return f"wss://{host}:{ports[name]}/"

    def file(name):
        return os.path.join(folder, name)
    trust = ["--cacert", ca]
    row("wss as it should be", [*trust, "-v", at("good")], 0, "TLSv1.3", "sha256//")
    row("wss, an address in the certificate", [*trust, at("good", "127.0.0.1")], 0)
    row("307 from ws to wss, -L", [*trust, "-L", f"ws://127.0.0.1:{ports['plain']}/found"], 0)
    row("ws to a TLS port", [f"ws://localhost:{ports['good']}/"], 22, "400 Bad Request", "plain HTTP request was sent to HTTPS port", "wss://")
    row("unknown authority", [at("good")], 60, "not trusted", "wscope test authority", "--cacert")
    row("unknown authority, --insecure", ["-k", at("good")], 0, "not verified")
    row("wrong name", [*trust, at("other")], 60, "not for localhost", "DNS:elsewhere.example, DNS:*.elsewhere.example")
    row("expired", [*trust, at("expired")], 60, "has expired", "2021-01-01")
    row("not yet valid", [*trust, at("early")], 60, "not yet valid", "2098-01-01")
    row("intermediate missing", [*trust, at("cut")], 60, "unknown issuer CN=middle", "does not send its complete chain")
    row("self-signed", [*trust, at("selfmade")], 60, "self-signed")
    row("client certificate missing", [*trust, at("private")], 22, "400 Bad Request", "No required SSL certificate was sent", "--cert")
    row("client certificate, PEM", [*trust, "--cert", file("client.pem"), "--key", file("client-key.pem"), at("private")], 0)
    row("client certificate, PKCS#12", [*trust, "--cert", file("client.p12"), "--pass", "hush", at("private")], 0)
    row("client certificate of a stranger", [*trust, "--cert", file("selfmade.pem"), "--key", file("selfmade-key.pem"), at("private")], 22,
        "400 Bad Request", "SSL certificate error", "--cert")
    row("TLS 1.2 alone", [*trust, "-v", at("tls12")], 0, "TLSv1.2")
    row("TLS 1.2 alone, --tls-min 1.3", [*trust, "--tls-min", "1.3", at("tls12")], 35, "version", "hint: ")
    row("ALPN h2", [*trust, "--alpn", "h2", at("good")], 35, "ALPN chose h2")
    row("--http2", [*trust, "--http2", at("good")], 8, "does not support WebSocket over HTTP/2", "without --http2")
    row("--http2, HTTP/1.1 alone", [*trust, "--http2", at("tls12")], 35, "does not speak HTTP/2")


def main():
    require_wscope()
    certificates = Certificates()
    try:
        folder, ports = start(certificates)
        plain_rows(ports["plain"])
        secure_rows(folder, ports, certificates.ca)
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        checks.record("send", "runs to its end", str(failure))
    print_table(["nginx", "exit", "said"], table)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
