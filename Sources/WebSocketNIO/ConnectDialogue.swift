import NIOHTTP1
import WebSocketProtocol

/// CONNECT to an HTTP proxy (RFC 9110 section 9.3.6), without I/O.
struct ConnectDialogue: Sendable {
  private enum State {
    case head
    case body(HTTPRefusal, length: Int?)
  }

  let request: [UInt8]
  private var state = State.head
  private var scan = HeadScan()
  /// The bytes of the head received so far.
  private var head: [UInt8] = []
  private var interimReplies = 0

  private static let maxInterimReplies = 5
  private static let captured = 4 * 1024
  private static let maxBody = 2 * 1024
  private static let maxFields = 100
  private static let version = Array("HTTP/1.".utf8)

  init(
    _ target: ProxyDialogue.Target, _ credentials: ProxyServer.Credentials?, userAgent: String
  ) {
    let authority = target.authority
    var lines = ["CONNECT \(authority) HTTP/1.1", "Host: \(authority)", "User-Agent: \(userAgent)"]
    if let credentials {
      let pair = Array("\(credentials.user):\(credentials.password)".utf8)
      lines.append("Proxy-Authorization: Basic \(pair.withUnsafeBytes { Base64.encode($0) })")
    }
    request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  var isRefused: Bool { if case .body = state { true } else { false } }

  mutating func receive(_ bytes: [UInt8]) -> ProxyDialogue.Step {
    if case .body(let refusal, let length) = state { return receive(body: bytes, refusal, length) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let start = head.prefix(Self.version.count) + rest.prefix(Self.version.count)
      guard zip(start, Self.version).allSatisfy({ $0 == $1 }) else {
        return malformed(.notHTTP, with: rest)
      }
      let (count, isOverLimit) = rest.withUnsafeBytes { scan.lengthOfHead(in: $0) }
      guard !isOverLimit else { return malformed(.headTooLarge, with: rest) }
      head += rest.prefix(count)
      rest = rest.dropFirst(count)
      guard scan.isComplete else { continue }
      guard let reply = Self.head(head) else { return malformed(.notHTTP, with: rest) }
      guard reply.headers.count <= Self.maxFields else {
        return malformed(.headTooLarge, with: rest)
      }
      switch reply.status.code {
      case 100..<200:
        interimReplies += 1
        guard interimReplies <= Self.maxInterimReplies else {
          return malformed(.tooManyInterimReplies, with: rest)
        }
        head = []
      case 200..<300:
        // "A client MUST ignore any Content-Length or Transfer-Encoding header fields received in a
        // successful response to CONNECT" (RFC 9110 section 9.3.6): the rest comes from the server.
        return .open(rest: Array(rest))
      default:
        // "Transfer-Encoding overrides the Content-Length" (RFC 9112 section 6.3).
        let length =
          Self.isChunked(reply)
          ? nil : reply.headers.first(name: "content-length").flatMap { Int($0, radix: 10) }
        return receive(body: Array(rest), HTTPRefusal(head: reply, body: []), length)
      }
    }
    return .needsMore
  }

  private mutating func receive(
    body bytes: [UInt8], _ refusal: HTTPRefusal, _ length: Int?
  ) -> ProxyDialogue.Step {
    let most = min(Self.maxBody, max(0, length ?? Self.maxBody))
    var refusal = refusal
    refusal.body += bytes.prefix(most - refusal.body.count)
    state = .body(refusal, length: length)
    let (text, isWhole) = Self.text(of: refusal)
    return isWhole || refusal.body.count >= most ? .fail(.refused(text)) : .needsMore
  }

  func ended(errno: Int32?) -> ProxyFailure {
    if case .body(let refusal, _) = state { return .refused(Self.text(of: refusal).0) }
    return .closed(received: Array(head.prefix(Self.captured)), errno: errno)
  }

  private static func isChunked(_ head: HTTPResponseHead) -> Bool {
    head.headers[canonicalForm: "transfer-encoding"].last?.lowercased() == "chunked"
  }

  /// The refusal with its body decoded if that is chunked, and whether the chunks mark it as
  /// complete.
  private static func text(of refusal: HTTPRefusal) -> (HTTPRefusal, isWhole: Bool) {
    guard isChunked(refusal.head) else { return (refusal, false) }
    let (data, isWhole) = unchunked(refusal.body[...])
    return (HTTPRefusal(head: refusal.head, body: data), isWhole)
  }

  /// The data of the chunks received so far (RFC 9112 section 7.1); anything else is left as it is.
  private static func unchunked(_ body: ArraySlice<UInt8>) -> ([UInt8], isWhole: Bool) {
    let (cr, lf) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
    var data: [UInt8] = []
    var rest = body
    while let end = rest.firstIndex(of: lf) {
      let digits = rest[..<end].prefix { $0 != cr && $0 != UInt8(ascii: ";") }
      guard digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-"),
        let text = String(validating: digits, as: UTF8.self), let size = Int(text, radix: 16)
      else { return (data + rest, false) }
      if size == 0 { return (data, true) }
      rest = rest[end...].dropFirst()
      data += rest.prefix(size)
      // The line with the size of a chunk does not begin with CR or LF.
      rest = rest.dropFirst(size).drop { $0 == cr || $0 == lf }
    }
    return (data, false)
  }

  private func malformed(
    _ kind: ConnectError.MalformedReply, with rest: ArraySlice<UInt8>
  ) -> ProxyDialogue.Step {
    .fail(.malformedReply(kind, received: Array((head + rest).prefix(Self.captured))))
  }

  /// Parses a complete head; nil if its first line is not a status line. Lines that are not header
  /// fields are skipped: nothing depends on them.
  private static func head(_ bytes: [UInt8]) -> HTTPResponseHead? {
    var lines = bytes.split(separator: UInt8(ascii: "\n")).map { line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }[...]
    // RFC 9112 section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]
    guard
      let parts = lines.popFirst()?.split(
        separator: " ", maxSplits: 2, omittingEmptySubsequences: false),
      parts.count >= 2, ["HTTP/1.0", "HTTP/1.1"].contains(parts[0]), parts[1].utf8.count == 3,
      parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let code = Int(parts[1], radix: 10)
    else { return nil }
    var headers = HTTPHeaders()
    for line in lines {
      // The library traps on names that are not ASCII.
      guard let colon = line.firstIndex(of: ":"), HeaderSyntax.isToken(String(line[..<colon]))
      else {
        continue
      }
      headers.add(name: String(line[..<colon]), value: String(line[colon...].dropFirst()))
    }
    return HTTPResponseHead(
      version: .http1_1,
      // With the proxy's reason phrase, not the one of the RFC.
      status: .custom(code: code.asUInt, reasonPhrase: parts.count > 2 ? String(parts[2]) : ""),
      headers: headers.withoutOuterSpace)
  }
}

extension ProxyDialogue.Target {
  /// `host:port`, with brackets around an IPv6 address and without its zone, which is meaningful on
  /// this machine only.
  fileprivate var authority: String {
    switch self {
    case .name(let name, let port):
      name.contains(":") ? "[\(name.prefix { $0 != "%" })]:\(port)" : "\(name):\(port)"
    case .address(let bytes, let port):
      bytes.count == 4
        ? bytes.map(String.init).joined(separator: ".") + ":\(port)"
        : "[" + Self.text(bytes) + "]:\(port)"
    }
  }

  private static func text(_ bytes: [UInt8]) -> String {
    stride(from: 0, to: bytes.count - 1, by: 2).map { index in
      String(bytes[index].truncatedToUInt16 << 8 | bytes[index + 1].truncatedToUInt16, radix: 16)
    }.joined(separator: ":")
  }
}
