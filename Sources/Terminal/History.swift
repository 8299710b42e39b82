import Glibc
import Synchronization

/// The lines typed in earlier sessions could not be read, or a new one not be kept.
package enum HistoryError: Error, Equatable, Sendable {
  /// The file is a symbolic link, or something else that is no regular file: written through, it
  /// could overwrite a stranger's choice of file.
  case notRegular(path: String)
  /// A system call failed.
  case failed(path: String, SystemError)
}

/// What was typed, kept in a file that only its owner can read.
///
/// One entry is one line of the file, newlines escaped. Entries are appended one by one, each in a
/// single write under a lock, so that a crash loses nothing and sessions side by side keep each
/// other's entries.
package final class History: Sendable {
  /// How many entries are kept.
  package let limit: Int
  private let path: String
  private let redact: @Sendable (String) -> String
  private let last = Mutex<String?>(nil)

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

  /// The entries kept so far, oldest first, at most `limit`. A file that has grown far beyond the
  /// limit is cut on this occasion.
  package func load() throws(HistoryError) -> [String] {
    do {
      guard let file = try HistoryFile(path: path, creating: false) else { return [] }
      var entries: [String] = []
      var count = 0
      for line in try file.read().split(separator: 0x0A) {
        count += 1
        let entry = Self.decoded(line)
        if entry != entries.last { entries.append(entry) }
      }
      entries = entries.suffix(limit)
      if count > limit + limit / 2 { try file.replace(with: entries.flatMap(Self.encoded)) }
      last.withLock { $0 = entries.last }
      return entries
    } catch { throw described(error) }
  }

  /// Keeps a line, if it is worth keeping.
  package func append(_ line: String) throws(HistoryError) {
    let entry = redact(line)
    let isKept = last.withLock { last in
      guard Self.isWorthKeeping(entry, after: last) else { return false }
      last = entry
      return true
    }
    guard isKept, entry.utf8.count <= Self.longestEntry else { return }
    do {
      try HistoryFile(path: path, creating: true)?.append(Self.encoded(entry))
    } catch { throw described(error) }
  }

  private func described(_ error: SystemError) -> HistoryError {
    error.code == ELOOP ? .notRegular(path: path) : .failed(path: path, error)
  }

  /// An entry as a line of the file.
  static func encoded(_ entry: String) -> [UInt8] {
    var line: [UInt8] = []
    for byte in entry.utf8 {
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
  static func decoded(_ line: some Sequence<UInt8>) -> String {
    var entry: [UInt8] = []
    var isEscaped = false
    for byte in line {
      switch (isEscaped, byte) {
      case (false, 0x5C):
        isEscaped = true
        continue
      case (true, 0x6E): entry.append(0x0A)
      case (true, 0x72): entry.append(0x0D)
      default: entry.append(byte)
      }
      isEscaped = false
    }
    return String(decoding: entry, as: UTF8.self)
  }
}
