/// `/redirect/N`: this many redirects, the last one to `/echo`.
enum RedirectPath {
  static let entry = TestPathEntry(
    pattern: "/redirect/{n}", aliases: ["/relative-redirect/{n}", "/absolute-redirect/{n}"],
    summary: "Redirects n times, at last to /echo.", answersHTTP: true
  ) { arguments throws(InvalidArgument) in
    let count = try arguments.number("n", in: 1...1_000_000) ?? 1
    return .reply(try StatusPath.reply(302, count == 1 ? "/echo" : "/redirect/\(count - 1)"))
  }
}

/// `/redirect-to`: one redirect to any URL.
enum RedirectToPath {
  static let entry = TestPathEntry(
    pattern: "/redirect-to", query: ["url", "status_code"],
    summary: "Redirects to url, with status_code (302).", answersHTTP: true
  ) { arguments throws(InvalidArgument) in
    guard let url = arguments.text("url"), !url.isEmpty else {
      throw InvalidArgument("url: missing (expected /redirect-to?url=/echo)")
    }
    return .reply(
      try StatusPath.reply(try arguments.number("status_code", in: 300...399) ?? 302, url))
  }
}
