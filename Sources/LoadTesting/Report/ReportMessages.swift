import Conversation

extension MessageCounts {
  func write(to json: inout JSONWriter) {
    json.member("sent", sent)
    json.member("answered", answered)
    json.member("answered_in_window", answeredInWindow)
    json.member("unanswered", unanswered)
    json.member("failed", failed)
    json.member("in_flight_at_end", inFlightAtEnd)
    json.member("unsent", unsent)
    json.member("no_connection", missing)
    json.member("dropped", dropped)
    json.member("late_replies", late)
    json.member("double_replies", duplicate)
    json.member("stale", late &+ duplicate)
    json.member("unknown", unknown)
  }

  init(_ json: ResultValue) throws(ResultError) {
    self.init()
    sent = try json.member("sent").integer()
    answered = try json.member("answered").integer()
    answeredInWindow = try json.member("answered_in_window").integer()
    unanswered = try json.member("unanswered").integer()
    failed = try json.member("failed").integer()
    inFlightAtEnd = try json.member("in_flight_at_end").integer()
    unsent = try json.member("unsent").integer()
    missing = try json.member("no_connection").integer()
    dropped = try json.member("dropped").integer()
    late = try json.member("late_replies").integer()
    duplicate = try json.member("double_replies").integer()
    unknown = try json.member("unknown").integer()
  }
}

extension LoadReport {
  /// The outcomes of the connections.
  package struct Connections: Sendable, Equatable {
    /// Connections that this process should open.
    package var asked: Int
    package var opened: Int
    /// Never opened.
    package var failed: Int
    /// Opened, but lost before the run closed its connections.
    package var lost: Int

    package init(asked: Int, opened: Int, failed: Int, lost: Int) {
      self.asked = asked
      self.opened = opened
      self.failed = failed
      self.lost = lost
    }

    func write(to json: inout JSONWriter) {
      json.member("asked", asked)
      json.member("opened", opened)
      json.member("failed", failed)
      json.member("lost", lost)
    }

    init(_ json: ResultValue) throws(ResultError) {
      asked = try json.member("asked").integer()
      opened = try json.member("opened").integer()
      failed = try json.member("failed").integer()
      lost = try json.member("lost").integer()
    }
  }

  /// The outcomes of the warm-up messages, which no other figure includes.
  package struct WarmUp: Sendable, Equatable {
    package var sent = 0
    package var answered = 0
    /// Unanswered, answered wrongly, or outstanding when their connection was lost.
    package var failed = 0
    /// Due, but not sent by the end of the warm-up, and dropped.
    package var dropped = 0

    package init() {}

    /// Adds the counts of another loop.
    package mutating func merge(_ other: WarmUp) {
      sent &+= other.sent
      answered &+= other.answered
      failed &+= other.failed
      dropped &+= other.dropped
    }

    func write(to json: inout JSONWriter) {
      json.member("sent", sent)
      json.member("answered", answered)
      json.member("failed", failed)
      json.member("dropped", dropped)
    }

    init(_ json: ResultValue) throws(ResultError) {
      sent = try json.member("sent").integer()
      answered = try json.member("answered").integer()
      failed = try json.member("failed").integer()
      dropped = try json.member("dropped").integer()
    }
  }

  /// Messages per second over the window.
  package struct Rates: Sendable, Equatable {
    /// The requested rate of this process; nil in the closed model.
    package var target: Double?
    package var sent: Double
    package var answered: Double

    package init(target: Double? = nil, sent: Double, answered: Double) {
      self.target = target
      self.sent = sent
      self.answered = answered
    }

    func write(to json: inout JSONWriter) {
      json.member("target", target)
      json.member("sent", sent)
      json.member("answered", answered)
    }

    init(_ json: ResultValue) throws(ResultError) {
      target = try json.optionalNumber("target")
      sent = try json.member("sent").number()
      answered = try json.member("answered").number()
    }
  }

  /// Bytes in both directions in the window.
  package struct Traffic: Sendable, Equatable {
    package var sent: Int
    package var received: Int

    package init(sent: Int = 0, received: Int = 0) {
      self.sent = sent
      self.received = received
    }

    func write(to json: inout JSONWriter) {
      json.member("sent", sent)
      json.member("received", received)
    }

    init(_ json: ResultValue) throws(ResultError) {
      sent = try json.member("sent").integer()
      received = try json.member("received").integer()
    }
  }

  /// Sizes of the compressed messages in the window, in bytes. `from` is the size before
  /// compression, `to` the size after it, in both directions.
  package struct Compression: Sendable, Equatable {
    package var sentFrom: Int
    package var sentTo: Int
    package var receivedFrom: Int
    package var receivedTo: Int

    package init(sentFrom: Int, sentTo: Int, receivedFrom: Int, receivedTo: Int) {
      self.sentFrom = sentFrom
      self.sentTo = sentTo
      self.receivedFrom = receivedFrom
      self.receivedTo = receivedTo
    }

    func write(to json: inout JSONWriter) {
      json.member("sent_from", sentFrom)
      json.member("sent_to", sentTo)
      json.member("received_from", receivedFrom)
      json.member("received_to", receivedTo)
    }

    init(_ json: ResultValue) throws(ResultError) {
      sentFrom = try json.member("sent_from").integer()
      sentTo = try json.member("sent_to").integer()
      receivedFrom = try json.member("received_from").integer()
      receivedTo = try json.member("received_to").integer()
    }
  }
}
