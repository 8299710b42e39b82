import Foundation
import FoundationXML
import TestPeers

/// Reads a page with an XML parser, which is stricter than a browser: every element is closed, every attribute
/// quoted, every text escaped.
final class PageReader: NSObject, XMLParserDelegate {
  struct Chart {
    var id = ""
    var labels = ""
    var title = ""
    var finding = ""
    var hasTable = false
  }

  struct Page {
    var elements: [String] = []
    var attributes: [(name: String, value: String)] = []
    var headings: [String] = []
    var captions: [String] = []
    var charts: [Chart] = []
    var description = ""
    /// All text outside of scripts and style.
    var text = ""
  }

  private var page = Page()
  private var open: [String] = []

  static func read(_ text: String) throws -> Page {
    var markup = text
    // Their contents are not markup.
    for name in ["style", "script"] {
      markup = markup.replacing(
        try Regex("<\(name)[^>]*>(?s:.)*?</\(name)>"), with: "<\(name)></\(name)>")
    }
    markup = markup.replacing(try Regex("<meta ([^>]*)>")) { "<meta \($0[1].substring ?? "")/>" }
    let reader = PageReader()
    let parser = XMLParser(data: Data(markup.utf8))
    parser.delegate = reader
    guard parser.parse() else {
      throw TestPeerError("line \(parser.lineNumber): \(String(describing: parser.parserError))")
    }
    return reader.page
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String] = [:]
  ) {
    page.elements.append(name)
    page.attributes += attributes.map { ($0.key, $0.value) }
    open.append(name)
    switch name {
    case "svg" where attributes["role"] == "img":
      let labels = attributes["aria-labelledby"] ?? ""
      page.charts.append(
        Chart(id: String(labels.prefix { $0 != "-" }), labels: labels))
    case "h1", "h2", "h3": page.headings.append("")
    case "caption": page.captions.append("")
    case "table" where open.contains("figure"):
      page.charts[page.charts.count - 1].hasTable = open.contains("details")
    case "meta" where attributes["name"] == "description":
      page.description = attributes["content"] ?? ""
    default: break
    }
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    page.text += text
    switch open.last {
    case "h1", "h2", "h3": page.headings[page.headings.count - 1] += text
    case "caption": page.captions[page.captions.count - 1] += text
    case "title" where open.contains("svg"): page.charts[page.charts.count - 1].title += text
    case "desc": page.charts[page.charts.count - 1].finding += text
    default: break
    }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    open.removeLast()
  }
}
