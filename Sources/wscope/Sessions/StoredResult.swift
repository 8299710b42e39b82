import LoadTesting
import Terminal

/// Reads results of `bench` from files: JSON, lines of JSON, logs, and pages that contain a result.
enum StoredResult {
  /// Reads the results in a file; `-` is standard input.
  ///
  /// - Throws: `CommandFailure` with the file, the member and the problem, also if there is no result.
  static func read(_ path: String) throws -> [LoadReport] {
    let bytes = try FileContents.readText(path)
    let stream = ResultStream(bytes)
    guard stream.results.isEmpty, stream.unfinished == nil, !isPage(bytes) else {
      return try parts(of: stream, in: path).map(\.report)
    }
    // Not even the beginning of a result: say what is wrong with the first byte or member.
    return [try report(bytes, name(path))]
  }

  /// Reads the results in several files and directories.
  ///
  /// - Returns: The results, and the number of lines that are not part of one.
  /// - Throws: As `read`.
  static func readAll(
    _ paths: [String]
  ) throws -> (parts: [ShardMerge.Part], skippedLines: Int) {
    var parts: [ShardMerge.Part] = []
    var skipped = 0
    for path in try paths.flatMap(files) {
      let bytes = try FileContents.readText(path)
      let stream = ResultStream(bytes)
      parts += try Self.parts(of: stream, in: path)
      // Nobody expects a page to be a result and nothing else.
      if !isPage(bytes) { skipped += stream.skippedLines }
    }
    return (parts, skipped)
  }

  private static func parts(
    of stream: ResultStream, in path: String
  ) throws -> [ShardMerge.Part] {
    if let line = stream.unfinished {
      throw CommandFailure(.usage, "\(name(path)):\(line): unterminated result")
    }
    guard !stream.results.isEmpty else {
      throw CommandFailure(.usage, "\(name(path)): no result of wscope bench found")
    }
    return try stream.results.enumerated().map { index, bytes in
      let name = stream.results.count == 1 ? name(path) : "\(name(path)), result \(index + 1)"
      return ShardMerge.Part(name: name, report: try report(bytes, name))
    }
  }

  private static func report(_ bytes: [UInt8], _ name: String) throws -> LoadReport {
    do throws(ResultError) {
      return try LoadReport(json: bytes)
    } catch {
      // A result on several lines, each with a prefix, has the prefixes inside.
      let isSpread = error.path.isEmpty && bytes.contains(0x0A) && bytes.first == UInt8(ascii: "{")
      throw CommandFailure(
        .usage, "\(name): \(error.text)",
        details: isSpread
          ? [
            "if each line has a prefix, the result must be on one line, as bench --shard writes it"
          ]
          : [])
    }
  }

  /// No JSON text begins with a less-than sign.
  private static func isPage(_ bytes: [UInt8]) -> Bool {
    bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "<")
  }

  /// The file itself, or the files in a directory that end in `.json`, by name.
  private static func files(_ path: String) throws -> [String] {
    guard path != "-", let names = FileNames.inDirectory(path) else { return [path] }
    let files = names.filter { $0.hasSuffix(".json") }.sorted()
    guard !files.isEmpty else { throw CommandFailure(.usage, "no *.json file in \(path)") }
    return files.map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
  }

  private static func name(_ path: String) -> String { path == "-" ? "standard input" : path }
}
