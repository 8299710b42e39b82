/// Names of members and of rooms, which others see.
enum PrintableName {
  /// What a name must be.
  static func rule(maxLength: Int = 32) -> String { "1 to \(maxLength) printable characters" }

  /// Whether it has 1 to `maxLength` characters that are visible, or spaces between such characters.
  static func isValid(_ name: String, maxLength: Int = 32) -> Bool {
    // A character can consist of any number of scalars.
    guard !name.isEmpty, name.count <= maxLength, name.utf8.count <= 4 * maxLength,
      name.first != " ", name.last != " "
    else { return false }
    return name.unicodeScalars.allSatisfy { scalar in
      if scalar == " " { return true }
      return switch scalar.properties.generalCategory {
      case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
        .paragraphSeparator, .spaceSeparator:
        false
      default: true
      }
    }
  }
}
