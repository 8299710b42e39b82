import Testing
import WebSocketProtocol

/// RFC 6455 sections 5.5.1 and 7.4: the body of a Close frame, and its status codes.
@Suite struct CloseFrameTests {
  private static func isLegal(_ code: UInt16) -> Bool {
    // 1004, 1005, 1006 and 1015 are not for the wire, 1016 to 2999 are not given out.
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].contains(code)
      || code >= 3000 && code < 5000
  }

  private static func read(_ body: [UInt8]) -> Result<CloseFrame, ProtocolViolation> {
    body.withUnsafeBytes { bytes in
      Result { () throws(ProtocolViolation) in try CloseFrame.read(bytes) }
    }
  }

  @Test func everyCodeThereIs() {
    for code in UInt16.min...UInt16.max {
      let isLegal = Self.isLegal(code)
      let frame = CloseFrame(CloseCode(rawValue: code))
      let body = [UInt8(code >> 8), UInt8(code & 255)]
      let read = Self.read(body)
      guard frame.code?.mayBeOnTheWire == isLegal,
        read == (isLegal ? .success(frame) : .failure(.invalidCloseCode(code))),
        frame.body == body,
        frame.code?.mayBeChosen == (code == 1000 || code >= 3000 && code <= 4999)
      else {
        Issue.record("code \(code): \(read)")
        continue
      }
    }
  }

  /// Through a machine of either role: legal codes are echoed, the others answered by 1002.
  @Test(arguments: [Role.client, .server])
  func codesFromThePeer(of role: Role) {
    for code in Array(0...5100) + Array(stride(from: 5101, through: UInt16.max, by: 97)) {
      var listener = Listener(role)
      listener.feed(
        WireFrame.wire([.close(code)], to: role), sourceLocation: #_sourceLocation)
      let heard: [Heard] =
        Self.isLegal(code) ? [.close(code)] : [.violation(.invalidCloseCode(code))]
      let said: [WireFrame] =
        Self.isLegal(code) ? [.close(code)] : [.close(.invalidCloseCode(code))]
      guard listener.heard == heard, listener.said == said else {
        Issue.record("code \(code): \(listener.heard), \(String(describing: listener.said))")
        continue
      }
    }
  }

  @Test func bodies() {
    let rows: [([UInt8], Result<CloseFrame, ProtocolViolation>)] = [
      ([], .success(CloseFrame(nil))),
      ([0x03], .failure(.closeBodyOfOneByte)),
      ([0x03, 0xE8], .success(CloseFrame(.normal))),
      ([0x03, 0xE8, 0x6F, 0x6B], .success(CloseFrame(.normal, reason: "ok"))),
      ([0x03, 0xE8, 0xE2, 0x82, 0xAC], .success(CloseFrame(.normal, reason: "€"))),
      ([0x03, 0xE8, 0x00], .success(CloseFrame(.normal, reason: "\0"))),
      (
        [0x03, 0xE8, 0xE2, 0x82],
        .failure(.closeReasonIsNotUTF8(TextSequences.evidence([0xE2, 0x82])))
      ),
      // The code is judged before the reason.
      ([0x03, 0xED, 0xFF], .failure(.invalidCloseCode(1005))),
    ]
    for (body, result) in rows {
      #expect(Self.read(body) == result)
      if case .success(let frame) = result { #expect(frame.body == body) }
    }
    // Without a code there is no room for a reason.
    #expect(CloseFrame(nil, reason: "lost").body == [])
  }

  /// Section 7.1.5: "If this Close control frame contains no status code, the code is 1005."
  @Test func aMissingCodeIsReportedAs1005() {
    #expect(CloseFrame(nil).reportedCode.rawValue == 1005)
    #expect(CloseFrame(.goingAway).reportedCode == .goingAway)
  }

  @Test func reasonsAreCutAt123BytesBetweenCharacters() {
    for character in ["x", "é", "€", "😀", "e\u{301}"] {
      for start in 0..<4 {
        for count in 20..<140 {
          let reason =
            String(repeating: "a", count: start) + String(repeating: character, count: count)
          let body = CloseFrame(.normal, reason: reason).body
          let sent = Array(body.dropFirst(2))
          #expect(body.count <= 125)
          #expect(TextSequences.isValid(sent))
          #expect(reason.utf8.starts(with: sent))
          if reason.utf8.count <= 123 {
            #expect(sent == Array(reason.utf8))
          } else {
            let kept = String(decoding: sent, as: UTF8.self).unicodeScalars.count
            let next = reason.unicodeScalars.dropFirst(kept).first
            #expect(sent.count + (next?.utf8.count ?? 200) > 123)
          }
        }
      }
    }
    #expect(CloseFrame(.normal, reason: String(repeating: "x", count: 123)).body.count == 125)
    #expect(CloseFrame(.normal, reason: String(repeating: "x", count: 124)).body.count == 125)
    #expect(CloseFrame(.normal, reason: String(repeating: "é", count: 62)).body.count == 124)
  }

  /// The names are part of the JSON that is written (PRODUCT 1.4), so their words are compared.
  @Test func names() {
    let rows: [(UInt16, String)] = [
      (1000, "normal"), (1001, "going away"), (1002, "protocol error"),
      (1003, "unsupported data"), (1004, "reserved"), (1005, "no status"), (1006, "abnormal"),
      (1007, "invalid payload"), (1008, "policy violation"), (1009, "message too big"),
      (1010, "mandatory extension"), (1011, "internal error"), (1012, "service restart"),
      (1013, "try again later"), (1014, "bad gateway"), (1015, "TLS handshake"),
      (3000, "unauthorized"), (3003, "forbidden"), (3008, "timeout"),
      (3001, "registered by a library"), (3999, "registered by a library"),
      (4000, "private to the application"), (4999, "private to the application"),
      (999, "not a valid code"), (1016, "not a valid code"), (2999, "not a valid code"),
      (5000, "not a valid code"),
    ]
    for (code, name) in rows { #expect(CloseCode(rawValue: code).name == name) }
    let known: [(CloseCode, UInt16)] = [
      (.normal, 1000), (.goingAway, 1001), (.protocolError, 1002), (.unsupportedData, 1003),
      (.noStatus, 1005), (.abnormal, 1006), (.invalidPayload, 1007), (.policyViolation, 1008),
      (.tooBig, 1009), (.internalError, 1011),
    ]
    for (code, number) in known { #expect(code.rawValue == number) }
  }
}
