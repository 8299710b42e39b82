// fanout-server.mjs: sends each message to all clients of its path, the sender too, on a free port of 127.0.0.1: `publish` of Bun (uWebSockets),
// or a plain loop with `ws` of Node. Says `ready PORT` on stdout.
import process from "node:process";

const hostname = "127.0.0.1";
function ready(port) { console.log(`ready ${port}`); }

if (globalThis.Bun) {
  const server = Bun.serve({
    hostname, port: 0,
    fetch(request, server) {
      if (server.upgrade(request, { data: { path: new URL(request.url).pathname } })) return;
      return new Response("", { status: 426 });
    },
    websocket: {
      open(socket) { socket.subscribe(socket.data.path); },
      message(socket, message) { server.publish(socket.data.path, message); },
      idleTimeout: 0, perMessageDeflate: false,
    },
  });
  ready(server.port);
} else {
  const { createRequire } = await import("node:module");
  const { WebSocketServer } = createRequire(import.meta.url)("/usr/share/nodejs/ws");  // Debian's node-ws
  const rooms = new Map();
  const server = new WebSocketServer({ host: hostname, port: 0, perMessageDeflate: false });
  server.on("connection", (socket, request) => {
    const path = request.url.split("?")[0];
    if (!rooms.has(path)) rooms.set(path, new Set());
    const room = rooms.get(path).add(socket);
    socket.on("message", (data, binary) => { for (const member of room) member.send(data, { binary }); });
    socket.on("close", () => room.delete(socket));
    socket.on("error", () => {});
  });
  server.on("listening", () => ready(server.address().port));
  process.on("SIGTERM", () => process.exit(0));
}
