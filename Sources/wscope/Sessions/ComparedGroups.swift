import LoadTesting

/// The results of two groups of runs, and what differs between them beside the figures.
struct ComparedGroups: Sendable {
  let a: [LoadReport]
  let b: [LoadReport]
  /// Whether one process made them in pairs, so that their configurations differ on purpose.
  let isPaired: Bool

  /// - Parameters:
  ///   - first: Group A, or both groups if `second` is empty.
  ///   - second: Group B.
  /// - Throws: `CommandFailure` without a group B.
  init(_ first: [LoadReport], _ second: [LoadReport]) throws {
    isPaired = (first + second).allSatisfy { $0.run.pair != nil }
    guard second.isEmpty else {
      (a, b) = (first, second)
      return
    }
    guard isPaired else {
      throw CommandFailure(
        .usage, "nothing to compare with: --vs FILE names the results of group B")
    }
    a = first.filter { $0.run.pair?.side == .a }
    b = first.filter { $0.run.pair?.side == .b }
    guard !a.isEmpty, !b.isEmpty else {
      throw CommandFailure(.usage, "the results are of one side only")
    }
  }

  /// - Throws: `CommandFailure` for groups that cannot be compared.
  func check(isForced: Bool) throws {
    let modes = Set((a + b).map(\.configuration.mode.name))
    guard modes.count == 1 else {
      throw CommandFailure(
        .usage,
        "results of different modes cannot be compared: "
          + modes.sorted().joined(separator: ", "))
    }
    guard !isForced else { return }
    let lines = isPaired ? [] : differences
    guard lines.isEmpty else {
      throw CommandFailure(
        .usage, "the runs have different configurations; --force compares them anyway",
        details: lines)
    }
    let invalid = (a + b).count { $0.verdict.state == .invalid }
    guard invalid == 0 else {
      throw CommandFailure(
        .usage,
        "\(Figures.count(invalid)) of \(Figures.count(a.count + b.count)) results are invalid; "
          + "--force compares them anyway")
    }
  }

  /// Members of the configuration that are not the same in all runs, as in `rate: 1000 and 2000`.
  var differences: [String] {
    let all = (a + b).map(\.comparedMembers)
    guard let first = all.first else { return [] }
    return Set(all.flatMap(\.keys)).sorted().compactMap { name in
      let values = all.map { $0[name] ?? "none" }
      guard let other = values.first(where: { $0 != first[name] ?? "none" }) else { return nil }
      return "\(name): \(first[name] ?? "none") and \(other)"
    }
  }

  /// How long one group was over before the other began, in nanoseconds; nil if they overlap or are paired.
  var apart: Int64? {
    guard !isPaired else { return nil }
    let (one, other) = (a.map(\.run.started), b.map(\.run.started))
    guard let firstA = one.min(), let lastA = one.max(), let firstB = other.min(),
      let lastB = other.max()
    else { return nil }
    if lastA < firstB { return firstB - lastA }
    return lastB < firstA ? firstA - lastB : nil
  }
}

extension LoadReport {
  /// What two runs must have in common to be compared, beside their figures.
  fileprivate var comparedMembers: [String: String] {
    var members = configuration.members
    members["tls"] = target.tls?.version ?? "none"
    members["extensions"] =
      target.extensions.isEmpty ? "none" : target.extensions.joined(separator: ", ")
    members["shards"] = "\(max(1, shards.count))"
    return members
  }
}
