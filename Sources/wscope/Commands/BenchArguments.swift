/// The command line as a report may repeat it.
enum BenchArguments {
  /// Header values are left out, and what stands before the `@` of a URL.
  static func redacted(_ arguments: [String]) -> [String] {
    var isValue = false
    return arguments.map { argument in
      if isValue {
        isValue = false
        return name(argument)
      }
      switch argument {
      case "-H", "--header":
        isValue = true
        return argument
      case _ where argument.hasPrefix("--header="):
        return "--header=" + name(argument.dropFirst("--header=".count))
      case _ where argument.hasPrefix("-H"):
        return "-H" + name(argument.dropFirst(2))
      default:
        return withoutUser(argument)
      }
    }
  }

  private static func name(_ field: some StringProtocol) -> String {
    field.contains(":") ? field.prefix { $0 != ":" } + ": ..." : "..."
  }

  private static func withoutUser(_ argument: String) -> String {
    guard let scheme = argument.firstRange(of: "://") else { return argument }
    let rest = argument[scheme.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard let at = authority.lastIndex(of: "@") else { return argument }
    return argument[..<scheme.upperBound] + "..." + argument[at...]
  }
}
