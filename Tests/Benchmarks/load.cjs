// load.cjs PORT CONNECTIONS DEPTH SIZE SECONDS: Node `ws` as a closed-loop load client with text messages; prints {"rate":N}.
const WebSocket = require("/usr/share/nodejs/ws");  // Debian's node-ws

const [port, connections, depth, size, seconds] = process.argv.slice(2).map(Number);
const message = "x".repeat(size);
const sockets = [];
let open = 0, answered = 0, begin;

function start() {
  begin = process.hrtime.bigint();
  answered = 0;
  for (const socket of sockets) for (let i = 0; i < depth; i++) socket.send(message);
  setTimeout(() => {
    const took = Number(process.hrtime.bigint() - begin) / 1e9;
    console.log(JSON.stringify({ rate: answered / took }));
    for (const socket of sockets) socket.terminate();
  }, seconds * 1000);
}

for (let i = 0; i < connections; i++) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  sockets.push(socket);
  socket.on("open", () => { if (++open === connections) start(); });
  socket.on("message", () => {
    answered += 1;
    socket.send(message);
  });
}
