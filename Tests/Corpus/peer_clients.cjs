// peer_clients.cjs URL COUNT LIST: Node `ws` as the client of URL0, URL1, ... URL(COUNT - 1), a few at a time; those whose numbers are in LIST
// (with commas) offer the subprotocols chat and superchat. Prints a line [NUMBER, VERDICT] each: `open`, `open TEXT` or `refused WORDS`.
const WebSocket = require("/usr/share/nodejs/ws");  // Debian's node-ws
const [base, count] = [process.argv[2], Number(process.argv[3])];
const offering = new Set(process.argv[4].split(",").map(Number));
let next = 0;

function run() {
  if (next === count) return;
  const index = next++;
  let verdict;
  const socket = new WebSocket(base + index, offering.has(index) ? ["chat", "superchat"] : [], { handshakeTimeout: 8000 });
  const say = (words) => { verdict = words; };
  socket.on("open", () => { verdict = "open"; setTimeout(() => socket.close(1000), 50); });
  socket.on("message", (data) => { if (verdict === "open") say(`open ${data}`); });
  socket.on("error", (error) => { verdict ??= `refused ${error.message}`; });
  socket.on("close", () => { console.log(JSON.stringify([index, verdict ?? "refused"])); run(); });
}

for (let i = 0; i < 4; i++) run();
