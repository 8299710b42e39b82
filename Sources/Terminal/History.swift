import Glibc
import Synchronization

/// The lines typed in earlier sessions could not be read, or a new one not be kept.
package enum HistoryError: Error, Equatable, Sendable {
  /// The file is a symbolic link, or something else that is not a regular file: written through, it
  /// could overwrite a stranger's choice of file.
  case notRegular(path: String)
  /// A system call failed.
  case failed(path: String, SystemError)
}

/// What was typed and where, kept in a file that only its owner can read.
///
/// One entry is one line of the file, newlines escaped; `\@PLACE ` stands before what was typed at a
/// place. An entry that is a place and nothing else is a visit. Entries are appended one by one, each in a
/// single write under a lock, so that a crash loses nothing and sessions side by side keep each
/// other's entries.
package final class History: Sendable {
  /// How many entries are kept.
  package let limit: Int
  private let path: String
  private let redact: @Sendable (String) -> String
  private let state = Mutex(State())

  private struct State {
    var place: String?
    var last: String?
  }

  /// What was typed at a place; a visit, if it is empty.
  package struct Entry: Equatable, Sendable {
    package var place: String?
    package var line: String
  }

  /// Longer entries stay in the session but do not go to the file.
  private static let longestEntry = 64 * 1024

  /// Where the history belongs: `$XDG_STATE_HOME/wscope/history`, else
  /// `~/.local/state/wscope/history`; nil without a home.
  package static func path(environment: [String: String]) -> String? {
    // The XDG specification tells to ignore a relative path.
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
      return state + "/wscope/history"
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    return home + "/.local/state/wscope/history"
  }

  /// A history in the file at `path`, which need not exist.
  ///
  /// - Parameters:
  ///   - path: where the file is, or is to be made, with the directories above it.
  ///   - limit: how many entries are kept.
  ///   - redact: takes the secrets out of a line before it goes to the file.
  package init(
    path: String, limit: Int = 1000, redact: @escaping @Sendable (String) -> String = { $0 }
  ) {
    self.path = path
    self.limit = limit
    self.redact = redact
  }

  /// Whether a line is to be remembered: not if it is empty, starts with a space (the way to keep
  /// something out of the history), or repeats the one before.
  package static func isWorthKeeping(_ line: String, after previous: String?) -> Bool {
    !line.isEmpty && !line.hasPrefix(" ") && line != previous
  }

  /// The place where lines are typed.
  package var place: String? { state.withLock { $0.place } }

  /// What is typed from now on is typed at this place: a word without spaces, such as a URL.
  package func enter(_ place: String?) { state.withLock { $0 = State(place: place) } }

  /// The lines kept so far, oldest first, at most `limit`. Those of this place come behind all
  /// others, so that they are the first that a person finds on the way back.
  package func load() throws(HistoryError) -> [String] {
    let entries = try entries().filter { !$0.line.isEmpty }
    let place = state.withLock { $0.place }
    let here = entries.filter { $0.place == place }
    state.withLock { $0.last = here.last?.line }
    guard let place, !here.isEmpty else { return Self.withoutRepeats(entries) }
    return Self.withoutRepeats(entries.filter { $0.place != place }) + Self.withoutRepeats(here)
  }

  private static func withoutRepeats(_ entries: [Entry]) -> [String] {
    entries.reduce(into: []) { lines, entry in
      if lines.last != entry.line { lines.append(entry.line) }
    }
  }

  /// The places of the entries, the latest visited first, each once.
  package func places() throws(HistoryError) -> [String] {
    try entries().reversed().reduce(into: []) { places, entry in
      if let place = entry.place, !places.contains(place) { places.append(place) }
    }
  }

  /// Notes that the person is at the place.
  package func visit() throws(HistoryError) {
    guard let place = state.withLock({ $0.place }) else { return }
    try keep(Entry(place: place, line: ""))
  }

  /// The entries kept so far, oldest first, at most `limit`. A file that has grown far beyond the
  /// limit is cut on this occasion.
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

  /// Keeps a line, if it is worth keeping.
  package func append(_ line: String) throws(HistoryError) {
    let kept = redact(line)
    let entry = state.withLock { state -> Entry? in
      guard Self.isWorthKeeping(kept, after: state.last) else { return nil }
      state.last = kept
      return Entry(place: state.place, line: kept)
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

  /// An entry as a line of the file.
  static func encoded(_ entry: Entry) -> [UInt8] {
    var line: [UInt8] = []
    if let place = entry.place { line += [0x5C, 0x40] + Array(place.utf8) + [0x20] }  // \@place
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

  /// The entry of a line of the file, without its newline.
  static func decoded(_ line: some Collection<UInt8>) -> Entry {
    guard line.starts(with: [0x5C, 0x40]) else { return Entry(place: nil, line: unescaped(line)) }
    let place = line.dropFirst(2).prefix { $0 != 0x20 }
    return Entry(
      place: String(decoding: place, as: UTF8.self),
      line: unescaped(line.dropFirst(2 + place.count + 1)))
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
