import Conversation

/// Puts the results of the shards of a run together.
///
/// Parts may be added in any order, and merged results may be merged further.
package struct ShardMerge {
  /// A result and where it is from, for messages.
  package struct Part: Sendable {
    package var name: String
    package var report: LoadReport

    package init(name: String, report: LoadReport) {
      self.name = name
      self.report = report
    }
  }

  /// Why results cannot be merged.
  package enum Failure: Error, Sendable, Equatable {
    case nothing
    /// A result of a whole run, not of a shard.
    case notAShard(name: String)
    /// Two results for the same shard.
    case duplicate(index: Int, names: [String])
    /// What differs between results that should be of one run, as in `config.rate: 1000 and 2000`.
    case differing([String])
    /// What differs and cannot be forced: the sums of such messages would mean nothing.
    case incompatible([String])
    /// A result whose histograms are missing or damaged.
    case unreadable(name: String, ResultError)
  }

  /// What happened on the way.
  package enum Note: Sendable, Equatable {
    /// The same result was there more than once.
    case repeated(name: String)
    /// Of two results for one shard the incomplete one was left out.
    case incomplete(index: Int, name: String)
  }

  /// The merged result, judged. Its `missingShards` says whether it is whole.
  package let report: LoadReport
  package let notes: [Note]

  /// Merges results.
  ///
  /// - Parameters:
  ///   - parts: The results of shards, or of earlier merges.
  ///   - isForced: Merge even if the results differ in what they measured.
  /// - Throws: `Failure`.
  package init(_ parts: [Part], isForced: Bool = false) throws(Failure) {
    var notes: [Note] = []
    let chosen = try Self.withoutDuplicates(parts, &notes)
    guard let first = chosen.first else { throw .nothing }
    let differences = Self.differences(chosen.map(\.report))
    let basic = differences.filter { line in
      ["config.mode:", "config.size:", "config.content:"].contains { line.hasPrefix($0) }
    }
    guard basic.isEmpty || !isForced else { throw .incompatible(basic) }
    guard differences.isEmpty || isForced else { throw .differing(differences) }
    var sum = first.report
    sum.shards = sum.parts
    sum.run.shard = nil
    for part in chosen.dropFirst() {
      do throws(ResultError) {
        sum = try sum.adding(part.report)
      } catch {
        throw .unreadable(name: part.name, error)
      }
    }
    sum.judgeMerged()
    report = sum
    self.notes = notes
  }

  /// One result for each shard, in the order of the shards.
  private static func withoutDuplicates(
    _ parts: [Part], _ notes: inout [Note]
  ) throws(Failure) -> [Part] {
    var chosen: [Part] = []
    for part in parts {
      let indexes = Set(part.report.parts.map(\.shard.index))
      guard !indexes.isEmpty else { throw .notAShard(name: part.name) }
      let other = chosen.firstIndex {
        !indexes.isDisjoint(with: $0.report.parts.map(\.shard.index))
      }
      guard let other else {
        chosen.append(part)
        continue
      }
      let known = chosen[other]
      if known.report == part.report {
        notes.append(.repeated(name: part.name))
        continue
      }
      let index = indexes.intersection(known.report.parts.map(\.shard.index)).min() ?? 0
      guard known.report.run.isComplete != part.report.run.isComplete else {
        throw .duplicate(index: index, names: [known.name, part.name])
      }
      // The one that ran to its end replaces the one of a process that was restarted.
      let isBetter = part.report.run.isComplete
      notes.append(.incomplete(index: index, name: isBetter ? known.name : part.name))
      if isBetter { chosen[other] = part }
    }
    return chosen.sorted {
      ($0.report.parts.first?.shard.index ?? 0) < ($1.report.parts.first?.shard.index ?? 0)
    }
  }

  /// What must be the same in all results of one run.
  private static func differences(_ reports: [LoadReport]) -> [String] {
    guard let first = reports.first else { return [] }
    var found: [String] = []
    for report in reports.dropFirst() {
      for (name, one, other) in first.identity(beside: report) where one != other {
        let line = "\(name): \(one) and \(other)"
        if !found.contains(where: { $0.hasPrefix(name + ":") }) { found.append(line) }
      }
    }
    let starts = reports.flatMap { $0.parts.map(\.windowStart) }
    if let earliest = starts.min(), let latest = starts.max(), latest - earliest > 60_000_000_000 {
      found.append(
        "run.started: \(UTCTime(earliest).text) and \(UTCTime(latest).text), over 60 s apart")
    }
    return found
  }
}

extension LoadReport.Run {
  fileprivate var isComplete: Bool { ended == .completed }
}

extension LoadReport {
  /// The members that identify a run, in this result and in another one.
  fileprivate func identity(
    beside other: LoadReport
  ) -> [(name: String, one: String, other: String)] {
    func count(_ report: LoadReport) -> String { "\(report.parts.first?.shard.count ?? 0)" }
    var members = [
      ("tool.version", tool.version, other.tool.version), ("run.id", run.id, other.run.id),
      ("run.seed", "\(run.seed)", "\(other.run.seed)"),
      ("run.shard", "of \(count(self))", "of \(count(other))"),
      ("target.url", target.url, other.target.url),
    ]
    let (mine, theirs) = (configuration.members, other.configuration.members)
    for name in Set(mine.keys).union(theirs.keys).sorted() {
      members.append(("config." + name, mine[name] ?? "none", theirs[name] ?? "none"))
    }
    return members
  }
}

extension LoadReport.Configuration {
  /// What was asked for, by the name in the result; each process has its own number of threads.
  package var members: [String: String] {
    var json = JSONWriter(layout: .compact)
    json.object(write)
    guard case .object(let members)? = try? JSONValue.parse(Array(json.text.utf8)) else {
      return [:]
    }
    var texts: [String: String] = [:]
    for member in members where member.name != "threads" {
      texts[member.name] = Self.text(member.value)
    }
    return texts
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): text
    case .number(let digits): digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits
    default: "\(value)"
    }
  }
}

// MARK: Judging

extension LoadReport {
  /// Judges a merged result: as any other, by the findings of its parts where those are worse, and by how
  /// well the parts agree.
  fileprivate mutating func judgeMerged() {
    // What is wrong with some of the shards together is found anew for all of them.
    let ofParts = verdict.reasons.filter { !$0.finding.check.isAboutShards }
    judge()
    var reasons = verdict.reasons
    for reason in ofParts {
      let known = reasons.first { $0.finding.check == reason.finding.check }
      if known.map({ $0.state < reason.state }) ?? true {
        reasons.removeAll { $0.finding.check == reason.finding.check }
        reasons.append(reason)
      }
    }
    verdict = Verdict(reasons: reasons + Verdict.ofParts(shards, configuration))
  }
}

extension Verdict.Finding.Check {
  /// Whether it compares the shards of a merged result.
  fileprivate var isAboutShards: Bool {
    switch self {
    case .missingShards, .windowsApart, .slowShard, .sameCeiling, .oneShard: true
    default: false
    }
  }
}

extension Verdict {
  /// What is wrong with the parts of a run as a whole.
  ///
  /// - Parameters:
  ///   - parts: The rows of its shards.
  ///   - configuration: What the whole run was asked to do.
  /// - Returns: The reasons, in the order of the checks.
  static func ofParts(
    _ parts: [LoadReport.ShardRow], _ configuration: LoadReport.Configuration
  ) -> [Reason] {
    var reasons: [Reason] = []
    if let count = parts.first?.shard.count, parts.count < count {
      reasons.append(Reason(.suspect, .missingShards(count - parts.count, of: count)))
    }
    let windows = parts.filter { $0.windowLength > 0 }
    if windows.count > 1, let longest = windows.map(\.windowLength).max(),
      let start = windows.map(\.windowStart).max(),
      let end = windows.map({ $0.windowStart &+ $0.windowLength }).min()
    {
      let share = Double(max(0, end &- start)) / Double(longest)
      if share < 0.95 {
        reasons.append(Reason(share < 0.8 ? .invalid : .suspect, .windowsApart(overlap: share)))
      }
      if let planned = configuration.duration, Double(longest) > 1.5 * Double(planned) {
        reasons.append(Reason(.suspect, .slowShard(measured: longest, planned: planned)))
      }
    }
    let short = parts.filter { $0.opened < $0.asked && $0.opened > 0 }
    if short.count > 1, let opened = short.first?.opened,
      short.allSatisfy({ $0.opened == opened })
    {
      reasons.append(Reason(.suspect, .sameCeiling(shards: short.count, opened: opened)))
    }
    // Of two shards, neither can be called the outlier.
    let ranked = parts.filter { $0.p99 != nil }.sorted { ($0.p99 ?? 0) < ($1.p99 ?? 0) }
    if ranked.count > 2, let worst = ranked.last, let p99 = worst.p99,
      let median = ranked[(ranked.count - 1) / 2].p99, Double(p99) > 3 * Double(median)
    {
      reasons.append(
        Reason(.suspect, .oneShard(index: worst.shard.index, p99: p99, median: median)))
    }
    return reasons
  }
}
