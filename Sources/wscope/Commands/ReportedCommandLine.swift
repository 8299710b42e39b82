import ArgumentParser
import LoadTesting
import NIOCore
import WebSocketProtocol

/// A command line for a report, rebuilt from the parsed options: those that differ from their
/// defaults, under their long names.
///
/// A value is shown only if its type says how (`Reportable`). Any other value is replaced, so that
/// an option that is added later cannot reveal a secret by mistake.
enum ReportedCommandLine {
  /// The words of `command`, which begin with `wscope` and the name of the command.
  static func words(_ command: some ParsableCommand) -> [String] {
    let typed = properties(of: command)
    let standard = (try? type(of: command).parse([])).map { properties(of: $0) } ?? [:]
    var words = ["wscope", type(of: command).configuration.commandName ?? ""]
    for (name, property) in typed.sorted(by: { $0.key < $1.key }) {
      let reported = property.words(name)
      guard reported != standard[name]?.words(name) else { continue }
      words += reported
    }
    return words
  }

  /// The options, flags and arguments of `container` and its groups, by their long names.
  private static func properties(of container: Any) -> [String: any ReportedProperty] {
    var found: [String: any ReportedProperty] = [:]
    for child in Mirror(reflecting: container).children {
      switch child.value {
      case let group as any ReportedGroup:
        found.merge(properties(of: group.options)) { one, _ in one }
      case let property as any ReportedProperty:
        found[longName(child.label ?? "")] = property
      default: break
      }
    }
    return found
  }

  /// `_connectRate` becomes `--connect-rate`, as the parser names it.
  private static func longName(_ label: String) -> String {
    label.drop { $0 == "_" }.reduce(into: "") { name, character in
      if character.isUppercase { name.append("-") }
      name += character.lowercased()
    }
  }
}

/// A value that is safe to report.
protocol Reportable {
  /// The text to report.
  var reported: String { get }
}

/// A property of a command that the parser has filled in.
protocol ReportedProperty {
  /// The words that would set it; empty if it is not set.
  func words(_ name: String) -> [String]
}

private protocol ReportedGroup {
  var options: Any { get }
}

extension OptionGroup: ReportedGroup {
  fileprivate var options: Any { wrappedValue }
}

extension Option: ReportedProperty {
  func words(_ name: String) -> [String] {
    ReportedValue.texts(wrappedValue).flatMap { ["--\(name)", $0] }
  }
}

extension Argument: ReportedProperty {
  func words(_ name: String) -> [String] { ReportedValue.texts(wrappedValue) }
}

extension Flag: ReportedProperty {
  func words(_ name: String) -> [String] {
    switch wrappedValue {
    case let isSet as Bool: isSet ? ["--\(name)"] : []
    case let count as Int: Array(repeating: "--\(name)", count: count)
    default: ["--\(name)"]
    }
  }
}

private enum ReportedValue {
  /// One text for a value, one for each element of a list, none for nil.
  static func texts(_ value: Any) -> [String] {
    if let value = value as? any Reportable { return [value.reported] }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional, .collection: return mirror.children.flatMap { texts($0.value) }
    default: return [Redaction.replacement]
    }
  }
}

extension Reportable where Self: RawRepresentable, RawValue == String {
  var reported: String { rawValue }
}

extension Int: Reportable {}
extension UInt64: Reportable {}

extension Reportable where Self: BinaryInteger {
  var reported: String { String(self) }
}

extension PublicText: Reportable { var reported: String { text } }
extension SubprotocolText: Reportable {
  var reported: String { Redaction.subprotocols(text) }
}
extension URLText: Reportable { var reported: String { Redaction.url(text) } }
extension DurationOption: Reportable {
  var reported: String { Figures.shortDuration(nanoseconds).filter { $0 != " " } }
}
extension SizeOption: Reportable { var reported: String { String(bytes) } }
extension CountOption: Reportable { var reported: String { String(value) } }
extension RateOption: Reportable { var reported: String { "\(perSecond)" } }
extension PercentOption: Reportable { var reported: String { "\(share * 100)%" } }
extension PercentilesOption: Reportable {
  var reported: String { levels.map(\.text).joined(separator: ",") }
}
extension LocalAddressesOption: Reportable {
  var reported: String { addresses.compactMap(\.ipAddress).joined(separator: ",") }
}
extension CompressOption: Reportable {
  /// Without the name of the extension in front.
  var reported: String {
    let items = parameters.text.split(separator: ";").dropFirst().map(HeaderField.trimmed)
    return items.isEmpty ? Self.plain : items.joined(separator: ",")
  }
}
extension HeaderOption: Reportable {
  /// Only the name of the field; its value may be a secret.
  var reported: String {
    switch self {
    case .field(let field): "\(field.name): \(Redaction.replacement)"
    case .file(let path): "@\(path)"
    case .malformed: Redaction.replacement
    }
  }
}
extension ColorOption: Reportable {}
extension Pacing.Arrival: Reportable {}
extension LoadPlan.Matching: Reportable {}
extension TLSOptions.VersionOption: Reportable {}
