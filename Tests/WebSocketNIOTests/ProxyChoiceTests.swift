import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// Which proxy is on the way, as curl chooses.
@Suite(.blocking) struct ProxyChoiceTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var url: String
    var option: String?
    var exceptions: String?
    /// `name=value`, with spaces between them.
    var variables = ""
    /// The text and where it stands; empty for none.
    var wish = ""

    var testDescription: String { "\(url) \(option ?? "") \(exceptions ?? "") \(variables)" }
  }

  static let rows: [Row] = [
    Row(url: "ws://a/"),
    Row(url: "ws://a/", variables: "http_proxy=p", wish: "p http_proxy"),
    Row(url: "wss://a/", variables: "http_proxy=p"),
    Row(url: "ws://a/", variables: "https_proxy=p HTTPS_PROXY=q"),
    Row(url: "wss://a/", variables: "https_proxy=p HTTPS_PROXY=q", wish: "p https_proxy"),
    Row(url: "wss://a/", variables: "HTTPS_PROXY=q all_proxy=r", wish: "q HTTPS_PROXY"),
    // httpoxy: in upper case it is not believed.
    Row(url: "ws://a/", variables: "HTTP_PROXY=p"),
    Row(url: "ws://a/", variables: "HTTP_PROXY=p ALL_PROXY=r", wish: "r ALL_PROXY"),
    Row(url: "ws://a/", variables: "all_proxy=p ALL_PROXY=q", wish: "p all_proxy"),
    Row(url: "ws://a/", variables: "http_proxy=p all_proxy=q", wish: "p http_proxy"),
    Row(url: "wss://a/", variables: "http_proxy=p all_proxy=q", wish: "q all_proxy"),
    // An empty one is none.
    Row(url: "ws://a/", variables: "http_proxy= all_proxy=q", wish: "q all_proxy"),
    Row(url: "wss://a/", variables: "https_proxy= HTTPS_PROXY= all_proxy="),
    Row(url: "ws://a/", option: "o", variables: "http_proxy=p", wish: "o --proxy"),
    Row(url: "wss://a/", option: "o", variables: "https_proxy=p", wish: "o --proxy"),
    Row(url: "ws://a/", option: "", variables: "http_proxy=p all_proxy=q"),
    Row(url: "ws://a/", variables: "http_proxy=p no_proxy=a"),
    Row(url: "ws://a/", variables: "http_proxy=p NO_PROXY=a"),
    Row(url: "ws://a/", variables: "http_proxy=p no_proxy=b NO_PROXY=a", wish: "p http_proxy"),
    Row(url: "ws://a/", variables: "http_proxy=p no_proxy= NO_PROXY=a"),
    // The variable is for --proxy too, and --noproxy goes before it.
    Row(url: "ws://a/", option: "o", variables: "no_proxy=a"),
    Row(url: "ws://a/", option: "o", exceptions: "b", variables: "no_proxy=a", wish: "o --proxy"),
    Row(url: "ws://a/", option: "o", exceptions: "", variables: "no_proxy=*", wish: "o --proxy"),
    Row(url: "ws://a/", option: "o", exceptions: "*"),
    Row(url: "ws://a:81/", exceptions: "a:81", variables: "http_proxy=p"),
    Row(url: "ws://[::1]/", exceptions: "::1", variables: "http_proxy=p"),
    Row(url: "ws+unix:/tmp/s", option: "o", variables: "http_proxy=p all_proxy=q"),
  ]

  @Test(arguments: rows) func wish(row: Row) throws {
    let pairs = row.variables.split(separator: " ").map {
      $0.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
    }
    let environment = Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
    let choice = ProxyChoice(
      option: row.option, exceptions: row.exceptions, environment: environment)
    let url = try WebSocketURL.parse(row.url)
    let wish = choice.wish(for: url.endpoint, url.security)
    #expect((wish.map { "\($0.text) \($0.origin)" } ?? "") == row.wish)
  }

  @Test(arguments: [
    // A name, and what is below it.
    ("example.com", "example.com", true), ("example.com", "www.example.com", true),
    ("example.com", "a.b.example.com", true), (".example.com", "example.com", true),
    (".example.com", "www.example.com", true), ("*.example.com", "www.example.com", true),
    ("*.example.com", "example.com", true), ("example.com", "notexample.com", false),
    (".example.com", "notexample.com", false), ("example.com", "com", false),
    ("www.example.com", "example.com", false), ("EXAMPLE.com", "www.Example.COM", true),
    ("example.com.", "example.com", true), ("example.com", "example.com.", true),
    ("example.com", "example.com.evil", false), ("ample.com", "example.com", false),
    // A list.
    ("a,b", "b", true), ("a, b", "b", true), ("a b", "b", true), ("a\tb", "b", true),
    (" ,, a ,", "a", true), ("a,b", "c", false), ("", "a", false), (",", "a", false),
    (".", "a", false),
    ("..", "a", false), ("a", "", false),
    // Every host, if it stands alone.
    ("*", "a", true), ("*", "127.0.0.1", true), (" * ", "::1", true), ("a,*", "b", false),
    ("*a", "ba", false), ("*com", "example.com", false),
    // Addresses.
    ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.10", false),
    ("127.0.0.1", "1.127.0.0.1", false), ("0.0.1", "127.0.0.1", false),
    (".0.0.1", "127.0.0.1", false),
    ("::1", "::1", true), ("[::1]", "::1", true), ("0:0:0:0:0:0:0:1", "::1", true),
    ("::1", "::2", false),
    ("fe80::1", "fe80::1%lo", true), ("::1", "a", false), ("[127.0.0.1]", "127.0.0.1", false),
    ("127.0.0.1", "127.1", false),
    // Networks.
    ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.0.0.0", false),
    ("10.9.9.9/8", "10.1.2.3", true), ("192.168.0.0/23", "192.168.1.255", true),
    ("192.168.0.0/23", "192.168.2.0", false), ("1.2.3.4/32", "1.2.3.4", true),
    ("1.2.3.4/32", "1.2.3.5", false), ("1.2.3.4/31", "1.2.3.5", true),
    ("0.0.0.0/0", "8.8.8.8", true),
    ("0.0.0.0/0", "::1", false), ("0.0.0.0/0", "a", false), ("::/0", "8.8.8.8", false),
    ("2001:db8::/32", "2001:db8:ff::1", true), ("2001:db8::/33", "2001:db8:8000::", false),
    ("[2001:db8::]/32", "2001:db8:1::", true), ("::1/128", "::1", true), ("::1/129", "::1", false),
    ("10.0.0.0/33", "10.0.0.0", false), ("10.0.0.0/", "10.0.0.0", false),
    ("10.0.0.0/+8", "10.0.0.0", false), ("10.0.0.0/-1", "10.0.0.0", false),
    ("10.0.0.0/99999999999999999999", "10.0.0.0", false), ("10.0.0.0/8/8", "10.0.0.0", false),
    ("/8", "10.0.0.0", false), ("a/8", "a", false),
    // Ports; the one that is connected to is 80.
    ("a:80", "a", true), ("a:80", "www.a", true), ("a:81", "a", false), ("a:080", "a", true),
    ("127.0.0.1:80", "127.0.0.1", true), ("127.0.0.1:81", "127.0.0.1", false),
    ("[::1]:80", "::1", true), ("[::1]:81", "::1", false), ("a:", "a", false), (":80", "a", false),
    ("a:x", "a", false), ("*:80", "a", false), ("a:99999999999999999999", "a", false),
  ])
  func noProxy(_ list: String, _ host: String, _ isInIt: Bool) {
    #expect(NoProxyList(list).contains(host, 80) == isInIt)
  }
}
