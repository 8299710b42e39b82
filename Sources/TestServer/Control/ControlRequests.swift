import Conversation
import NIOHTTP1
import WebSocketProtocol

/// One row of the registry of requests that control a server.
package struct ControlEntry: Sendable {
  package var method: String
  /// The path with its parameters in braces.
  package var pattern: String
  package var query: [String] = []
  /// The description for help, in one sentence.
  package var summary: String
  var parse: @Sendable (PathArguments) throws(InvalidArgument) -> ControlRequest
}

/// What a request wants of the server.
enum ControlRequest: Sendable {
  case clients
  /// The body is a message.
  case send(to: ClientSelection)
  case act(ClientAction, on: ClientSelection)
  case faults
  /// The body is a fault.
  case addFault
  case clearFaults
  case messages(JournalQuery)
  /// The same as without the first segment of the path.
  case asUsual
}

/// The registry of requests that control a server.
package enum ControlRequests {
  /// The first segment of their paths.
  static let segment = "_"

  package static let all: [ControlEntry] =
    [
      ControlEntry(
        method: "GET", pattern: "/_/clients", summary: "Lists the open clients as a JSON array."
      ) { _ in .clients },
      ControlEntry(
        method: "POST", pattern: "/_/send", query: ["to"],
        summary: "Sends the body as a message to one client, to all, or to those on a path."
      ) { arguments throws(InvalidArgument) in
        guard let text = arguments.text("to") else {
          throw InvalidArgument("to: missing value (expected a client as in 3, all, or a path)")
        }
        if text.hasPrefix("/") { return .send(to: .path(text)) }
        return .send(to: try selection(text, "to", expected: "a client as in 3, all, or a path"))
      },
      ControlEntry(
        method: "POST", pattern: "/_/close/{client}", query: ["code", "reason"],
        summary: "Closes one client or all, with code 1000 unless another is given."
      ) { arguments throws(InvalidArgument) in
        let code = try arguments.number("code", in: 0...65_535) ?? 1000
        let reason = arguments.text("reason") ?? ""
        guard reason.utf8.count <= CloseFrame.maximumReasonLength else {
          throw InvalidArgument("reason: longer than \(CloseFrame.maximumReasonLength) bytes")
        }
        let status = CloseCode(rawValue: UInt16(code))
        let frame = status == .noStatus ? CloseFrame(nil) : CloseFrame(status, reason: reason)
        return .act(.close(frame), on: try client(arguments))
      },
      ControlEntry(
        method: "POST", pattern: "/_/cut/{client}",
        summary: "Ends the connection of one client or of all with a TCP reset."
      ) { arguments throws(InvalidArgument) in .act(.cut, on: try client(arguments)) },
      ControlEntry(
        method: "GET", pattern: "/_/faults", summary: "Lists the faults of new connections."
      ) { _ in .faults },
      ControlEntry(
        method: "POST", pattern: "/_/faults",
        summary: "Adds the fault in the body for new connections."
      ) { _ in .addFault },
      ControlEntry(
        method: "DELETE", pattern: "/_/faults",
        summary: "Removes all faults; open connections keep theirs."
      ) { _ in .clearFaults },
      ControlEntry(
        method: "GET", pattern: "/_/messages", query: ["since", "match", "json", "count", "wait"],
        summary: "Returns events as a JSON array, and waits for them."
      ) { arguments throws(InvalidArgument) in .messages(try JournalQuery(arguments)) },
    ]
    + [
      "/_/": "The page", "/_/paths": "The test paths", "/_/metrics": "The metrics",
      "/_/healthz": "The state",
    ]
    .sorted { $0.key < $1.key }.map { path, subject in
      ControlEntry(
        method: "GET", pattern: path,
        summary: "\(subject), as without /_."
      ) { _ in .asUsual }
    }

  private static func client(_ arguments: PathArguments) throws(InvalidArgument) -> ClientSelection
  {
    try selection(arguments.text("client") ?? "", "client", expected: "a client as in 3, or all")
  }

  private static func selection(
    _ text: String, _ name: String, expected: String
  ) throws(InvalidArgument) -> ClientSelection {
    if text == "all" { return .all }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), number > 0
    else { throw InvalidArgument("\(name): invalid value \"\(text)\" (expected \(expected))") }
    return .client(number)
  }

  /// Finds what a request wants.
  ///
  /// - Throws: `Refusal`: 404 for an unknown path, 405 for a method that the path does not have, 400 for a bad value.
  static func find(_ method: HTTPMethod, _ target: RequestTarget) throws(Refusal) -> ControlRequest
  {
    let rows = all.compactMap { entry in captured(entry, target).map { (entry: entry, values: $0) }
    }
    guard !rows.isEmpty else {
      let paths = all.map(\.pattern)
      let near = Nearest.word(to: target.path, among: paths).map { "; did you mean \($0)?" } ?? ""
      throw Refusal(.notFound, "unknown path \(target.path)\(near)")
    }
    let wanted = method == .HEAD ? .GET : method
    guard let row = rows.first(where: { $0.entry.method == wanted.rawValue }) else {
      let methods = rows.map(\.entry.method)
      throw Refusal(
        .methodNotAllowed, "only \(methods.joined(separator: ", "))",
        fields: [("Allow", methods.joined(separator: ", "))])
    }
    do throws(InvalidArgument) {
      let known = row.entry.query
      for name in target.query.map(\.name) where !known.contains(name) {
        let near = Nearest.word(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
        throw InvalidArgument("unknown parameter \"\(name)\"\(near)")
      }
      return try row.entry.parse(
        PathArguments(captured: row.values, target: target, maxMessage: 0))
    } catch {
      throw Refusal(.badRequest, "\(error)")
    }
  }

  /// The values for the braces of a pattern; nil if it is not that of the target.
  private static func captured(
    _ entry: ControlEntry, _ target: RequestTarget
  ) -> [String: String]? {
    let parts = entry.pattern.split(separator: "/").map(String.init)
    guard parts.count == target.segments.count else { return nil }
    var values: [String: String] = [:]
    for (part, segment) in zip(parts, target.segments) {
      if part.hasPrefix("{") {
        values[String(part.dropFirst().dropLast())] = segment
      } else if part != segment {
        return nil
      }
    }
    return values
  }
}
