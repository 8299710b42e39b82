// k6 run --vus N --iterations N load.k6.js with URL, DEPTH, SIZE, SECONDS in the environment: k6 as a closed-loop load client with text messages.
import ws from "k6/ws";

const message = "x".repeat(Number(__ENV.SIZE));

export default function () {
  ws.connect(__ENV.URL, null, (socket) => {
    socket.on("open", () => {
      for (let i = 0; i < Number(__ENV.DEPTH); i++) socket.send(message);
      socket.setTimeout(() => socket.close(), Number(__ENV.SECONDS) * 1000);
    });
    socket.on("message", () => socket.send(message));
  });
}

export function handleSummary(data) {
  return { stdout: JSON.stringify({ rate: data.metrics.ws_msgs_received.values.rate }) + "\n" };
}
