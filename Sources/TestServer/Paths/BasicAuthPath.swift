import NIOHTTP1
import WebSocketProtocol

/// `/basic-auth/USER/PASS`: 401 without these credentials (RFC 7617).
enum BasicAuthPath {
  static let entry = TestPathEntry(
    pattern: "/basic-auth/{user}/{pass}",
    summary: "Echoes if the request has these credentials, else 401."
  ) { arguments throws(InvalidArgument) in
    let pair = "\(arguments.captured["user"] ?? ""):\(arguments.captured["pass"] ?? "")"
    let expected = Array(pair.utf8).withUnsafeBytes { Base64.encode($0) }
    let parts = (arguments.fields["Authorization"].first ?? "").split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "basic", parts[1] == expected else {
      return .reply(try StatusPath.reply(401, nil))
    }
    return .accept(PathConnection(behaviour: Echo.Maker()))
  }
}
