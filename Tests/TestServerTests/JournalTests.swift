import NIOCore
import NIOPosix
import Synchronization
import Testing
import WebSocketProtocol

@testable import TestServer

/// The events that a server keeps for those that ask later.
@Suite struct JournalTests {
  private static func message(_ size: Int) -> ServerEvent {
    [UInt8](repeating: 0x61, count: size).withUnsafeBytes {
      .message(client: 1, MessageSummary(.text, $0, .whole))
    }
  }

  private static func ids(_ journal: Journal, after id: UInt64, limit: Int = .max) -> [UInt64] {
    journal.entries(after: id, limit: limit).map(\.id)
  }

  @Test func itKeepsTheLastEvents() {
    let journal = Journal()
    #expect(journal.firstID == 1)
    for _ in 0..<10_005 { journal.add(Self.message(1)) }
    #expect(journal.firstID == 6)
    #expect(Self.ids(journal, after: 0).count == 10_000)
    #expect(Self.ids(journal, after: 0, limit: 2) == [6, 7])
    #expect(Self.ids(journal, after: 6, limit: 2) == [7, 8])
    #expect(Self.ids(journal, after: 10_004) == [10_005])
    #expect(Self.ids(journal, after: 10_005) == [])
    #expect(Self.ids(journal, after: .max) == [])
  }

  @Test func itsBytesAreLimited() {
    let journal = Journal()
    for _ in 0..<40 { journal.add(Self.message(1 << 20)) }
    // Each has its own memory besides the payload.
    #expect(journal.firstID == 26)
    journal.add(Self.message(17 << 20))
    #expect(journal.firstID == 42)
    #expect(Self.ids(journal, after: 0) == [])
    journal.add(Self.message(1))
    #expect(Self.ids(journal, after: 0) == [42])
  }

  @Test func theLogGetsWhatItIsToShow() async throws {
    let journal = Journal()
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let sizes = Mutex<[Int]>([])
    try await loop.submit {
      var capture = Capture()
      capture.messagesPerSecond = 2
      capture.maxPayload = 3
      capture.filter = { _, payload in payload.count > 1 }
      let report = JournaledReport(journal, capture, on: loop) { event in
        guard case .message(_, let message) = event else { return }
        sizes.withLock { $0.append(message.preview.count) }
      }
      report.add(Self.message(1))
      for _ in 0..<5 { report.add(Self.message(10)) }
    }.get()
    #expect(sizes.withLock { $0 } == [3, 3])
    #expect(Self.ids(journal, after: 0).count == 6)
    guard case .message(_, let kept)? = journal.entries(after: 5, limit: 1).first?.event else {
      Issue.record("no message")
      return
    }
    #expect(kept.preview.count == 10)
  }
}
