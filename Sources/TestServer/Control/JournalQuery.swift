import Conversation
import NIOCore
import WebSocketProtocol

/// Which events of the journal a request asks for, and how long it waits for them.
struct JournalQuery: Sendable {
  /// The last event that the client has; 0 for none.
  var since: UInt64
  /// Only messages in which it is found.
  var pattern: Pattern?
  /// Only JSON messages for which it is true.
  var condition: JSONCondition?
  /// How many events end the wait.
  var count: Int
  /// In nanoseconds.
  var wait: Int64

  private static let longestWait: Int64 = 60_000_000_000

  init(_ arguments: PathArguments) throws(InvalidArgument) {
    since = UInt64(try arguments.number("since", in: 0...Int.max) ?? 0)
    count = try arguments.number("count", in: 1...Journal.maxEvents) ?? 1
    wait = try arguments.duration("wait") ?? 0
    guard wait <= Self.longestWait else {
      throw InvalidArgument(
        "wait: invalid duration \"\(arguments.text("wait") ?? "")\" (expected 5s; at most 60s)")
    }
    if let text = arguments.text("match") {
      do throws(Pattern.Failure) {
        pattern = try Pattern(text)
      } catch {
        throw InvalidArgument("match: not a regular expression: \(error)")
      }
    }
    if let text = arguments.text("json") {
      do throws(JSONConditionError) {
        condition = try JSONCondition(text)
      } catch {
        throw InvalidArgument("json: \(error.problem) (byte \(error.offset))")
      }
    }
  }

  /// Whether the request asks for this event. A message on which the search takes too many steps is not one of them.
  func fits(_ event: ServerEvent) -> Bool {
    guard pattern != nil || condition != nil else { return true }
    let message: MessageSummary
    switch event {
    case .message(_, let summary), .sent(_, let summary), .published(_, let summary, _):
      message = summary
    default: return false
    }
    if let pattern {
      guard case .found = pattern.find(in: String(decoding: message.preview, as: UTF8.self)) else {
        return false
      }
    }
    guard let condition else { return true }
    return (try? JSONValue.records(message.preview))?.contains(where: condition.holds) ?? false
  }
}

/// A request for events of the journal while it is being answered.
struct JournalReading: Sendable {
  private let journal: Journal
  private let query: JournalQuery
  private let text: any ControlText
  private var last: UInt64
  /// The numbers of the events that fit.
  private var found: [UInt64] = []

  /// Events that are looked at between two looks at the journal, during which no event can be added.
  private static let batch = 256

  init(_ journal: Journal, _ query: JournalQuery, _ text: any ControlText) {
    (self.journal, self.query, self.text) = (journal, query, text)
    last = query.since
  }

  /// Waits until enough events fit, or the time is over.
  ///
  /// It runs on no event loop: a regular expression may take its time.
  ///
  /// - Parameters:
  ///   - journal: What has happened.
  ///   - query: What is asked for.
  ///   - text: The words of the reply.
  ///   - loop: Measures the time.
  /// - Returns: A JSON array of the events that fit and are still kept.
  static func reply(
    _ journal: Journal, _ query: JournalQuery, _ text: any ControlText, on loop: any EventLoop
  ) async -> [UInt8] {
    var reading = JournalReading(journal, query, text)
    guard query.wait > 0 else {
      reading.read()
      return reading.array
    }
    let (changes, end) = journal.changes()
    let timer = loop.scheduleTask(in: .nanoseconds(query.wait)) { end() }
    for await _ in changes {
      reading.read()
      if reading.found.count >= query.count { break }
    }
    timer.cancel()
    end()
    // What came with the end of the time.
    reading.read()
    return reading.array
  }

  private mutating func read() {
    while true {
      let entries = journal.entries(after: last, limit: Self.batch)
      guard let newest = entries.last?.id else { break }
      last = newest
      for entry in entries where query.fits(entry.event) {
        if text.object(of: entry.event, at: entry.time) != nil { found.append(entry.id) }
      }
    }
    // Those that the journal has discarded do not count: they cannot be returned.
    let first = journal.firstID
    if found.first.map({ $0 < first }) ?? false { found.removeAll { $0 < first } }
  }

  private var array: [UInt8] {
    var bytes: [UInt8] = [UInt8(ascii: "[")]
    for id in found {
      guard let entry = journal.entries(after: id - 1, limit: 1).first, entry.id == id,
        let object = text.object(of: entry.event, at: entry.time)
      else { continue }
      bytes += bytes.count > 1 ? Array(",\n".utf8) : []
      bytes += Array("{\"id\":\(id),".utf8) + object.dropFirst()
    }
    return bytes + Array("]\n".utf8)
  }
}
