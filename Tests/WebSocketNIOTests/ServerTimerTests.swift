import Glibc
import NIOCore
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

/// The timers of a server (SECURITY R3): nobody holds it for ever.
@Suite(.blocking) struct ServerTimerTests {
  @Test(arguments: Road.allCases) func halfARequestIsAnsweredWith408(_ road: Road) async throws {
    try await road.withServer {
      $0.headTimeout = .milliseconds(300)
    } consumer: {
      Goodbye()
    } _: { port in
      let clock = ContinuousClock()
      // The server's begins when it has accepted.
      let time = try clock.measure {
        let client = try RawClient(port: port)
        client.send("GET / HTTP/1.1\r\nHost: local")
        #expect(client.readHead().hasPrefix("HTTP/1.1 408 "))
        #expect(!client.readToEnd().isEmpty)
      }
      #expect(time > .milliseconds(250) && time < .seconds(100))
    }
  }

  @Test(arguments: Road.allCases) func oneByteAtATimeDoesNotMoveTheDeadline(_ road: Road)
    async throws
  {
    try await road.withServer {
      $0.headTimeout = .milliseconds(300)
    } consumer: {
      Goodbye()
    } _: { port in
      let client = try RawClient(port: port)
      let clock = ContinuousClock()
      let start = clock.now
      var reply = ""
      // Absolute, not per byte: a byte each 20 ms would keep a timer of the latter kind alive.
      for byte in RawClient.request().utf8 where clock.now - start < .milliseconds(600) {
        client.send([byte])
        usleep(20_000)
      }
      reply = client.readHead()
      #expect(reply.hasPrefix("HTTP/1.1 408 "))
    }
  }

  @Test(arguments: Road.allCases) func aConnectionThatIsUsedAgainGetsANewDeadline(_ road: Road)
    async throws
  {
    try await untilThisClientIsInTime { timeout in
      try await road.withServer {
        $0.headTimeout = timeout
      } consumer: {
        Goodbye()
      } _: { port in
        let client = try RawClient(port: port)
        for _ in 0..<2 {
          client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
          guard client.readHead().hasPrefix("HTTP/1.1 200 ") else { return false }
          #expect(client.read(5) == Array("page\n".utf8))
        }
        #expect(client.readHead().hasPrefix("HTTP/1.1 408 "))
        return true
      }
    }
  }

  /// On a busy machine this client may itself be later than the server waits for it: then it tries
  /// again at a server that waits longer.
  private func untilThisClientIsInTime(_ attempt: (TimeAmount) async throws -> Bool) async throws {
    var timeout = TimeAmount.milliseconds(300)
    while try await !attempt(timeout) {
      timeout = timeout * 4
      try #require(timeout < .seconds(30))
    }
  }

  @Test(arguments: Road.allCases) func aPeerThatIgnoresOurCloseIsLeft(_ road: Road) async throws {
    try await road.withServer {
      $0.closeTimeout = .milliseconds(300)
    } consumer: {
      Goodbye()
    } _: { port in
      let client = try RawClient(port: port)
      client.send(RawClient.request())
      _ = client.readHead()
      let clock = ContinuousClock()
      // The server says goodbye at once; the client says nothing and waits for the end.
      let time = clock.measure {
        #expect(client.readToEnd() == RawPeer.frame(8, [0x03, 0xE9]))
      }
      #expect(time < .seconds(100))
    }
  }

  /// RFC 9113: half a preface, and a connection without a stream; one with a WebSocket lives on.
  @Test func connectionsOfHTTP2WithoutAStreamEnd() async throws {
    let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
    // An extended CONNECT: three fields of the static table, three literal ones.
    func literal(_ name: String, _ value: String) -> [UInt8] {
      [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)]
        + Array(value.utf8)
    }
    let block =
      literal(":method", "CONNECT") + literal(":protocol", "websocket") + [0x86, 0x84]
      + literal(":authority", "localhost") + literal("sec-websocket-version", "13")
    let request = [0, 0, UInt8(block.count), 1, 4, 0, 0, 0, 1] + block
    try await untilThisClientIsInTime { timeout in
      try await livesOn(after: timeout, preface + settings, request)
    }
    try await Road.channel.withServer {
      $0.headTimeout = .milliseconds(300)
      $0.http2 = true
    } consumer: {
      Mirror(Diary())
    } _: { port in
      for bytes in [Array(preface.prefix(20)), preface, preface + settings] {
        let clock = ContinuousClock()
        let time = try clock.measure {
          let client = try RawClient(port: port)
          client.send(bytes)
          _ = client.readToEnd()
        }
        #expect(time > .milliseconds(250) && time < .seconds(100))
      }
    }
  }

  /// Whether a WebSocket is answered after the time within which a stream has to be there.
  private func livesOn(after timeout: TimeAmount, _ opening: [UInt8], _ request: [UInt8])
    async throws
    -> Bool
  {
    try await Road.channel.withServer {
      $0.headTimeout = timeout
      $0.http2 = true
    } consumer: {
      Mirror(Diary())
    } _: { port in
      let client = try RawClient(port: port)
      client.send(opening)
      // What the server allows it allows once its settings are acknowledged.
      _ = client.read(9 + 4 * 6)
      client.send([0, 0, 0, 4, 1, 0, 0, 0, 0] + request)
      usleep(useconds_t(timeout.nanoseconds / 1000 * 3))
      client.send([0, 0, 7, 0, 0, 0, 0, 0, 1] + RawClient.frame(1, [0x78]))
      var came: [UInt8] = []
      // The echo stands in a DATA frame of its own: 81 01 x.
      while came.suffix(3) != [0x81, 1, 0x78], let more = client.read(1).first { came.append(more) }
      return came.suffix(3) == [0x81, 1, 0x78]
    }
  }
}

/// Closes with 1001 as soon as it is open.
private final class Goodbye: ConnectionConsumer {
  func opened(_ handler: ConnectionHandler) {
    #expect(throws: Never.self) {
      try handler.perform { machine throws(SendError) in
        try machine.sendClose(CloseFrame(.goingAway))
      }
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {}

  func closed(_ outcome: CloseOutcome) {
    #expect(outcome == .lost(.timedOut(.closingHandshake)))
  }
}
