// k6 run client.k6.js with URL (and MODE=wait) in the environment: k6 as the client; see client.mjs. Its log lines carry the JSON.
import ws from "k6/ws";

export const options = { vus: 1, iterations: 1 };

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const big = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const messages = [
  ["text", "grüße 👋 \"quoted\"\nsecond line"],
  ["empty text", ""],
  ["binary 0..255", bytes],
  ["1 MiB text", Array((1 << 20) / 17 | 0).fill("0123456789abcdeé").join("") + "x".repeat((1 << 20) % 17)],
  ["1 MiB binary", big],
];

function same(sent, got) {
  if (typeof sent === "string") return got === sent;
  const view = new Uint8Array(got);
  return view.length === sent.length && view.every((byte, i) => byte === sent[i]);
}

const say = (value) => console.log(JSON.stringify(value));

export default function () {
  const waiting = __ENV.MODE === "wait";
  ws.connect(__ENV.URL, null, (socket) => {
    let next = 0;
    const send = () => {
      const sent = messages[next][1];
      if (typeof sent === "string") socket.send(sent);
      else socket.sendBinary(sent.buffer);
    };
    const received = (data) => {
      const [check, sent] = messages[next];
      say({ check, problem: same(sent, data) ? null : `the echo differs: ${typeof data} of ${data.length || data.byteLength}` });
      next += 1;
      if (next < messages.length) send();
      else socket.close(4001);
    };
    socket.on("open", () => {
      if (waiting) say("open");
      else send();
    });
    socket.on("message", received);
    socket.on("binaryMessage", received);
    socket.on("close", (code) => {
      if (waiting) say({ closed: code });
      else say({ check: "close 4001", problem: code === 4001 && next === messages.length ? null : `closed with ${code} after ${next} messages` });
    });
  });
}
