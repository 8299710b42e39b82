import LoadTesting

/// Results of `bench` in files.
enum StoredResult {
  /// The result in a file, which is JSON or a page that contains it; `-` is standard input.
  ///
  /// - Throws: `CommandFailure`, which names the file, the member, and what is wrong with it.
  static func read(_ path: String) throws -> LoadReport {
    let bytes = try FileContents.readText(path)
    let name = path == "-" ? "standard input" : path
    guard let json = EmbeddedResult.json(in: bytes) else {
      throw CommandFailure(.usage, "\(name): this page does not contain a result of wscope bench")
    }
    do throws(ResultError) {
      return try LoadReport(json: json)
    } catch {
      throw CommandFailure(.usage, "\(name): \(error.text)")
    }
  }
}
