import LoadTesting

/// Results of `bench` in files.
enum StoredResult {
  /// The result in a file; `-` is standard input.
  ///
  /// - Throws: `CommandFailure`, which names the file, the member, and what is wrong with it.
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
