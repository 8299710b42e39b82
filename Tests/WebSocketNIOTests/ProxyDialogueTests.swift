import NIOHTTP1
import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// What is said to a proxy, and what is made of its replies, however they come.
@Suite(.blocking) struct ProxyDialogueTests {
  /// What came of a dialogue.
  struct Course: Equatable {
    var said: [[UInt8]]
    var end: String
    /// Of the server: what stands behind the reply.
    var rest: [UInt8] = []
  }

  static func proxy(_ text: String) -> ProxyServer {
    do { return try ProxyServer.parse(text) } catch { preconditionFailure("\(text): \(error)") }
  }

  /// Lets a proxy say these pieces, then nothing more.
  static func course(
    _ proxy: ProxyServer, _ target: ProxyDialogue.Target, _ pieces: [[UInt8]]
  ) -> Course {
    var dialogue = ProxyDialogue(proxy, to: target, userAgent: "wscope/test")
    var course = Course(said: [dialogue.greeting], end: "")
    for (index, piece) in pieces.enumerated() {
      var step = dialogue.receive(piece)
      while case .write(let bytes) = step {
        course.said.append(bytes)
        step = dialogue.receive([])
      }
      switch step {
      case .needsMore, .write: continue
      case .open(let rest):
        course.end = "open"
        course.rest = rest + pieces[(index + 1)...].joined()
      case .fail(let failure): course.end = message(failure)
      }
      return course
    }
    course.end = "cut off: " + message(dialogue.ended(errno: nil))
    return course
  }

  /// Without what depends on the pieces: how much of what is wrong has come.
  static func message(_ failure: ProxyFailure) -> String {
    switch failure {
    case .refused(let refusal):
      "refused \(refusal.head.status.code) \(refusal.head.status.reasonPhrase)"
        + ": \(String(decoding: refusal.body, as: UTF8.self))"
    case .refusedBySOCKS(let refusal): "\(refusal)"
    case .malformedReply(let kind, let received):
      "\(kind)" + (received.count > 4096 ? " \(received.count)" : "")
    case .notSOCKS(let received):
      "not SOCKS" + (received.count > 4096 ? " \(received.count)" : "")
    case .closed(let received, _): received.isEmpty ? "closed" : "closed inside"
    default: "\(failure)"
    }
  }

  /// The course of a reply in one piece, which is that of the same in any two, and byte by byte.
  static func course(
    _ proxy: String, _ target: ProxyDialogue.Target = target, whole reply: [UInt8]
  ) -> Course {
    let proxy = Self.proxy(proxy)
    let whole = course(proxy, target, [reply])
    let places = reply.count < 1000 ? Array(0...reply.count) : [1, 20, reply.count - 1]
    for endpoint in places {
      let split = course(proxy, target, [Array(reply[..<endpoint]), Array(reply[endpoint...])])
      #expect(split.said == whole.said && split.rest == whole.rest, "split at \(endpoint)")
      // Of a refusal's text only what has come with the rest is there.
      #expect(
        split.end == whole.end || split.end == "cut off: " + whole.end, "split at \(endpoint)")
    }
    let bytes = course(proxy, target, reply.map { [$0] })
    #expect(bytes.said == whole.said && bytes.rest == whole.rest && bytes.end == whole.end)
    return whole
  }

  static let target = ProxyDialogue.Target.name("server.example", port: 8080)

  // MARK: CONNECT

  @Test(
    arguments: [
      (.name("a.example", port: 80), "a.example:80"), (.name("::1", port: 1), "[::1]:1"),
      (.name("fe80::1%lo", port: 1), "[fe80::1]:1"),
      (.address([127, 0, 0, 1], port: 65_535), "127.0.0.1:65535"),
      (
        .address([0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 1], port: 443),
        "[2001:db8:0:0:0:0:0:ff01]:443"
      ),
    ] as [(ProxyDialogue.Target, String)])
  func request(_ target: ProxyDialogue.Target, _ endpoint: String) {
    for kind in ["http", "https"] {
      let dialogue = ProxyDialogue(Self.proxy("\(kind)://p"), to: target, userAgent: "me")
      #expect(
        String(decoding: dialogue.greeting, as: UTF8.self)
          == "CONNECT \(endpoint) HTTP/1.1\r\nHost: \(endpoint)\r\nUser-Agent: me\r\n\r\n")
    }
  }

  @Test(arguments: [
    ("alice:sesame", "YWxpY2U6c2VzYW1l"), ("a", "YTo="), (":", "Og=="), ("%C3%BC:", "w7w6"),
  ])
  func authorization(_ userInfo: String, _ encoded: String) {
    let dialogue = ProxyDialogue(
      Self.proxy("http://\(userInfo)@p"), to: Self.target, userAgent: "me")
    #expect(
      String(decoding: dialogue.greeting, as: UTF8.self).hasSuffix(
        "\r\nUser-Agent: me\r\nProxy-Authorization: Basic \(encoded)\r\n\r\n"))
  }

  static let fields = (0..<100).map { "X-\($0): y\r\n" }.joined()
  static let line = String(repeating: "y", count: 8000)

  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\n\r\n", "open"), ("HTTP/1.0 200 Connection established\r\n\r\n", "open"),
    ("HTTP/1.1 204\r\n\r\n", "open"), ("HTTP/1.1 299 \r\nX: y\r\n\r\n", "open"),
    ("HTTP/1.1 200 OK\n\n", "open"), ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "open"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "open"),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "open"),
    ("HTTP/1.1 200 OK\r\nno field\r\n: none\r\n\r\n", "open"),
    ("HTTP/1.1 200 OK\r\n\(fields)\r\n", "open"),
    (String(repeating: "HTTP/1.1 103 E\r\n\r\n", count: 5) + "HTTP/1.1 200 OK\r\n\r\n", "open"),
    (String(repeating: "HTTP/1.1 103 E\r\n\r\n", count: 6), "tooManyInterimReplies"),
    ("", "cut off: closed"), ("HTTP", "cut off: closed inside"),
    ("HTTP/1.1 200 OK\r\n", "cut off: closed inside"),
    ("HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope", "refused 403 No: nope"),
    ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "refused 403 No: "),
    ("HTTP/1.1 407\r\nContent-Length: 2\r\n\r\nnope", "refused 407 : no"),
    ("HTTP/1.1 403 No\r\ncontent-length:  9 \r\n\r\nnope", "cut off: refused 403 No: nope"),
    ("HTTP/1.1 403 No\r\nContent-Length: -9\r\n\r\nnope", "refused 403 No: "),
    (
      "HTTP/1.1 403 No\r\nContent-Length: 99999999999999999999\r\n\r\nx",
      "cut off: refused 403 No: x"
    ),
    ("HTTP/1.1 403 No\r\n\r\nx", "cut off: refused 403 No: x"),
    (
      "HTTP/1.1 502 Bad\r\n\r\n\(line)",
      "refused 502 Bad: " + String(repeating: "y", count: 2048)
    ),
    ("HTTP/1.1 000 Nil\r\nContent-Length: 0\r\n\r\n", "refused 0 Nil: "),
    ("HTTP/1.1 999\r\nContent-Length: 0\r\n\r\n", "refused 999 : "),
    ("HTTP/1.1 302 F\r\nLocation: http://a/\r\nContent-Length: 0\r\n\r\n", "refused 302 F: "),
    ("SSH-2.0-OpenSSH_9.2\r\n", "notHTTP"), ("x", "notHTTP"), ("\r\n\r\n", "notHTTP"),
    ("HTTP/2 200 OK\r\n\r\n", "notHTTP"), ("http/1.1 200 OK\r\n\r\n", "notHTTP"),
    ("HTTP/1.2 200 OK\r\n\r\n", "notHTTP"), ("HTTP/1.1 20 OK\r\n\r\n", "notHTTP"),
    ("HTTP/1.1 2000 OK\r\n\r\n", "notHTTP"), ("HTTP/1.1 +20 OK\r\n\r\n", "notHTTP"),
    ("HTTP/1.1  200 OK\r\n\r\n", "notHTTP"), ("HTTP/1.1\r\n\r\n", "notHTTP"),
    ("HTTP/1.1 2\u{b2} OK\r\n\r\n", "notHTTP"), ("HTTP/1.1 100 C\r\n\r\nHTTQ", "notHTTP"),
    ("HTTP/1.1 200 OK\r\n\(fields)One-More: y\r\n\r\n", "headTooLarge"),
    ("HTTP/1.1 200 \(line)\(line)\r\n\r\n", "headTooLarge"),
    ("HTTP/1.1 200 OK\r\nX: \(line)\(line)", "headTooLarge"),
    (
      "HTTP/1.1 200 OK\r\n" + String(repeating: "X: \(line)\r\n", count: 5) + "\r\n",
      "headTooLarge"
    ),
  ])
  func connect(_ reply: String, _ end: String) {
    let course = Self.course("http://p", whole: Array(reply.utf8))
    #expect(course.end == end)
    #expect(course.said.count == 1 && course.rest.isEmpty)
  }

  /// Chunks, and the text that is shown.
  @Test(
    arguments: [
      ("3\r\nnop\r\n1;x=y\r\ne\r\n0\r\n\r\n", "nope"),
      ("00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", "0123456789"), ("0\r\n\r\n", ""),
      ("7fffffffffffffff\n\(line)", String(repeating: "y", count: 2048 - 17)),
    ] as [(String, String)])
  func chunks(_ body: String, _ text: String) {
    let head = "HTTP/1.1 403 No\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n"
    let course = Self.course("http://p", whole: Array((head + body).utf8))
    #expect(course.end == "refused 403 No: \(text)")
  }

  /// They end too soon, or are none.
  @Test(
    arguments: [
      ("5\r\nnop", "nop"), ("5", ""), ("3\r\nnop\r\n", "nop"), ("", ""),
      ("no chunk\n", "no chunk\n"), ("-1\r\nx\n", "-1\r\nx\n"), ("+1\nx", "+1\nx"),
      ("fffffffffffffffff\n", "fffffffffffffffff\n"), ("1\r\nx\r\n\u{e9}\n", "x\u{e9}\n"),
    ] as [(String, String)])
  func brokenChunks(_ body: String, _ text: String) {
    let head = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
    let course = Self.course("http://p", whole: Array((head + body).utf8))
    #expect(course.end == "cut off: refused 403 No: \(text)")
  }

  @Test func whatIsBehindTheReplyIsTheServers() {
    let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n".utf8)
    for rest in [
      Array("HTTP/1.1 101 x\r\n\r\n".utf8), [0, 0xFF, 0x0A], Array(repeating: 7, count: 9000),
    ] {
      let course = Self.course("http://p", whole: head + rest)
      #expect(course.end == "open" && course.rest == rest)
    }
  }

  @Test func aReplyThatIsNotTextIsNotKeptForEver() {
    let course = Self.course(
      "http://p", whole: Array("HTTP/1.1 200 ".utf8) + [UInt8](repeating: 0xFF, count: 100_000))
    #expect(course.end == "headTooLarge")
  }

  // MARK: SOCKS

  static let granted: [UInt8] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  static let askedName: [UInt8] = [5, 1, 0, 3, 14] + Array("server.example".utf8) + [0x1F, 0x90]

  @Test(
    arguments: [
      (.name("a", port: 1), [3, 1, 0x61, 0, 1]),
      (.name("::1", port: 258), [3, 3, 0x3A, 0x3A, 0x31, 1, 2]),
      (.address([1, 2, 3, 4], port: 65_535), [1, 1, 2, 3, 4, 255, 255]),
      (
        .address([UInt8](1...16), port: 443),
        [4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 187]
      ),
    ] as [(ProxyDialogue.Target, [UInt8])])
  func asks(_ target: ProxyDialogue.Target, _ endpoint: [UInt8]) {
    for kind in ["socks5", "socks5h"] {
      let course = Self.course("\(kind)://p", target, whole: [5, 0] + Self.granted)
      #expect(course == Course(said: [[5, 1, 0], [5, 1, 0] + endpoint], end: "open"))
    }
  }

  @Test func saysWhoItIsIfAsked() {
    let user = String(repeating: "u", count: 255)
    for (userInfo, said) in [
      ("me:hush", [1, 2, 0x6D, 0x65, 4, 0x68, 0x75, 0x73, 0x68]), ("me", [1, 2, 0x6D, 0x65, 0]),
      ("", [1, 0, 0]), ("\(user):", [1, 255] + Array(user.utf8) + [0]),
    ] as [(String, [UInt8])] {
      let course = Self.course("socks5h://\(userInfo)@p", whole: [5, 2, 1, 0] + Self.granted)
      #expect(course == Course(said: [[5, 2, 0, 2], said, Self.askedName], end: "open"))
    }
    let unasked = Self.course("socks5h://me:hush@p", whole: [5, 0] + Self.granted)
    #expect(unasked == Course(said: [[5, 2, 0, 2], Self.askedName], end: "open"))
  }

  @Test(
    arguments: [
      // The kinds of addresses in a reply, an empty name among them.
      ([5, 0] + granted, "open"), ([5, 0, 5, 0, 0, 4] + [UInt8](repeating: 9, count: 18), "open"),
      ([5, 0, 5, 0, 0, 3, 0, 0, 0], "open"), ([5, 0, 5, 0, 0, 3, 2, 0x61, 0x62, 0, 0], "open"),
      ([5, 0, 5, 0, 0, 3, 255] + [UInt8](repeating: 0xFF, count: 257), "open"),
      ([5, 0, 5, 0, 0xFF, 1, 0, 0, 0, 0, 0, 0], "open"),
      ([], "cut off: closed"), ([5], "cut off: closed inside"), ([5, 0], "cut off: closed"),
      ([5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0], "cut off: closed inside"),
      ([5, 0, 5, 0, 0, 3, 255, 0, 0], "cut off: closed inside"),
      ([5, 0, 5, 0, 0, 4] + [UInt8](repeating: 9, count: 17), "cut off: closed inside"),
      ([5, 0xFF], "noAcceptableMethod"), ([5, 1], "noAcceptableMethod"),
      // It wants a password that it was not offered.
      ([5, 2], "noAcceptableMethod"),
      ([4, 0], "not SOCKS"), ([0], "not SOCKS"), (Array("HTTP/1.1 400 Bad\r\n".utf8), "not SOCKS"),
      ([5, 0, 4, 0], "not SOCKS"), ([5, 0, 0], "not SOCKS"),
      ([5, 0, 5, 0, 0, 0, 0], "not SOCKS"), ([5, 0, 5, 0, 0, 2, 0], "not SOCKS"),
      ([5, 0, 5, 0, 0, 5, 0], "not SOCKS"), ([5, 0, 5, 0, 0, 0xFF, 0], "not SOCKS"),
      ([5, 0, 5, 1], "reply(1)"), ([5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0], "reply(8)"),
      ([5, 0, 5, 0xFF], "reply(255)"),
      ([6] + [UInt8](repeating: 1, count: 100_000), "not SOCKS"),
    ] as [([UInt8], String)])
  func socks(_ reply: [UInt8], _ end: String) {
    let course = Self.course("socks5h://p", whole: reply)
    #expect(course.end == end && course.rest.isEmpty)
  }

  @Test(
    arguments: [
      ([5, 2], "cut off: closed"), ([5, 2, 1], "cut off: closed inside"),
      ([5, 2, 1, 1], "wrongCredentials"), ([5, 2, 1, 0xFF], "wrongCredentials"),
      ([5, 2, 5, 0] + granted, "open"), ([5, 2, 1, 0], "cut off: closed"),
      ([5, 2, 1, 0, 5, 2], "reply(2)"), ([5, 0xFF], "noAcceptableMethod"),
      ([5, 3], "noAcceptableMethod"),
    ] as [([UInt8], String)])
  func socksWithPassword(_ reply: [UInt8], _ end: String) {
    #expect(Self.course("socks5://me:hush@p", whole: reply).end == end)
  }

  @Test func namesOfTheLargestLength() {
    for (count, end) in [(255, "open"), (256, "nameTooLong")] {
      let target = ProxyDialogue.Target.name(String(repeating: "n", count: count), port: 1)
      #expect(Self.course("socks5h://p", target, whole: [5, 0] + Self.granted).end == end)
    }
  }

  @Test func whatIsBehindTheReplyOfSOCKSIsTheServers() {
    for rest in [[5], [0, 0xFF, 0x0A], Array(repeating: 7, count: 900)] as [[UInt8]] {
      let course = Self.course("socks5://me:hush@p", whole: [5, 2, 1, 0] + Self.granted + rest)
      #expect(course.end == "open" && course.rest == rest)
    }
  }

  // MARK: Any bytes

  /// Replies with a few bytes changed, cut or put in, and bytes that are nothing.
  @Test func anyBytesAreTakenInAnyPieces() {
    var random = RandomBytes(seed: 20)
    let replies: [[UInt8]] = [
      [5, 2, 1, 0, 5, 0, 0, 3, 2, 0x61, 0x62, 0, 0, 7, 7], [5, 0] + Self.granted + [1, 2],
      Array("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nmore".utf8),
      Array("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno".utf8), [],
    ]
    for _ in 0..<600 {
      var reply = replies[random.below(replies.count)]
      for _ in 0...random.below(3) where !reply.isEmpty {
        let endpoint = random.below(reply.count)
        switch random.below(4) {
        case 0: reply[endpoint] = random.bytes(1)[0]
        case 1: reply.remove(at: endpoint)
        case 2: reply.insert(contentsOf: random.bytes(random.below(4)), at: endpoint)
        default: reply.removeLast(random.below(reply.count))
        }
      }
      if reply.isEmpty { reply = random.bytes(random.below(30)) }
      for proxy in ["http://p", "socks5h://p", "socks5://me:hush@p"] {
        let course = Self.course(proxy, whole: reply)
        #expect(!course.end.isEmpty)
      }
    }
  }
}
