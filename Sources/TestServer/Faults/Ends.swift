import Conversation
import NIOCore
import WebSocketProtocol

/// `close`: the server sends a Close frame.
enum CloseFault {
  static let entry = FaultEntry(
    name: "close", kind: .message, summary: "Closes with this code.", example: "1011",
    canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard let code = UInt16(value), code != CloseCode.abnormal.rawValue else {
      throw InvalidFaultValue(expected: "a close code, as in 1011; fin sends no Close")
    }
    // 1005 means a Close frame without a code (RFC 6455 section 7.4.1).
    return .close(
      code == CloseCode.noStatus.rawValue
        ? CloseFrame(nil) : CloseFrame(CloseCode(rawValue: code), reason: ""))
  }
}

/// `fin`: the server ends its output without a Close frame.
enum Finish {
  static let entry = FaultEntry(
    name: "fin", kind: .transport, summary: "Ends the connection without a Close frame (FIN).",
    example: nil, canEnd: false
  ) { _ throws(InvalidFaultValue) in
    .transport { $0.end() }
  }
}

/// `limit`: a TCP reset after a number of bytes.
enum Limit {
  static let entry = FaultEntry(
    name: "limit", kind: .transport,
    summary: "Ends the connection with a TCP reset after this many bytes.", example: "10KB",
    canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard let bytes = ByteSize.parse(value), bytes > 0 else {
      throw InvalidFaultValue(expected: "10KB or 1M")
    }
    return .lasting { $0.limit(to: bytes) }
  }
}

/// `life`: a TCP reset after a time.
enum Life {
  static let entry = FaultEntry(
    name: "life", kind: .transport,
    summary: "Ends the connection with a TCP reset after this time, under traffic too.",
    example: "30s", canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard let time = Duration.nanoseconds(value) else {
      throw InvalidFaultValue(expected: "200ms, 1s or 2m")
    }
    return .lasting { $0.reset(after: .nanoseconds(time)) }
  }
}
