import LoadTesting

extension LoadReport {
  /// The verdict in one or two words, such as `SUSPECT`.
  var verdictText: String {
    // What was found without the checks counts all the same.
    isChecked || verdict.state != .valid ? verdict.state.rawValue.uppercased() : "NOT CHECKED"
  }
}
