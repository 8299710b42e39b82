import Conversation
import WebSocketNIO

/// The registry of test paths.
package enum TestPaths {
  /// All test paths. Help and tests read this list.
  package static let all = usual + TransportPaths.all

  /// The paths that a server has unless it has scripts.
  static let usual =
    [
      EchoPath.entry, DelayPath.entry, ClosePath.entry, StatusPath.entry, RedirectPath.entry,
      RedirectToPath.entry, DripPath.entry, CountPath.entry, StreamPath.entry, TickerPath.entry,
      BinaryPath.entry, PingPath.entry, FloodPath.entry, SubprotocolPath.entry,
      HeadersPath.entry, DeflatePath.entry, FragmentPath.entry, UnstablePath.entry,
      BasicAuthPath.entry,
      CookiesPath.entry,
    ] + BroadcastPath.all + RoomPath.all + BearerPath.all + RequestPaths.all
    + BrokenHandshakePaths.all + BrokenFramePaths.all
    + SilentPaths.all
    + [NoPongPath.entry, SlowReaderPath.entry, DeflateBombPath.entry] + EndPaths.all

  /// The query parameters of all paths.
  static let commonQuery = ["fault"]

  /// The result of a lookup.
  enum Match: Sendable {
    case entry(TestPathEntry, PathArguments)
    /// The path begins like a test path, but is not one; the text says what is expected.
    case incomplete(InvalidArgument)
    /// Not a test path.
    case none
  }

  static let channels = all.filter(\.isChannel)

  /// The paths that a server has.
  ///
  /// - Parameters:
  ///   - mode: The mode, whose channels exist in any case.
  ///   - areReplaced: Whether scripts, rules or a program answer, so that there are no other test paths.
  ///   - hasTransports: Whether there are the paths under `/t/`.
  /// - Returns: In the order of `all`.
  static func entries(
    _ mode: ModeEntry, areReplaced: Bool, hasTransports: Bool = false
  ) -> [TestPathEntry] {
    let transports = hasTransports ? TransportPaths.all : []
    guard areReplaced else { return usual + transports }
    let channel: [TestPathEntry] =
      switch mode.channel {
      case .broadcast: BroadcastPath.all
      case .rooms: RoomPath.all
      case nil: []
      }
    return channel + transports
  }

  /// Looks a path up by its first segments. A final `/` is ignored, and case matters.
  static func find(
    _ target: RequestTarget, in entries: [TestPathEntry] = all, maxMessage: Int
  ) -> Match {
    var expected: String?
    for entry in entries {
      for pattern in [entry.pattern] + entry.aliases {
        let parts = Self.parts(pattern)
        let fixed = parts.prefix { $0.parameter == nil }.map(\.text)
        guard target.segments.starts(with: fixed) else { continue }
        guard target.segments.count == parts.count, target.segments.last != "" else {
          // A path without parameters is known as a whole: what is below it is not a test path. An alias
          // may be part of a path that means something else.
          if fixed.count < parts.count, pattern == entry.pattern { expected = expected ?? pattern }
          continue
        }
        var captured: [String: String] = [:]
        let fits = zip(parts, target.segments).allSatisfy { part, segment in
          guard let parameter = part.parameter else { return part.text == segment }
          captured[parameter] = segment
          return true
        }
        guard fits else { continue }
        return .entry(
          entry, PathArguments(captured: captured, target: target, maxMessage: maxMessage))
      }
    }
    return expected.map { .incomplete(InvalidArgument("the path must be \($0)")) } ?? .none
  }

  /// Parses the parameters of a request on a path. Unknown ones are ignored, unless they look like
  /// a misspelled one.
  static func action(
    _ entry: TestPathEntry, _ arguments: PathArguments
  ) throws(InvalidArgument) -> PathAction {
    let known = entry.query + commonQuery
    for parameter in arguments.target.query
    where !entry.takesAnyQuery && !known.contains(parameter.name) {
      guard let near = Nearest.word(to: parameter.name, among: known) else { continue }
      throw InvalidArgument("unknown parameter \"\(parameter.name)\"; did you mean \(near)?")
    }
    return try entry.parse(arguments)
  }

  /// The pattern or alias most similar to a path; nil if none is similar enough.
  static func nearest(
    to target: RequestTarget, in entries: [TestPathEntry] = usual
  ) -> String? {
    let patterns = entries.flatMap { [$0.pattern] + $0.aliases }
    var candidates: [String: String] = [:]
    for pattern in patterns {
      let fixed = Self.parts(pattern).prefix { $0.parameter == nil }.map(\.text)
      candidates[fixed.joined(separator: "/")] = pattern
    }
    // Compare only as many segments as the candidates have before their first parameter.
    for count in Set(candidates.keys.map { $0.split(separator: "/").count }).sorted(by: >) {
      guard target.segments.count >= count else { continue }
      let typed = target.segments.prefix(count).joined(separator: "/")
      let names = candidates.keys.filter { $0.split(separator: "/").count == count }.sorted()
      if let near = Nearest.word(to: typed, among: names) { return candidates[near] }
    }
    return nil
  }

  /// The registry as JSON, for pages and programs.
  package static var json: String { json(all) }

  static func json(_ entries: [TestPathEntry]) -> String {
    var json = JSONWriter()
    json.array(entries) { json, entry in
      json.object { json in
        json.member("path", entry.pattern)
        json.member("query", array: entry.query) { $0.string($1) }
        json.member("about", entry.summary)
        json.member("broken", entry.isBroken)
        json.member("aliases", array: entry.aliases) { $0.string($1) }
      }
    }
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private struct Part {
    var text: String
    /// The name in braces; nil if it is fixed text.
    var parameter: String?
  }

  private static func parts(_ pattern: String) -> [Part] {
    pattern.split(separator: "/").map { part in
      let isParameter = part.hasPrefix("{") && part.hasSuffix("}")
      return Part(
        text: String(part), parameter: isParameter ? String(part.dropFirst().dropLast()) : nil)
    }
  }
}
