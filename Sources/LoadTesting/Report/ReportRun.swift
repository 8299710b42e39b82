import Conversation

extension LoadReport {
  /// The program that produced the result.
  package struct Tool: Sendable, Equatable {
    package var name: String
    package var version: String
    /// The Git commit of the build; nil if unknown.
    package var commit: String?
    /// The build configuration, `release` or `debug`.
    package var build: String

    package init(name: String = "wscope", version: String, commit: String? = nil, build: String) {
      self.name = name
      self.version = version
      self.commit = commit
      self.build = build
    }

    func write(to json: inout JSONWriter) {
      json.member("name", name)
      json.member("version", version)
      json.member("commit", commit)
      json.member("build", build)
    }

    init(_ json: ResultValue) throws(ResultError) {
      name = try json.member("name").text()
      version = try json.member("version").text()
      commit = try json.optionalText("commit")
      build = try json.member("build").text()
    }
  }

  /// Part `index` (from 0) of `count` of a run that several processes share.
  package struct Shard: Sendable, Equatable {
    /// The largest number of parts.
    package static let maxCount = 100_000

    package var index: Int
    package var count: Int

    package init(index: Int, count: Int) {
      self.index = index
      self.count = count
    }

    func write(to json: inout JSONWriter) {
      json.array([index, count]) { $0.integer($1) }
    }

    init(_ json: ResultValue) throws(ResultError) {
      let numbers = try json.elements()
      guard numbers.count == 2 else { throw json.error("not two numbers") }
      index = try numbers[0].integer()
      count = try numbers[1].integer()
      // More parts than `--shard` takes would only come from a damaged file.
      guard (1...Self.maxCount).contains(count), (0..<count).contains(index) else {
        throw json.error("not a part of a run")
      }
    }
  }

  /// A run of a pair: B follows A, or A follows B, so that both meet the same machine.
  package struct Pair: Sendable, Equatable {
    package enum Side: String, CaseIterable, Sendable {
      case a = "A"
      case b = "B"
    }

    /// The number of the pair, from 1.
    package var number: Int
    package var side: Side
    /// 1 for the first run of the pair, 2 for the second.
    package var position: Int

    package init(_ number: Int, _ side: Side, position: Int) {
      self.number = number
      self.side = side
      self.position = position
    }

    func write(to json: inout JSONWriter) {
      json.array { json in
        json.integer(number)
        json.string(side.rawValue)
        json.integer(position)
      }
    }

    init(_ json: ResultValue) throws(ResultError) {
      let parts = try json.elements()
      guard parts.count == 3 else { throw json.error("not a number, a side and a position") }
      number = try parts[0].integer()
      side = try parts[1].word()
      position = try parts[2].integer()
    }
  }

  /// The identity of a run and how it ended.
  package struct Run: Sendable, Equatable {
    package var id: String
    /// When it started, in nanoseconds since 1970-01-01, UTC, rounded to whole milliseconds.
    package var started: Int64
    /// The seed of schedules and payloads.
    package var seed: UInt64
    /// The command line with secrets redacted.
    package var argv: [String]
    package var tags: [String: String]
    /// The part of the run that this result covers; nil for all of it.
    package var shard: Shard?
    package var ended: Ending
    /// Its place in a comparison that one process made; nil for any other run.
    package var pair: Pair?

    /// Why the run ended.
    package enum Ending: String, CaseIterable, Sendable {
      /// The plan was carried out.
      case completed
      /// A signal ended it.
      case interrupted
      /// Too few connections opened.
      case notOpened = "not_opened"
      /// All connections were lost.
      case allLost = "all_lost"
      /// A broken threshold with `abort after` ended it.
      case aborted
    }

    package init(
      id: String, started: Int64, seed: UInt64, argv: [String], tags: [String: String] = [:],
      shard: Shard? = nil, ended: Ending = .completed
    ) {
      self.id = id
      self.started = UTCTime(started).nanoseconds
      self.seed = seed
      self.argv = argv
      self.tags = tags
      self.shard = shard
      self.ended = ended
    }

    func write(to json: inout JSONWriter) {
      json.member("id", id)
      json.member("started", UTCTime(started).text)
      // A seed has 64 bits: readers that store numbers as doubles would change it.
      json.member("seed", String(seed))
      json.member("argv", array: argv) { $0.string($1) }
      json.member("tags") { json in
        for (name, value) in tags.sorted(by: { $0.key < $1.key }) { json.member(name, value) }
      }
      json.key("shard")
      if let shard { shard.write(to: &json) } else { json.null() }
      json.member("ended", ended.rawValue)
      if let pair {
        json.key("pair")
        pair.write(to: &json)
      }
    }

    init(_ json: ResultValue) throws(ResultError) {
      id = try json.member("id").text()
      let started = try json.member("started")
      guard let time = UTCTime(try started.text()) else {
        throw started.error("not a time as in 2026-11-23T08:15:00.250Z")
      }
      self.started = time.nanoseconds
      let seed = try json.member("seed")
      guard let number = UInt64(try seed.text()) else { throw seed.error("not an integer") }
      self.seed = number
      argv = try json.list("argv") { argument throws(ResultError) in try argument.text() }
      tags = [:]
      if let stored = try json.optional("tags") {
        for (name, value) in try stored.members() { tags[name] = try value.text() }
      }
      shard = try json.optional("shard", Shard.init)
      ended = try json.member("ended").word()
      pair = try json.optional("pair", Pair.init)
    }
  }

  /// The negotiated parameters of TLS.
  package struct TLS: Sendable, Equatable {
    package var version: String
    package var cipher: String?

    package init(version: String, cipher: String? = nil) {
      self.version = version
      self.cipher = cipher
    }

    func write(to json: inout JSONWriter) {
      json.member("version", version)
      json.member("cipher", cipher)
    }

    init(_ json: ResultValue) throws(ResultError) {
      version = try json.member("version").text()
      cipher = try json.optionalText("cipher")
    }
  }

  /// The server that was measured.
  package struct Target: Sendable, Equatable {
    /// The URL with secrets redacted.
    package var url: String
    /// The resolved addresses, without ports.
    package var addresses: [String]
    /// The negotiated TLS parameters; nil without TLS.
    package var tls: TLS?
    /// The negotiated extensions, with their parameters.
    package var extensions: [String]
    /// The negotiated subprotocol; nil if there is none.
    package var subprotocol: String?
    /// The `Server` header as received.
    package var server: String?

    package init(
      url: String, addresses: [String] = [], tls: TLS? = nil, extensions: [String] = [],
      subprotocol: String? = nil, server: String? = nil
    ) {
      self.url = url
      self.addresses = addresses
      self.tls = tls
      self.extensions = extensions
      self.subprotocol = subprotocol
      self.server = server
    }

    func write(to json: inout JSONWriter) {
      json.member("url", url)
      json.member("ips", array: addresses) { $0.string($1) }
      json.key("tls")
      if let tls { json.object(tls.write) } else { json.null() }
      json.member("extensions", array: extensions) { $0.string($1) }
      json.member("subprotocol", subprotocol)
      json.member("server", server)
    }

    init(_ json: ResultValue) throws(ResultError) {
      url = try json.member("url").text()
      addresses = try json.list("ips") { address throws(ResultError) in try address.text() }
      tls = try json.optional("tls", TLS.init)
      extensions = try json.list("extensions") { name throws(ResultError) in try name.text() }
      subprotocol = try json.optionalText("subprotocol")
      server = try json.optionalText("server")
    }
  }

  /// A phase of the run.
  package struct Phase: Sendable, Equatable {
    /// The phases in chronological order.
    package enum Name: String, CaseIterable, Sendable {
      case connect
      case settle
      case warmUp = "warm-up"
      case measure
      case drain
      case close
    }

    package var name: Name
    /// When it started, in nanoseconds since the start of the run.
    package var start: Int64
    /// Its duration in nanoseconds.
    package var duration: Int64

    package init(_ name: Name, start: Int64, duration: Int64) {
      self.name = name
      self.start = start
      self.duration = duration
    }

    func write(to json: inout JSONWriter) {
      json.object { json in
        json.member("name", name.rawValue)
        json.member("start_ns", start)
        json.member("dur_ns", duration)
      }
    }

    init(_ json: ResultValue) throws(ResultError) {
      name = try json.member("name").word()
      start = try json.member("start_ns").integer()
      duration = try json.member("dur_ns").integer()
    }
  }

  /// A window that ended early.
  package struct CutShort: Sendable, Equatable {
    /// The reason why it ended.
    package enum Cause: String, CaseIterable, Sendable {
      /// A signal ended it.
      case interrupted
      /// All connections were lost.
      case allLost = "all_lost"
      /// A threshold was broken.
      case aborted
    }

    package var cause: Cause
    /// The actual length of the window in nanoseconds.
    package var measured: Int64

    package init(_ cause: Cause, measured: Int64) {
      self.cause = cause
      self.measured = measured
    }

    /// Writes this value and the planned length of the window in nanoseconds, if it has one.
    func write(to json: inout JSONWriter, planned: Int64?) {
      json.object { json in
        json.member("cause", cause.rawValue)
        json.member("measured_ns", measured)
        if let planned { json.member("planned_ns", planned) }
      }
    }

    init(_ json: ResultValue) throws(ResultError) {
      cause = try json.member("cause").word()
      measured = try json.member("measured_ns").integer()
    }
  }
}
