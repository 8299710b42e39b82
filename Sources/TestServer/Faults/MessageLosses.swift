import Conversation

/// `drop`: messages are lost.
enum Drop {
  static let entry = FaultEntry(
    name: "drop", kind: .message, summary: "Loses this share of the messages.", example: "5%",
    canEnd: true
  ) { value throws(InvalidFaultValue) in
    let share = try Share.required(value)
    return .message { message, random in
      if random.fraction() < share { message.isDropped = true }
    }
  }
}

/// `dup`: messages arrive twice.
enum Duplicate {
  static let entry = FaultEntry(
    name: "dup", kind: .message, summary: "Sends this share of the messages twice.", example: "1%",
    canEnd: true
  ) { value throws(InvalidFaultValue) in
    let share = try Share.required(value)
    return .message { message, random in
      if random.fraction() < share { message.isDoubled = true }
    }
  }
}

/// `corrupt`: messages are changed.
enum Corrupt {
  static let entry = FaultEntry(
    name: "corrupt", kind: .message,
    summary: "Changes one byte in this share of the messages; text may not be UTF-8 then.",
    example: "1%", canEnd: true
  ) { value throws(InvalidFaultValue) in
    let share = try Share.required(value)
    return .message { message, random in
      let (chance, change) = (random.fraction(), random.next())
      if chance < share { message.corruption = change }
    }
  }
}

extension Share {
  /// Parses a share.
  ///
  /// - Throws: `InvalidFaultValue`, if the text is not a share.
  static func required(_ text: String) throws(InvalidFaultValue) -> Double {
    guard let share = parse(text) else { throw InvalidFaultValue(expected: "5% or 0.05") }
    return share
  }
}
