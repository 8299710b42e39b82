import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// The browser page, a WebSocket client in one file without external resources.
enum Page {
  /// The reply with the page. Its Content Security Policy allows only the script and style of the
  /// page itself, and connections to this server only.
  static func reply() -> HTTPReply {
    var generator = SystemRandomNumberGenerator()
    let nonce = withUnsafeBytes(of: (generator.next(), generator.next())) { Base64.encode($0) }
    let policy = [
      "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'",
      "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
      "frame-ancestors 'none'",
    ]
    let template = String(decoding: PackageResources.page_html, as: UTF8.self)
    let body = template.replacing("__NONCE__", with: nonce)
    return HTTPReply(
      .ok,
      headers: [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy.joined(separator: "; ")),
        ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
      ],
      body: Array(body.utf8))
  }
}
