// echo-server.mjs [CERT KEY]: an echo server on a free port of 127.0.0.1, in whichever of Node (`ws`), Bun (uWebSockets) or Deno runs it.
// Says `ready PORT` on stdout. A text message `close CODE REASON` is answered by that close; GET / answers the messages received so far as JSON, {"text":N,"binary":N}.
// With PEER_DEFAULTS in the environment `ws` compresses as its documentation shows (perMessageDeflate: true); its limits are its own in any case.
import { readFileSync } from "node:fs";
import process from "node:process";

const [certFile, keyFile] = process.argv.slice(2);
const cert = certFile && readFileSync(certFile, "utf8");
const key = keyFile && readFileSync(keyFile, "utf8");
const hostname = "127.0.0.1";
const count = { text: 0, binary: 0 };

function asked(message) {  // the close that a text message asks for
  const words = typeof message === "string" && message.startsWith("close ") && message.split(" ");
  return words && { code: Number(words[1]), reason: words.slice(2).join(" ") };
}

function onMessage(socket, message) {
  count[typeof message === "string" ? "text" : "binary"] += 1;
  const close = asked(message);
  if (close) socket.close(close.code, close.reason);
  else socket.send(message);
}

function ready(port) { console.log(`ready ${port}`); }

if (globalThis.Bun) {
  const server = Bun.serve({
    hostname, port: 0, tls: cert ? { cert, key } : undefined,
    fetch(request, server) {
      if (request.headers.has("upgrade") && server.upgrade(request)) return;
      return new Response(JSON.stringify(count));
    },
    websocket: { message: onMessage, idleTimeout: 0, perMessageDeflate: false },
  });
  ready(server.port);
} else if (globalThis.Deno) {
  Deno.serve({ hostname, port: 0, cert, key, onListen: (address) => ready(address.port) }, (request) => {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return new Response(JSON.stringify(count));
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => onMessage(socket, event.data);
    return response;
  });
} else {
  const { createRequire } = await import("node:module");
  const { WebSocketServer } = createRequire(import.meta.url)("/usr/share/nodejs/ws");  // Debian's node-ws
  const answer = (request, response) => response.end(JSON.stringify(count));
  const server = cert
    ? (await import("node:https")).createServer({ cert, key }, answer)
    : (await import("node:http")).createServer(answer);
  const sockets = new WebSocketServer({ server, perMessageDeflate: Boolean(process.env.PEER_DEFAULTS) });
  sockets.on("connection", (socket) => {
    socket.on("message", (data, binary) => onMessage(socket, binary ? data : data.toString()));
    socket.on("error", () => {});  // a peer that breaks the rules gets its Close; the server stays
  });
  server.listen(0, hostname, () => ready(server.address().port));
}
