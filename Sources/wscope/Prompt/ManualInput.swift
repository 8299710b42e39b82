import Conversation
import TestServer
import WebSocketProtocol

/// A line of a person or a program that answers the clients of `listen`.
enum ManualInput: Sendable {
  /// A message, for the only client if none is named.
  case send(ClientSelection?, String)
  case act(ClientAction, on: ClientSelection)
  /// The contents of a file as a message.
  case file(String, to: ClientSelection)
  case clients
  /// What is known of one client.
  case info(Int)
  case faults
  case addFault(FaultRule)
  case clearFaults
  case help
  case quit

  /// Every command with its arguments and what it does.
  static let commands: [(call: String, summary: String)] = [
    ("TEXT", "sends a message to the only client; //TEXT sends /TEXT"),
    ("@3 TEXT, @all TEXT", "sends a message to client 3, to all clients"),
    ("/hex 3 BYTES", "sends a binary message, as in /hex 3 00 ff"),
    ("/file 3 PATH", "sends the contents of a file"),
    ("/clients", "lists the open clients"),
    ("/info 3", "shows the request and the traffic of a client"),
    ("/ping 3", "sends a ping"),
    ("/close 3 [CODE [REASON]]", "closes, with 1000 unless a code is given"),
    ("/cut 3", "ends the connection with a TCP reset"),
    ("/fault FAULT", "adds a fault for new connections, as in /fault refuse=503"),
    ("/fault clear", "removes the faults; open connections keep theirs"),
    ("/faults", "lists the faults"),
    ("/help", "lists the commands"),
    ("/quit", "closes all clients and ends the server"),
  ]

  /// Reads a line.
  ///
  /// - Returns: nil for an empty line.
  /// - Throws: `CommandError`.
  static func parse(_ line: String) throws(CommandError) -> ManualInput? {
    if line.isEmpty { return nil }
    if line.hasPrefix("//") { return .send(nil, String(line.dropFirst())) }
    let (word, rest) = split(line[...])
    if word.hasPrefix("@") {
      guard let selection = selection(word.dropFirst()) else {
        throw CommandError("\(word): no client (expected @3 or @all)")
      }
      return .send(selection, String(rest))
    }
    guard word.hasPrefix("/") else { return .send(nil, line) }
    switch word {
    case "/clients": return try plain(.clients, word, rest)
    case "/faults": return try plain(.faults, word, rest)
    case "/fault": return rest == "clear" ? .clearFaults : .addFault(try fault(rest))
    case "/info":
      guard case .client(let number) = try only(word, rest) else {
        throw CommandError("/info shows one client, as in /info 3")
      }
      return .info(number)
    case "/hex":
      let (name, bytes) = split(rest)
      let selection = try only(word, name)
      guard case .sendBinary(let payload) = try CommandRegistry.parse("/hex \(bytes)") else {
        return nil
      }
      return .act(.send(.binary, payload), on: selection)
    case "/file":
      let (name, path) = split(rest)
      let selection = try only(word, name)
      guard !path.isEmpty else { throw CommandError("/file requires a file name") }
      return .file(String(path), to: selection)
    case "/help": return try plain(.help, word, rest)
    case "/quit": return try plain(.quit, word, rest)
    case "/ping": return .act(.ping([]), on: try only(word, rest))
    case "/cut": return .act(.cut, on: try only(word, rest))
    case "/close":
      let (name, frame) = split(rest)
      return .act(.close(try Self.frame(frame)), on: try only(word, name))
    default:
      let names = commands.map { String($0.call.prefix { $0 != " " }) }
      let near = Nearest.word(to: String(word), among: names).map { "; did you mean \($0)?" } ?? ""
      throw CommandError("\(word): unknown command\(near.isEmpty ? "; /help lists them" : near)")
    }
  }

  private static func split(_ text: Substring) -> (word: Substring, rest: Substring) {
    let word = text.prefix { $0 != " " }
    return (word, text[word.endIndex...].dropFirst())
  }

  private static func selection(_ text: some StringProtocol) -> ClientSelection? {
    if text == "all" { return .all }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), number > 0
    else { return nil }
    return .client(number)
  }

  private static func only(
    _ command: Substring, _ rest: Substring
  ) throws(CommandError) -> ClientSelection {
    let name = rest.hasPrefix("@") ? rest.dropFirst() : rest
    guard let selection = selection(name) else {
      throw CommandError("\(command): name a client, as in \(command) 3, or all")
    }
    return selection
  }

  private static func plain(
    _ input: ManualInput, _ command: Substring, _ rest: Substring
  ) throws(CommandError) -> ManualInput {
    guard rest.isEmpty else { throw CommandError("\(command) takes no arguments") }
    return input
  }

  private static func fault(_ text: Substring) throws(CommandError) -> FaultRule {
    guard !text.isEmpty else {
      throw CommandError("/fault requires a fault, as in /fault refuse=503, or clear")
    }
    do throws(FaultError) {
      return try Faults.parse(String(text))
    } catch {
      throw CommandError("/fault\(error.fault.map { " \($0)" } ?? ""): \(error.problem)")
    }
  }

  /// The frame of `CODE REASON`, as `/close` of `connect` reads it.
  private static func frame(_ text: Substring) throws(CommandError) -> CloseFrame {
    guard case .close(let frame) = try CommandRegistry.parse("/close \(text)") else {
      return CloseFrame(.normal)
    }
    return frame
  }

  /// The commands for Tab, and the clients after `@`.
  static func completion(_ line: String) -> [String] {
    line.hasPrefix("/")
      ? commands.map { String($0.call.prefix { $0 != " " }) }.filter { $0.hasPrefix("/") } : []
  }
}
