import LoadTesting
import Terminal

/// Reads results of `bench` from files.
enum StoredResult {
  /// Reads the result in a file, which is JSON or a page that contains it; `-` is standard input.
  ///
  /// - Throws: `CommandFailure` with the file, the member and the problem.
  static func read(_ path: String) throws -> LoadReport {
    let bytes = try FileContents.readText(path)
    let name = name(path)
    guard let json = EmbeddedResult.json(in: bytes) else {
      throw CommandFailure(.usage, "\(name): this page does not contain a result of wscope bench")
    }
    do throws(ResultError) {
      return try LoadReport(json: json)
    } catch {
      throw CommandFailure(.usage, "\(name): \(error.text)")
    }
  }

  /// The results in several files and directories, and how many lines were not part of one.
  ///
  /// - Throws: `CommandFailure`, also for a file without any result.
  static func readAll(
    _ paths: [String]
  ) throws -> (parts: [ShardMerge.Part], skippedLines: Int) {
    var parts: [ShardMerge.Part] = []
    var skipped = 0
    for path in try paths.flatMap(files) {
      let stream = ResultStream(try FileContents.readText(path))
      if let line = stream.unfinished {
        throw CommandFailure(.usage, "\(name(path)):\(line): a result without its end")
      }
      guard !stream.results.isEmpty else {
        throw CommandFailure(.usage, "\(name(path)): no result of bench")
      }
      skipped += stream.skippedLines
      for (index, bytes) in stream.results.enumerated() {
        let name = stream.results.count == 1 ? name(path) : "\(name(path)), result \(index + 1)"
        do throws(ResultError) {
          parts.append(.init(name: name, report: try LoadReport(json: bytes)))
        } catch {
          // A result on several lines, each with a prefix, has the prefixes inside.
          let isSpread = error.path.isEmpty && bytes.contains(0x0A)
          throw CommandFailure(
            .usage, "\(name): \(error.text)",
            details: isSpread
              ? ["a result behind a prefix must be on one line, as bench --shard writes it"] : [])
        }
      }
    }
    return (parts, skipped)
  }

  /// The file itself, or the files in it that end in `.json`, by name.
  private static func files(_ path: String) throws -> [String] {
    guard path != "-", let names = FileNames.inDirectory(path) else { return [path] }
    let files = names.filter { $0.hasSuffix(".json") }.sorted()
    guard !files.isEmpty else { throw CommandFailure(.usage, "no *.json file in \(path)") }
    return files.map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
  }

  private static func name(_ path: String) -> String { path == "-" ? "standard input" : path }
}
