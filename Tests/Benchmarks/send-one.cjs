// send-one.cjs URL MESSAGE: Node `ws` does what `wscope send -N 1 URL MESSAGE` does: sends, prints the reply, closes with 1000.
const WebSocket = require("/usr/share/nodejs/ws");  // Debian's node-ws

const [url, message] = process.argv.slice(2);
const socket = new WebSocket(url, { perMessageDeflate: false });
socket.on("open", () => socket.send(message));
socket.on("message", (data) => {
  process.stdout.write(data.toString() + "\n");
  socket.close(1000);
});
