// client.cjs URL [--header V] [--origin V] [--protocol V]: a script as one writes it with Node `ws`: lines in, messages out; exits 1 after an
// error and after any Close but 1000 or 1001.
const WebSocket = require("/usr/share/nodejs/ws");  // Debian's node-ws
const [url, ...rest] = process.argv.slice(2);
const option = (name) => rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined;
const headers = option("--header") === undefined ? {} : { "X-A": option("--header").replace(/^X-A: /, "") };
const protocol = option("--protocol");
let socket;
try {
  socket = new WebSocket(url, protocol === undefined ? [] : [protocol], { headers, origin: option("--origin") });
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
socket.on("open", () => {
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (text) => { for (const line of text.split("\n")) if (line) socket.send(line); });
  process.stdin.on("end", () => socket.close(1000));
});
socket.on("message", (data) => console.log(data.toString()));
socket.on("error", (error) => { console.error(error.message); process.exitCode = 1; });
socket.on("close", (code) => process.exit(process.exitCode || (code === 1000 || code === 1001 ? 0 : 1)));
