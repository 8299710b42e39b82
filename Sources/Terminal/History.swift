import Glibc
import Synchronization

/// The history could not be read, or a new line could not be stored.
package enum HistoryError: Error, Equatable, Sendable {
  /// The file is a symbolic link or otherwise not a regular file: writing through it could
  /// overwrite a file chosen by someone else.
  case notRegular(path: String)
  /// A system call failed.
  case failed(path: String, SystemError)
}

/// The lines typed and where, stored in a file that only its owner can read.
///
/// Each entry is one line of the file, with newlines escaped; `\@PLACE ` precedes a line that was
/// typed at a place. An entry that contains only a place records a visit. Each entry is appended in
/// a single write under a lock, so that a crash loses nothing and concurrent sessions keep each
/// other's entries.
package final class History: Sendable {
  /// The maximum number of entries kept.
  package let limit: Int
  private let path: String
  private let redact: @Sendable (String) -> String
  private let state = Mutex(State())

  private struct State {
    var endpoint: String?
    var last: String?
  }

  /// A line typed at a place, or a visit if the line is empty.
  package struct Entry: Equatable, Sendable {
    package var endpoint: String?
    package var line: String
  }

  /// In bytes. Longer entries stay in the session but are not written to the file.
  private static let longestEntry = 64 * 1024

  /// The path of the history: `$XDG_STATE_HOME/wscope/history`, or `~/.local/state/wscope/history`;
  /// nil without a home directory.
  package static func path(environment: [String: String]) -> String? {
    // The XDG specification says to ignore a relative path.
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
      return state + "/wscope/history"
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    return home + "/.local/state/wscope/history"
  }

  /// A history in the file at `path`, which need not exist.
  ///
  /// - Parameters:
  ///   - path: the path of the file, which is created when needed, with its parent directories.
  ///   - limit: the maximum number of entries kept.
  ///   - redact: removes secrets from a line before it is written to the file.
  package init(
    path: String, limit: Int = 1000, redact: @escaping @Sendable (String) -> String = { $0 }
  ) {
    self.path = path
    self.limit = limit
    self.redact = redact
  }

  /// Whether a line is to be stored: not if it is empty, starts with a space (so that users can
  /// keep lines out of the history), or repeats the previous line.
  package static func isWorthKeeping(_ line: String, after previous: String?) -> Bool {
    !line.isEmpty && !line.hasPrefix(" ") && line != previous
  }

  /// The current place.
  package var endpoint: String? { state.withLock { $0.endpoint } }

  /// Sets the place of the lines typed from now on: a word without spaces, such as a URL.
  package func enter(_ endpoint: String?) { state.withLock { $0 = State(endpoint: endpoint) } }

  /// The stored lines, oldest first, at most `limit`. Those of the current place follow all others,
  /// so that the user finds them first when going back.
  package func load() throws(HistoryError) -> [String] {
    let entries = try entries().filter { !$0.line.isEmpty }
    let endpoint = state.withLock { $0.endpoint }
    let here = entries.filter { $0.endpoint == endpoint }
    state.withLock { $0.last = here.last?.line }
    guard let endpoint, !here.isEmpty else { return Self.withoutRepeats(entries) }
    return Self.withoutRepeats(entries.filter { $0.endpoint != endpoint })
      + Self.withoutRepeats(here)
  }

  private static func withoutRepeats(_ entries: [Entry]) -> [String] {
    entries.reduce(into: []) { lines, entry in
      if lines.last != entry.line { lines.append(entry.line) }
    }
  }

  /// The places of the entries, the most recently visited first, without duplicates.
  package func places() throws(HistoryError) -> [String] {
    try entries().reversed().reduce(into: []) { places, entry in
      if let endpoint = entry.endpoint, !places.contains(endpoint) { places.append(endpoint) }
    }
  }

  /// Records a visit to the current place.
  package func visit() throws(HistoryError) {
    guard let endpoint = state.withLock({ $0.endpoint }) else { return }
    try keep(Entry(endpoint: endpoint, line: ""))
  }

  /// The stored entries, oldest first, at most `limit`. Truncates the file if it has grown far
  /// beyond the limit.
  package func entries() throws(HistoryError) -> [Entry] {
    do {
      guard let file = try HistoryFile(path: path, creating: false) else { return [] }
      var entries: [Entry] = []
      var count = 0
      for line in try file.read().split(separator: 0x0A) {
        count += 1
        let entry = Self.decoded(line)
        if entry != entries.last { entries.append(entry) }
      }
      entries = entries.suffix(limit)
      if count > limit + limit / 2 { try file.replace(with: entries.flatMap(Self.encoded)) }
      return entries
    } catch { throw described(error) }
  }

  /// Stores a line if it is worth keeping.
  package func append(_ line: String) throws(HistoryError) {
    let kept = redact(line)
    let entry = state.withLock { state -> Entry? in
      guard Self.isWorthKeeping(kept, after: state.last) else { return nil }
      state.last = kept
      return Entry(endpoint: state.endpoint, line: kept)
    }
    if let entry, kept.utf8.count <= Self.longestEntry { try keep(entry) }
  }

  private func keep(_ entry: Entry) throws(HistoryError) {
    do {
      try HistoryFile(path: path, creating: true)?.append(Self.encoded(entry))
    } catch { throw described(error) }
  }

  private func described(_ error: SystemError) -> HistoryError {
    error.code == ELOOP ? .notRegular(path: path) : .failed(path: path, error)
  }

  /// An entry in the format of the file.
  static func encoded(_ entry: Entry) -> [UInt8] {
    var line: [UInt8] = []
    // \@ENDPOINT and a space.
    if let endpoint = entry.endpoint { line += [0x5C, 0x40] + Array(endpoint.utf8) + [0x20] }
    for byte in entry.line.utf8 {
      switch byte {
      case 0x0A: line += [0x5C, 0x6E]  // \n
      case 0x0D: line += [0x5C, 0x72]  // \r
      case 0x5C: line += [0x5C, 0x5C]
      default: line.append(byte)
      }
    }
    return line + [0x0A]
  }

  /// The entry in a line of the file, given without its newline.
  static func decoded(_ line: some Collection<UInt8>) -> Entry {
    guard line.starts(with: [0x5C, 0x40]) else {
      return Entry(endpoint: nil, line: unescaped(line))
    }
    let endpoint = line.dropFirst(2).prefix { $0 != 0x20 }
    return Entry(
      endpoint: String(decoding: endpoint, as: UTF8.self),
      line: unescaped(line.dropFirst(2 + endpoint.count + 1)))
  }

  private static func unescaped(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    var isEscaped = false
    for byte in bytes {
      switch (isEscaped, byte) {
      case (false, 0x5C):
        isEscaped = true
        continue
      case (true, 0x6E): text.append(0x0A)
      case (true, 0x72): text.append(0x0D)
      default: text.append(byte)
      }
      isEscaped = false
    }
    return String(decoding: text, as: UTF8.self)
  }
}
