import NIOHTTP1

/// The fields of a good head with changes: a row of a table says what makes it another.
///
/// - `Name: value` takes the place of all fields of that name, or is added.
/// - `+Name: value` is added behind the others.
/// - `-Name` takes the fields of that name away.
struct HeadEdits {
  private(set) var headers: HTTPHeaders

  init(_ good: [(String, String)], _ edits: [String]) {
    headers = HTTPHeaders(good)
    for edit in edits {
      let isMore = edit.hasPrefix("+")
      let field = isMore || edit.hasPrefix("-") ? edit.dropFirst() : edit[...]
      let name = String(field.prefix { $0 != ":" })
      if !isMore { headers.remove(name: name) }
      guard !edit.hasPrefix("-") else { continue }
      let value = field.dropFirst(name.count + 1)
      headers.add(name: name, value: String(value.hasPrefix(" ") ? value.dropFirst() : value))
    }
  }
}
