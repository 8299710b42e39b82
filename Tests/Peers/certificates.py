"""A certificate authority of one run and a server certificate for localhost, 127.0.0.1 and ::1, made with openssl."""
import os
import subprocess

from processes import scratch


class Certificates:
    def __init__(self):
        self.folder = os.path.join(scratch(), "certificates")
        os.mkdir(self.folder, 0o700)
        self.ca, self.cert, self.key, self.pkcs12 = (
            os.path.join(self.folder, name) for name in ("ca.pem", "server.pem", "server-key.pem", "server.p12"))
        ca_key, request, extensions = (os.path.join(self.folder, name) for name in ("ca-key.pem", "server.csr", "server.ext"))
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-days", "2", "-subj", "/CN=wscope test authority",
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self._openssl("req", *new_key, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost")
        with open(extensions, "w") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nbasicConstraints=CA:FALSE\n"
                       "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial",
                      "-days", "2", "-extfile", extensions, "-out", self.cert)
        self._openssl("pkcs12", "-export", "-in", self.cert, "-inkey", self.key, "-out", self.pkcs12, "-passout", "pass:wscope")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
