import Conversation

/// What the binary tells of a command by `--experimental-dump-help`.
struct CommandHelp {
  var name: String
  var arguments: [Argument]
  var subcommands: [CommandHelp]

  struct Argument {
    /// As they are typed, short ones first: `-H`, `--header`. None for what stands without a name.
    var names: [String]
    /// nil for what takes no value.
    var valueName: String?
    /// The value stands behind `=`, or is left out.
    var isValueOptional = false
    var abstract: String
    var defaultValue: String?
    var values: [String]
    /// The title of the group that it belongs to.
    var group: String?
    var isRepeating: Bool
  }

  static func ofTheBinary() throws -> CommandHelp {
    let json = try JSONValue.parse(Array(Program.output(["--experimental-dump-help"]).utf8))
    return CommandHelp(json["command"] ?? .null)
  }

  /// The command of a manual page: `wscope-send` is that of `wscope send`.
  func command(of page: String) -> CommandHelp? {
    page == name ? self : subcommands.first { "\(name)-\($0.name)" == page }
  }

  private init(_ json: JSONValue) {
    name = json["commandName"]?.string ?? ""
    arguments = (json["arguments"]?.elements ?? [])
      .filter { $0["shouldDisplay"] == .bool(true) }.map(Argument.init)
    subcommands = (json["subcommands"]?.elements ?? []).map(CommandHelp.init)
  }
}

extension CommandHelp.Argument {
  fileprivate init(_ json: JSONValue) {
    let typed = (json["names"]?.elements ?? []).map { name in
      (name["kind"] == .string("long") ? "--" : "-") + (name["name"]?.string ?? "")
    }
    names = typed.filter { !$0.hasPrefix("--") } + typed.filter { $0.hasPrefix("--") }
    valueName = json["kind"] == .string("flag") ? nil : json["valueName"]?.string
    abstract = json["abstract"]?.string ?? ""
    defaultValue = json["defaultValue"]?.string
    values = (json["allValues"]?.elements ?? []).compactMap(\.string)
    group = json["sectionTitle"]?.string
    isRepeating = json["isRepeating"] == .bool(true)
  }
}

extension JSONValue {
  /// The elements of an array; none of anything else.
  var elements: [JSONValue] {
    if case .array(let elements) = self { elements } else { [] }
  }
}
