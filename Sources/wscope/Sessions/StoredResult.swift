import LoadTesting

/// Reads results of `bench` from files.
enum StoredResult {
  /// Reads the result in a file; `-` is standard input.
  ///
  /// - Throws: `CommandFailure` with the file, the member and the problem.
  static func read(_ path: String) throws -> LoadReport {
    let bytes = try FileContents.readText(path)
    do throws(ResultError) {
      return try LoadReport(json: bytes)
    } catch {
      let name = path == "-" ? "standard input" : path
      throw CommandFailure(.usage, "\(name): \(error.text)")
    }
  }
}
