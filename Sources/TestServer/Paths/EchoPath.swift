/// `/echo`: echoes every message, up to a maximum size of messages and of their fragments.
enum EchoPath {
  static let entry = TestPathEntry(
    pattern: "/echo", aliases: ["/raw", "/mirror", "/websocket/echo"],
    query: ["max_message_size", "max_fragment_size"],
    summary:
      "Sends every message back; one over max_message_size, or with a fragment over max_fragment_size, ends with 1009."
  ) { arguments throws(InvalidArgument) in
    .accept(
      PathConnection(
        behaviour: Echo.Maker(), messageLimit: try arguments.size("max_message_size"),
        fragmentLimit: try arguments.size("max_fragment_size")))
  }
}
