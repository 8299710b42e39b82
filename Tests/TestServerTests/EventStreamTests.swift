import NIOCore
import NIOHTTP1
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import TestServer

/// Messages as server-sent events (HTML Standard, section 9.2).
@Suite(.blocking) struct EventStreamTests {
  @Test(arguments: [
    ("hello", UInt64(7), "id: 7\ndata: hello\n\n"), ("hello", nil, "data: hello\n\n"),
    ("", 1, "id: 1\ndata: \n\n"), ("a\nb", nil, "data: a\ndata: b\n\n"),
    ("a\r\nb\rc\n", nil, "data: a\ndata: b\ndata: c\ndata: \n\n"),
    ("\n\n", nil, "data: \ndata: \ndata: \n\n"), (" : x", nil, "data:  : x\n\n"),
  ])
  func textHasAFieldForEachLine(_ text: String, _ number: UInt64?, _ event: String) {
    let written = Array(text.utf8).withUnsafeBytes {
      EventStreamText.event(.text, $0, number: number)
    }
    #expect(String(buffer: written) == event)
  }

  @Test func binaryIsBase64() {
    let payload: [UInt8] = [0, 255, 10]
    let written = payload.withUnsafeBytes { EventStreamText.event(.binary, $0, number: 3) }
    #expect(String(buffer: written) == "id: 3\nevent: binary\ndata: AP8K\n\n")
  }

  @Test(arguments: [
    ([("Accept", "text/event-stream")], true), ([("Accept", "*/*")], false), ([], false),
    ([("Accept", "text/html, TEXT/event-stream;q=0.9")], true),
    ([("Accept", "text/event-streams")], false),
  ])
  func itIsAskedForByAccept(_ fields: [(String, String)], _ isAccepted: Bool) {
    let request = RequestHandlerTests.request("/room/x", .GET, fields)
    #expect(EventStreamRequest.isAccepted(request.head.headers) == isAccepted)
  }
}
