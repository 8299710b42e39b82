// client.mjs URL [wait]: the WebSocket client of whichever of Node (`ws`), Bun or Deno runs it, against an echo server.
// Sends each kind of message and compares the echo, then closes with 4001; one JSON line per check on stdout.
// With `wait` it says `open`, then waits for the server's close and says {"closed":CODE}.
import process from "node:process";

const [url, mode] = process.argv.slice(2);
const Client = globalThis.Bun || globalThis.Deno
  ? globalThis.WebSocket
  : (await import("node:module")).createRequire(import.meta.url)("/usr/share/nodejs/ws");  // Debian's node-ws
const socket = new Client(url);
socket.binaryType = "arraybuffer";

const say = (value) => console.log(JSON.stringify(value));
const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const big = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const messages = [
  ["text", "grüße 👋 \"quoted\"\nsecond line"],
  ["empty text", ""],
  ["binary 0..255", bytes],
  ["1 MiB text", "0123456789abcdeé".repeat((1 << 20) / 17) + "x".repeat((1 << 20) % 17)],
  ["1 MiB binary", big],
];
const same = (sent, got) => typeof sent === "string"
  ? got === sent
  : got instanceof ArrayBuffer && Buffer.compare(Buffer.from(got), Buffer.from(sent)) === 0;
const { Buffer } = await import("node:buffer");
let next = 0;

socket.onopen = () => {
  if (mode === "wait") say("open");
  else socket.send(messages[0][1]);
};
socket.onmessage = ({ data }) => {
  const [check, sent] = messages[next];
  say({ check, problem: same(sent, data) ? null : `the echo differs: ${typeof data} of ${data.length ?? data.byteLength}` });
  next += 1;
  if (next < messages.length) socket.send(messages[next][1]);
  else socket.close(4001, "done");
};
socket.onerror = (event) => console.error("error", event.message ?? event.type);
socket.onclose = ({ code, wasClean }) => {
  if (mode === "wait") say({ closed: code });
  else say({ check: "close 4001", problem: code === 4001 && wasClean && next === messages.length ? null : `closed with ${code}, clean ${wasClean}, after ${next} messages` });
  process.exit(0);
};
