/// `/echo`: echoes every message, up to a maximum size.
enum EchoPath {
  static let entry = TestPathEntry(
    pattern: "/echo", aliases: ["/raw", "/mirror", "/websocket/echo"], query: ["max_message_size"],
    summary:
      "Sends every message back; a message over max_message_size is answered with Close 1009."
  ) { arguments throws(InvalidArgument) in
    .accept(
      PathConnection(
        behaviour: Echo.Maker(), messageLimit: try arguments.size("max_message_size")))
  }
}
