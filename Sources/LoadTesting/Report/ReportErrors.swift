import Conversation

extension ErrorTally.Entry {
  func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("phase", phase.rawValue)
      json.member("class", `class`.name)
      json.member("code", code)
      json.member("count", count)
      json.member("in_window", inWindow)
      json.member("first_ns", first)
      json.member("sample", sample)
    }
  }

  init(_ json: ResultValue) throws(ResultError) {
    let word = try json.member("class")
    let name = try word.text()
    guard let known = ErrorTally.Class(name: name) else {
      throw word.error("unknown word \"\(name)\"")
    }
    self.init(
      phase: try json.member("phase").word(), class: known, code: try json.optionalInteger("code"),
      count: try json.member("count").integer(), inWindow: try json.member("in_window").integer(),
      first: try json.member("first_ns").integer(), sample: try json.optionalText("sample"))
  }
}

extension CloseTally.Entry {
  func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("code", code)
      json.member("by", by.rawValue)
      json.member("count", count)
    }
  }

  init(_ json: ResultValue) throws(ResultError) {
    self.init(
      code: try json.member("code").integer(), by: try json.member("by").word(),
      count: try json.member("count").integer())
  }
}
