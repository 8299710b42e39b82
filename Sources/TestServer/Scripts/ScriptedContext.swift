import Conversation
import NIOCore

/// State shared by all connections of a server with scripts or rules.
struct ScriptedContext: Sendable {
  var scripting: Scripting
  /// The rules; nil if there are none.
  var book: RuleBook?
  /// The script with its steps and its own rules; nil if there is none.
  var script: PreparedScript?
  var registries: [NIOLoopBound<ClientRegistry>]
  /// Maximum number of bytes queued for one client.
  var queueLimit: Int

  init(
    _ scripting: Scripting, registries: [NIOLoopBound<ClientRegistry>], queueLimit: Int
  ) {
    self.scripting = scripting
    self.registries = registries
    self.queueLimit = queueLimit
    let variables = ScriptVariables(environment: scripting.environment)
    script = scripting.script.map { PreparedScript($0, variables) }
    book =
      scripting.rules.isEmpty
      ? nil : RuleBook(scripting.rules, files: scripting.files, environment: scripting.environment)
  }

  /// Creates the behaviour of a connection: the mode, wrapped in the rules that apply, or the
  /// script.
  ///
  /// - Parameters:
  ///   - client: The client of the connection.
  ///   - target: The target of its request.
  ///   - visit: The rules that apply to the upgrade; nil if there are none.
  ///   - makeMode: Creates the behaviour of the mode.
  /// - Returns: The plain mode if no script or rule can affect the client.
  func behaviour(
    for client: ServedClient, _ target: RequestTarget, _ visit: RuleBook.Visit?,
    makeMode: () -> any Behaviour
  ) -> any Behaviour {
    if let script {
      let scripted = Scripted(
        client, around: nil, target, RuleBook.Visit(version: 0, prepared: script), self)
      guard let visit else { return scripted }
      return Scripted(client, around: scripted, target, visit, self)
    }
    guard let visit else { return makeMode() }
    // Without rules for its path, and without rules that address clients on any path, the
    // connection keeps the fast path of the mode.
    if scripting.passesOn, visit.prepared == nil, !reachesEveryPath { return makeMode() }
    return Scripted(client, around: scripting.passesOn ? makeMode() : nil, target, visit, self)
  }

  /// The contents of a file that `>@` names.
  func file(_ name: String) -> [UInt8] { book?.file(name) ?? scripting.files[name] ?? [] }

  /// Whether a rule addresses clients on any path.
  private var reachesEveryPath: Bool {
    scripting.rules.flatMap(\.actions).contains { action in
      switch action.target {
      case .path, .client: true
      case .all, .others, .connection, nil: false
      }
    }
  }

  /// The values of `$NOW`, `$MS` and `$UUID`.
  func value(_ name: String) -> JSONValue? {
    switch name {
    case "NOW": .string(UTCTime(scripting.wallClock()).text)
    case "MS": .number("\(scripting.wallClock() / 1_000_000)")
    case "UUID": .string(Self.uuid())
    default: nil
    }
  }

  /// A random UUID (RFC 9562 section 5.4).
  private static func uuid() -> String {
    var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    let digits = bytes.map { byte in
      let text = String(byte, radix: 16)
      return text.utf8.count == 1 ? "0" + text : text
    }
    return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(
      separator: "-")
  }
}
