import NIOCore
import Terminal
import WebSocketProtocol

/// A message to show to the user.
struct ShownMessage: Sendable {
  var isIncoming: Bool
  var kind: MessageKind
  var payload: ByteBuffer
  /// Bytes on the wire, if known.
  var wire: Int?
  var time: NIODeadline
  /// The number of the connection.
  var connection = 1
  /// Its number for `/save`; nil if it is not kept.
  var number: Int?
  /// The time in ns since the message that it answers was sent, if that is to be shown.
  var roundTrip: Int64?
}

/// The format of messages at the prompt: `12:00:00.123 < 5 B  hello`. Further lines are indented,
/// so that a message cannot imitate the marks in front of messages.
struct MessageText: Sendable {
  let style: Style
  var timestamps: MessageStamps.Kind?
  var indentsJSON = false
  /// Whether text is shown unchanged, including control characters.
  var isRaw = false
  /// Sizes are shown from 1 on, sizes on the wire from 2 on.
  var verbosity = 0
  var columns = 80

  private var stamps: MessageStamps

  /// - Parameters:
  ///   - style: with or without colours.
  ///   - start: the start of the session on the monotonic clock.
  ///   - startOfClock: the same on the wall clock, in ns since 1970.
  init(_ style: Style, start: NIODeadline, startOfClock: Int64) {
    self.style = style
    stamps = MessageStamps(.iso, start: start, startOfClock: startOfClock)
  }

  /// The lines of a message, each with its newline.
  mutating func lines(_ message: ShownMessage) -> String {
    let body = body(message).split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: "\n  ")
    var lead = stamp(message.time)
    lead += message.isIncoming ? style(.cyan, "<") : style(.green, ">")
    if let size = size(message) { lead += style(.dim, " " + size) + " " }
    let trail = message.roundTrip.map { style(.dim, " (rtt \(Figures.duration($0)))") } ?? ""
    let isBinary = message.kind == .binary
    if isBinary { return "\(lead)\(trail)\n  \(body)\n" }
    return "\(lead) \(body)\(trail)\n"
  }

  // MARK: Timestamp and size

  private mutating func stamp(_ time: NIODeadline) -> String {
    guard let timestamps else { return "" }
    stamps.kind = timestamps
    return style(.dim, stamps.text(time)) + " "
  }

  private func size(_ message: ShownMessage) -> String? {
    guard verbosity > 0 || message.kind == .binary else { return nil }
    let bytes = message.payload.readableBytes
    let kind = message.kind == .binary ? "binary " : ""
    var text = kind + Figures.bytes(bytes)
    if verbosity > 1, let wire = message.wire {
      text += ", \(Figures.bytes(wire)) on the wire"
      if bytes > 0 { text += " (\(Figures.percent(Double(wire) / Double(bytes), decimals: 0)))" }
    }
    return text
  }

  // MARK: The payload

  private static let maxDumped = 4096

  private func body(_ message: ShownMessage) -> String {
    switch message.kind {
    case .text:
      return text(message)
    case .binary:
      let dump = HexDump.text(
        message.payload.readableBytesView.prefix(Self.maxDumped), columns: columns - 2)
      let left = message.payload.readableBytes - Self.maxDumped
      return left > 0 ? dump + "\n" + more(left, message) : dump
    }
  }

  private func text(_ message: ShownMessage) -> String {
    if indentsJSON {
      let bytes = Array(message.payload.readableBytesView)
      if let (text, isCut) = JSONText(style: style, escapes: !isRaw).indented(bytes) {
        return isCut ? text + "\n" + more(nil, message) : text
      }
      return plain(message) + (JSONText.problem(bytes).map { style(.dim, " (\($0))") } ?? "")
    }
    return plain(message)
  }

  private func plain(_ message: ShownMessage) -> String {
    if isRaw { return String(decoding: message.payload.readableBytesView, as: UTF8.self) }
    let cut = message.payload.withUnsafeReadableBytes {
      ControlCharacters.cut($0, highlight: style.isOn)
    }
    return cut.bytesLeftOut > 0 ? cut.text + more(cut.bytesLeftOut, message) : cut.text
  }

  private func more(_ bytes: Int?, _ message: ShownMessage) -> String {
    let amount = bytes.map { "\(Figures.count($0)) more bytes" } ?? "and more"
    let whole = message.number.map { "; /save FILE \($0) writes all of it" } ?? ""
    return style(.dim, "... \(amount)\(whole)")
  }
}
