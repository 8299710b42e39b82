import Glibc

/// File names, for completion and for paths that the user types.
package enum FileNames {
  static var home: String? { getenv("HOME").map { String(cString: $0) } }

  /// The paths that begin with `typed`, sorted, directories with a slash at the end.
  ///
  /// Names that a terminal cannot show unchanged (control characters, invalid UTF-8) are omitted:
  /// completion would insert them into the line. Hidden files are included if their dot is typed.
  static func completions(of typed: String, home: String? = home) -> [String] {
    let end = typed.lastIndex(of: "/").map { typed.index(after: $0) } ?? typed.startIndex
    let directory = String(typed[..<end])
    let beginning = typed[end...]
    guard let stream = opendir(directory.isEmpty ? "." : expanded(directory, home: home)) else {
      return []
    }
    defer { closedir(stream) }
    var paths: [String] = []
    while let entry = readdir(stream) {
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard let name = String(validating: bytes, as: UTF8.self), name.hasPrefix(beginning),
        name != ".", name != "..", beginning.hasPrefix(".") || !name.hasPrefix("."),
        name.unicodeScalars.allSatisfy({ ControlCharacters.isPrintable($0.value) })
      else { continue }
      let path = directory + name
      paths.append(isDirectory(expanded(path, home: home)) ? path + "/" : path)
    }
    return paths.sorted()
  }

  /// A path as the user types it, with `~` replaced by the home directory.
  package static func expanded(
    _ path: String, home: String? = getenv("HOME").map { String(cString: $0) }
  ) -> String {
    guard let home, path == "~" || path.hasPrefix("~/") else { return path }
    return home + path.dropFirst()
  }

  /// The names in a directory, in any order, without hidden ones; nil if it is not one.
  package static func inDirectory(_ path: String) -> [String]? {
    guard let stream = opendir(path) else { return nil }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if let name = String(validating: bytes, as: UTF8.self), !name.hasPrefix(".") {
        names.append(name)
      }
    }
    return names
  }

  private static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
