// http2.mjs server [KEY CERT] | client URL [CA]: WebSocket over HTTP/2 with Node's own http2 (nghttp2) and the frames of `ws`.
// The server echoes on a free port of 127.0.0.1 and says `ready PORT`; `server-without` does not allow the extended CONNECT.
// The client sends a text, 256 bytes and 1 MiB, compares the echoes, closes with 4001 and prints one JSON line per check.
import http2 from "node:http2";
import fs from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const WebSocket = createRequire(import.meta.url)("/usr/share/nodejs/ws");
const [role, ...rest] = process.argv.slice(2);

// A socket of `ws` over a stream: it only needs a Duplex with the methods of a socket.
function over(stream, isServer) {
  stream.setNoDelay ??= () => {};
  stream.setKeepAlive ??= () => {};
  const socket = new WebSocket(null);
  socket._isServer = isServer;
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 8 << 20, skipUTF8Validation: false });
  return socket;
}

if (role.startsWith("server")) {
  const options = { settings: { enableConnectProtocol: role === "server" } };
  const [key, cert] = rest;
  const server = key
    ? http2.createSecureServer({ ...options, key: fs.readFileSync(key), cert: fs.readFileSync(cert) })
    : http2.createServer(options);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":protocol"] !== "websocket") return stream.respond({ ":status": 404 }, { endStream: true });
    stream.respond({ ":status": 200, "sec-websocket-protocol": headers["sec-websocket-protocol"]?.split(",")[0] ?? [] });
    const socket = over(stream, true);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1", () => console.log(`ready ${server.address().port}`));
} else {
  const [url, ca] = rest;
  const say = (check, problem) => console.log(JSON.stringify({ check, problem }));
  const session = http2.connect(url, ca ? { ca: fs.readFileSync(ca) } : {});
  session.on("error", (error) => { say("session", String(error)); process.exit(1); });
  session.on("remoteSettings", (settings) => {
    say("settings allow the extended CONNECT", settings.enableConnectProtocol ? null : "they do not");
    const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/node", "sec-websocket-version": "13" });
    stream.on("response", (headers) => {
      say("status 200", headers[":status"] === 200 ? null : `${headers[":status"]}`);
      const socket = over(stream, false);
      const sent = [Buffer.from("grüße 👋"), Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)), Buffer.alloc(1 << 20, 7)];
      let next = 0;
      socket.on("message", (data, isBinary) => {
        const same = Buffer.compare(Buffer.from(data), sent[next]) === 0 && isBinary === next > 0;
        say(["text", "binary 0..255", "1 MiB binary"][next], same ? null : "the echo differs");
        next += 1;
        if (next < sent.length) socket.send(sent[next]); else socket.close(4001, "done");
      });
      socket.on("close", (code) => { say("close 4001", code === 4001 ? null : `closed with ${code}`); session.close(); });
      socket.send("grüße 👋");
    });
    stream.on("error", (error) => { say("stream", String(error)); process.exit(1); });
  });
}
