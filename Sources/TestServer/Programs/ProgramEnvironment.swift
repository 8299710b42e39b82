import NIOHTTP1

/// The environment of the process of a connection (SECURITY.md R17): the variables of every process, and
/// a fixed set of names with facts about the request. The client never chooses a name.
struct ProgramEnvironment {
  /// The request, as far as a process learns about it.
  struct Request: Sendable {
    var target: RequestTarget
    var uri: String
    var fields: HTTPHeaders
    var subprotocol: String?
    var remoteAddress: String?
    var remotePort: Int?

    /// The port that the client addressed, as its Host field says.
    var port: String {
      let host = fields.first(name: "Host") ?? ""
      guard let colon = host.lastIndex(of: ":") else { return "" }
      let digits = host[host.index(after: colon)...]
      return digits.allSatisfy { $0.isASCII && $0.isNumber } ? String(digits) : ""
    }
  }

  /// - Parameters:
  ///   - program: Its variables and the header fields to pass.
  ///   - request: The request of the client.
  ///   - client: The number of the client.
  /// - Returns: Names and values. A value with a NUL, CR or LF is left out with its name.
  static func variables(
    _ program: ServedProgram, _ request: Request, client: Int
  ) -> [String: String] {
    var variables = program.environment
    let query = request.uri.split(separator: "?", maxSplits: 1).dropFirst().first.map(String.init)
    let address = request.remoteAddress ?? ""
    let port = request.remotePort.map(String.init) ?? ""
    var facts: [(String, String)] = [
      ("WS_CLIENT", String(client)), ("WS_PATH", request.target.path), ("WS_QUERY", query ?? ""),
      ("WS_ORIGIN", request.fields.first(name: "Origin") ?? ""),
      ("WS_SUBPROTOCOL", request.subprotocol ?? ""), ("WS_REMOTE_ADDR", address),
      ("WS_REMOTE_PORT", port),
      // The names that scripts for websocketd read, as in CGI (RFC 3875).
      ("REMOTE_ADDR", address), ("REMOTE_PORT", port), ("REQUEST_URI", request.uri),
      ("PATH_INFO", request.target.path), ("QUERY_STRING", query ?? ""),
      ("SERVER_PORT", request.port), ("UNIQUE_ID", String(client)),
    ]
    for field in program.passedFields {
      let values = request.fields[field]
      guard !values.isEmpty else { continue }
      facts.append((variableName(ofField: field), values.joined(separator: ", ")))
    }
    if program.usesTerminal { facts.append(("TERM", "dumb")) }
    for (name, value) in facts {
      variables[name] = value.utf8.contains { $0 == 0 || $0 == 0x0A || $0 == 0x0D } ? nil : value
    }
    return variables
  }

  /// - Returns: `WS_HEADER_X_TENANT` for `X-Tenant`.
  static func variableName(ofField field: String) -> String {
    "WS_HEADER_" + field.uppercased().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
  }
}
