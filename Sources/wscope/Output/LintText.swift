import WebSocketProtocol

/// The results of `--lint` as text.
enum LintText {
  /// `lint: 2 lengths encoded in more bytes than necessary (RFC 6455 section 5.2), ...`, or that
  /// nothing was found.
  static func line(_ counts: [Oddity: Int]) -> String {
    let found = Oddity.allCases.compactMap { oddity in
      counts[oddity].map {
        "\(Figures.count($0)) \(message(oddity, isOne: $0 == 1)) (RFC 6455 section \(oddity.section))"
      }
    }
    return "lint: " + (found.isEmpty ? "nothing unusual" : found.joined(separator: ", "))
  }

  private static func message(_ oddity: Oddity, isOne: Bool) -> String {
    switch oddity {
    case .longLength:
      isOne
        ? "length encoded in more bytes than necessary"
        : "lengths encoded in more bytes than necessary"
    case .emptyFragment: isOne ? "empty fragment" : "empty fragments"
    case .reusedMask:
      isOne
        ? "frame that reuses the previous masking key"
        : "frames that reuse the previous masking key"
    case .cutCharacter:
      isOne
        ? "text fragment that ends inside a character"
        : "text fragments that end inside a character"
    }
  }

  /// The name of an oddity in JSON Lines.
  static func name(_ oddity: Oddity) -> String {
    switch oddity {
    case .longLength: "long length"
    case .emptyFragment: "empty fragment"
    case .cutCharacter: "cut character"
    case .reusedMask: "reused mask"
    }
  }
}
