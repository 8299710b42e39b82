import Conversation
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The reason why standard input cannot be sent.
struct InputError: Error {
  var message: String
}

/// The messages of standard input, for a session without a prompt.
final class InputSource: Sendable {
  private let input: ConversationConfiguration.Input
  private let standardInput: StandardInput?
  private let lines = Mutex(Lines())

  private struct Lines: Sendable {
    var reader = SessionReader()
    var number = 0
  }

  init(_ input: ConversationConfiguration.Input) {
    self.input = input
    standardInput =
      switch input {
      case .none: nil
      case .messages(let boundary, _): StandardInput(boundary: boundary)
      case .jsonLines: StandardInput(boundary: .newline)
      }
  }

  /// Waits for the next messages.
  ///
  /// - Throws: `SystemError`, `InputError`.
  /// - Returns: The messages; nil at the end of the input, or if the task is cancelled.
  func nextBatch() async throws -> [OutgoingMessage]? {
    guard let batch = try await standardInput?.nextBatch() else { return nil }
    switch input {
    case .none: return nil
    case .messages(let boundary, let kind):
      return try batch.map { try message($0, kind, boundary) }
    case .jsonLines: return try batch.compactMap(message)
    }
  }

  /// All messages, after the input has ended.
  ///
  /// - Throws: `CommandFailure`.
  func all() async throws -> [OutgoingMessage] {
    var messages: [OutgoingMessage] = []
    do {
      while let batch = try await nextBatch() { messages += batch }
    } catch let error as SystemError {
      throw CommandFailure(.usage, "cannot read standard input: \(error.reason)")
    } catch let error as InputError {
      throw CommandFailure(.usage, error.message)
    }
    return messages
  }

  private func message(
    _ payload: [UInt8], _ kind: MessageKind, _ boundary: MessageSplitter.Boundary
  ) throws -> OutgoingMessage {
    let number = lines.withLock { lines in
      lines.number += 1
      return lines.number
    }
    guard kind == .text, let problem = InvalidText(payload) else {
      return OutgoingMessage(kind, payload)
    }
    let location =
      switch boundary {
      case .newline: "standard input, line \(number)"
      case .null: "standard input, message \(number)"
      case .endOfInput: "standard input"
      }
    throw InputError(message: "\(location): \(problem.message); --binary sends it unchanged")
  }

  private func message(_ line: [UInt8]) throws -> OutgoingMessage? {
    let result = lines.withLock { lines -> Result<OutgoingMessage?, InputError> in
      lines.number += 1
      let line = lines.number == 1 ? FileContents.withoutByteOrderMark(line) : line
      guard !line.isEmpty else { return .success(nil) }
      do throws(SessionLineError) {
        let message = try lines.reader.message(of: line)
        return .success(message.map { OutgoingMessage($0.kind, $0.payload) })
      } catch {
        let location = "standard input, line \(lines.number)"
        return .failure(InputError(message: "\(location): \(Self.message(error))"))
      }
    }
    return try result.get()
  }

  static func message(_ error: SessionLineError) -> String {
    switch error {
    case .notJSON(let error): ExpectationText.text(error)
    case .notAnObject: "not a JSON object"
    case .noEvent: "no member \"event\""
    case .noPayload: "a message needs a member \"text\" or \"base64\""
    case .notBase64: "\"base64\" is not valid base64"
    }
  }
}
