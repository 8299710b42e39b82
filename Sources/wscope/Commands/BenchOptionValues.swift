import ArgumentParser
import Conversation
import LoadTesting
import NIOCore

/// Messages or connections per second as they are typed: `5000`, `20k`, `0.5`, `5000/s`.
struct RateOption: ExpressibleByArgument, Hashable, Sendable {
  /// Above 0.
  var perSecond: Double

  init(_ perSecond: Double) {
    self.perSecond = perSecond
  }

  init?(argument: String) {
    var text = Substring(argument)
    if text.hasSuffix("/s") { text = text.dropLast(2) }
    var factor = 1.0
    if text.hasSuffix("k") {
      factor = 1e3
      text = text.dropLast()
    } else if text.hasSuffix("M") {
      factor = 1e6
      text = text.dropLast()
    }
    guard text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(text)
    else { return nil }
    let rate = value * factor
    guard rate >= 0.001, rate <= 1e9 else { return nil }
    perSecond = rate
  }

  var defaultValueDescription: String { Figures.rate(perSecond) + "/s" }
}

/// A share as it is typed: `95%`, `99.5%`; a bare number is a percentage too.
struct PercentOption: ExpressibleByArgument, Hashable, Sendable {
  /// From 0 to 1.
  var share: Double

  init(share: Double) {
    self.share = share
  }

  init?(argument: String) {
    let digits = argument.hasSuffix("%") ? argument.dropLast() : Substring(argument)
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
      let percent = Double(digits), percent <= 100
    else { return nil }
    share = percent / 100
  }

  var defaultValueDescription: String { Figures.percent(share, decimals: 0) }
}

/// `--local-ips`: `10.0.0.5,10.0.0.6`, or all hosts of a network of at most 65 536 addresses.
struct LocalAddressesOption: ExpressibleByArgument, Sendable {
  var addresses: [SocketAddress]

  init?(argument: String) {
    var addresses: [SocketAddress] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let some = Self.network(part) ?? Self.single(part) else { return nil }
      addresses += some
    }
    self.addresses = addresses
  }

  private static func single(_ text: Substring) -> [SocketAddress]? {
    (try? SocketAddress(ipAddress: String(text), port: 0)).map { [$0] }
  }

  private static func network(_ text: Substring) -> [SocketAddress]? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let bits = Int(parts[1]), (16...32).contains(bits) else { return nil }
    let octets = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let numbers = octets.compactMap { UInt8($0) }
    guard octets.count == 4, numbers.count == 4 else { return nil }
    let address = numbers.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let hosts = UInt32(1) << UInt32(32 - bits)
    let first = address & ~(hosts - 1)
    // The first address names the network, the last one broadcasts, unless it is as small as that.
    let range = hosts > 2 ? first + 1..<first + (hosts - 1) : first..<first + hosts
    return range.compactMap { number in
      let text = [24, 16, 8, 0].map { "\(number >> UInt32($0) & 255)" }.joined(separator: ".")
      return try? SocketAddress(ipAddress: text, port: 0)
    }
  }
}

/// `--percentiles`: levels with commas between them, in the order in which to show them.
struct PercentilesOption: ExpressibleByArgument, Hashable, Sendable {
  var levels: [PercentileLevel]

  init(_ levels: [PercentileLevel]) {
    self.levels = levels
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let levels = parts.compactMap { PercentileLevel(String($0)) }
    guard levels.count == parts.count, Set(levels).count == levels.count, levels.count <= 10 else {
      return nil
    }
    self.levels = levels
  }

  var defaultValueDescription: String { levels.map(\.text).joined(separator: ",") }
}

extension Pacing.Arrival: ExpressibleByArgument, CaseIterable {
  static let allCases: [Self] = [.constant, .poisson]
}

extension LoadPlan.Matching: ExpressibleByArgument, CaseIterable {
  static let allCases: [Self] = [.sequence, .fifo]
}

/// An option whose values are the names in a registry.
///
/// It takes every name, and `entry` rejects one that the registry lacks: the parser's own error could not
/// suggest the name that was meant.
protocol RegistryOption: ExpressibleByArgument, Reportable, Hashable, Sendable {
  associatedtype Entry

  /// What the registry holds, as in `mode`.
  static var kind: String { get }
  static var registry: [(name: String, entry: Entry)] { get }

  var name: String { get }
  init(name: String)
}

extension RegistryOption {
  init(argument: String) { self.init(name: argument) }

  static var allValueStrings: [String] { registry.map(\.name) }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
  var defaultValueDescription: String { name }
  var reported: String { name }

  /// The entry of the registry.
  ///
  /// - Throws: `CommandFailure` for a name that no entry has.
  func entry() throws -> Entry {
    if let found = Self.registry.first(where: { $0.name == name }) { return found.entry }
    let near = Nearest.word(to: name, among: Self.allValueStrings)
    let choice =
      near.map { "did you mean \($0)?" } ?? "known: " + Self.allValueStrings.joined(separator: ", ")
    throw CommandFailure(.usage, "unknown \(Self.kind) \"\(name)\"; \(choice)")
  }
}

/// `--mode`.
struct LoadModeOption: RegistryOption {
  static let kind = "mode"
  static var registry: [(name: String, entry: LoadModeEntry)] {
    LoadModes.all.map { ($0.name, $0) }
  }

  let name: String

  init(name: String) { self.name = name }
  init(_ entry: LoadModeEntry) { name = entry.name }
}

/// `--format`.
struct ReportFormatOption: RegistryOption {
  static let kind = "format"
  static var registry: [(name: String, entry: ReportFormatEntry)] {
    ReportFormats.all.map { ($0.name, $0) }
  }

  let name: String

  init(name: String) { self.name = name }
  init(_ entry: ReportFormatEntry) { name = entry.name }
}
