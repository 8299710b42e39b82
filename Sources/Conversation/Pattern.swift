import CPCRE2
import Synchronization

/// A regular expression in the syntax of PCRE2, compiled once. A search with the user's pattern in
/// a peer's input ends in bounded time: the number of steps and the CPU time of each search are
/// limited.
package struct Pattern: Sendable, Hashable {
  /// The text as typed.
  package let text: String
  private let program: PatternProgram

  /// Why a text is not a regular expression.
  package struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// PCRE2's message.
    package var problem: String
    /// The offset in bytes from the start of the text.
    package var offset: Int

    package var description: String { "\(problem) (byte \(offset))" }
  }

  /// The result of a search.
  package enum Finding: Sendable, Hashable {
    /// Found: the bytes of the first group, or of the whole match if the pattern has no group.
    case found(Range<Int>)
    case notFound
    /// The search took more steps, memory or time than allowed.
    case tooManySteps
  }

  /// - Throws: the problem in the text.
  package init(_ text: String) throws(Failure) {
    self.text = text
    program = try PatternProgram(text)
  }

  package static func == (one: Self, other: Self) -> Bool { one.text == other.text }
  package func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// Searches a text.
  ///
  /// - Parameter text: valid UTF-8.
  /// - Returns: the result of the search.
  package func find(in text: UnsafeRawBufferPointer) -> Finding { program.find(in: text) }

  /// The match and its groups, as texts; a group that did not participate is nil.
  ///
  /// - Parameter text: valid UTF-8.
  /// - Returns: nil if nothing is found; at most `maxGroups` and the match itself.
  /// - Throws: `SearchLimit`.
  package func groups(in text: UnsafeRawBufferPointer) throws(SearchLimit) -> [String?]? {
    guard let ranges = try program.ranges(in: text) else { return nil }
    return ranges.map { range in
      range.map { String(decoding: UnsafeRawBufferPointer(rebasing: text[$0]), as: UTF8.self) }
    }
  }

  /// The search took more steps, memory or time than allowed.
  package struct SearchLimit: Error, Sendable, Hashable {}

  /// The version of PCRE2, such as `10.42`.
  package static var libraryVersion: String {
    var text = [UInt8](repeating: 0, count: 64)
    _ = pcre2_config_8(UInt32(PCRE2_CONFIG_VERSION), &text)
    // A space and the date of the release follow.
    return String(decoding: text.prefix { $0 > 0x20 }, as: UTF8.self)
  }

  /// The maximum number of groups that `groups(in:)` returns.
  package static let maxGroups = 9

  /// Searches a text.
  package func find(in text: String) -> Finding {
    var text = text
    return text.withUTF8 { find(in: UnsafeRawBufferPointer($0)) }
  }
}

/// The compiled pattern, and the memory that a search needs.
private final class PatternProgram: Sendable {
  // PCRE2 never writes to compiled code; a search writes only to `workspace`.
  private nonisolated(unsafe) let code: OpaquePointer
  private let workspace: Mutex<PatternWorkspace>

  init(_ text: String) throws(Pattern.Failure) {
    var error: Int32 = 0
    var offset = 0
    // The search checks the CPU time in a callout before every item: PCRE2 counts its steps anew
    // from each start of a match, so its own limit does not bound the search of a long message.
    let options = PCRE2_UTF | PCRE2_UCP | PCRE2_AUTO_CALLOUT
    var bytes = Array(text.utf8)
    let count = bytes.count
    // PCRE2 10.42 requires an address even for an empty pattern.
    bytes.append(0)
    let code = pcre2_compile_8(bytes, count, options, &error, &offset, nil)
    guard let code else {
      throw Pattern.Failure(problem: Self.message(error), offset: offset)
    }
    self.code = code
    // Where the system does not allow JIT, the interpreter is used.
    _ = pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
    workspace = Mutex(PatternWorkspace())
  }

  deinit { pcre2_code_free_8(code) }

  private static func message(_ error: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    _ = pcre2_get_error_message_8(error, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
  }

  func find(in text: UnsafeRawBufferPointer) -> Pattern.Finding {
    workspace.withLock { $0.find(code, in: text) }
  }

  func ranges(in text: UnsafeRawBufferPointer) throws(Pattern.SearchLimit) -> [Range<Int>?]? {
    let found = workspace.withLock { $0.ranges(code, in: text) }
    return try found.get()
  }
}

/// The memory that a search writes to; for one search at a time.
private struct PatternWorkspace: ~Copyable, @unchecked Sendable {
  private let context = pcre2_match_context_create_8(nil)
  /// The whole match and its groups.
  private let result = pcre2_match_data_create_8(UInt32(Pattern.maxGroups) + 1, nil)
  private let stack = pcre2_jit_stack_create_8(32 * 1024, 32 << 20, nil)

  private static let maxSteps: UInt32 = 10_000_000
  private static let maxDepth: UInt32 = 1_000_000
  /// In KiB, for the interpreter.
  private static let maxHeap: UInt32 = 64 * 1024

  init() {
    pcre2_set_match_limit_8(context, Self.maxSteps)
    pcre2_set_depth_limit_8(context, Self.maxDepth)
    pcre2_set_heap_limit_8(context, Self.maxHeap)
    pcre2_jit_stack_assign_8(context, nil, stack.map { UnsafeMutableRawPointer($0) })
  }

  deinit {
    pcre2_match_data_free_8(result)
    pcre2_match_context_free_8(context)
    pcre2_jit_stack_free_8(stack)
  }

  mutating func find(_ code: OpaquePointer, in text: UnsafeRawBufferPointer) -> Pattern.Finding {
    switch ranges(code, in: text) {
    case .failure: return .tooManySteps
    case .success(nil): return .notFound
    case .success(let ranges?):
      // A group that did not participate in the match is empty.
      return .found((ranges.count > 1 ? ranges[1] : ranges[0]) ?? 0..<0)
    }
  }

  /// The match and its groups; nil if nothing is found.
  mutating func ranges(
    _ code: OpaquePointer, in text: UnsafeRawBufferPointer
  ) -> Result<[Range<Int>?]?, Pattern.SearchLimit> {
    var budget = SearchBudget(bytes: text.count)
    let status = withUnsafeMutablePointer(to: &budget) { budget in
      pcre2_set_callout_8(context, { _, budget in SearchBudget.spend(budget) }, budget)
      let status = match(code, text, 0)
      // The stack of the JIT is small; the interpreter may use memory up to its own limit.
      return status == PCRE2_ERROR_JIT_STACKLIMIT
        ? match(code, text, PCRE2_NO_JIT) : status
    }
    pcre2_set_callout_8(context, nil, nil)
    if status == PCRE2_ERROR_NOMATCH || status == PCRE2_ERROR_PARTIAL { return .success(nil) }
    guard status >= 0, let offsets = pcre2_get_ovector_pointer_8(result) else {
      return .failure(Pattern.SearchLimit())
    }
    let room = Pattern.maxGroups + 1
    // 0: more groups were set than there is room for.
    let set = status == 0 ? room : Int(status)
    let count = min(Int(Self.groupCount(code)) + 1, room)
    return .success(
      (0..<count).map { index in
        // PCRE2_UNSET, all bits set, is -1 here.
        index < set && offsets[2 * index] >= 0
          ? Self.range(offsets[2 * index], offsets[2 * index + 1]) : nil
      })
  }

  private func match(
    _ code: OpaquePointer, _ text: UnsafeRawBufferPointer, _ options: UInt32
  ) -> Int32 {
    var none: UInt8 = 0
    return withUnsafePointer(to: &none) { empty in
      pcre2_match_8(
        code, text.bindMemory(to: UInt8.self).baseAddress ?? empty, text.count, 0,
        options | PCRE2_NO_UTF_CHECK, result, context)
    }
  }

  private static func groupCount(_ code: OpaquePointer) -> UInt32 {
    var count: UInt32 = 0
    _ = pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_CAPTURECOUNT), &count)
    return count
  }

  /// `\K` in a lookahead may put the start of a match after its end.
  private static func range(_ start: Int, _ end: Int) -> Range<Int> { min(start, end)..<end }
}

/// The CPU time limit of one search. Not wall-clock time: the load of other programs must not
/// affect the result of a search.
private struct SearchBudget {
  private let end: Int64
  private var callouts: UInt32 = 0

  /// In ns. A search that reads each byte a few times takes a small part of `perByte`.
  private static let base: Int64 = 50_000_000
  private static let perByte: Int64 = 200

  init(bytes: Int) { end = Self.now + Self.base + Int64(bytes) * Self.perByte }

  /// Called before every item of the pattern; any value but 0 ends the search.
  static func spend(_ budget: UnsafeMutableRawPointer?) -> Int32 {
    guard let budget = budget?.assumingMemoryBound(to: SearchBudget.self) else { return 0 }
    budget.pointee.callouts &+= 1
    // The system call costs as much as about twenty steps.
    guard budget.pointee.callouts & 0x3F == 0 else { return 0 }
    return now >= budget.pointee.end ? PCRE2_ERROR_CALLOUT : 0
  }

  private static var now: Int64 { wscope_threadTime() }
}
