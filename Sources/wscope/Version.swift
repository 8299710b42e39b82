import Conversation
import Terminal
import WebSocketProtocol

/// The version of this build, for `--version`, the User-Agent and reports.
enum Version {
  static let number = "0.1.0"
  static let userAgent = "wscope/\(number)"

  /// The text of `--version`, including the libraries, which bug reports need.
  static var text: String {
    """
    wscope \(number) (\(build))
    readline \(Readline.version), zlib \(Zlib.version), PCRE2 \(Pattern.libraryVersion); \
    SwiftNIO, BoringSSL, HdrHistogram
    """
  }

  /// Whether the build is optimised: measurements of a debug build are not comparable.
  static var build: String {
    #if DEBUG
      "debug"
    #else
      "release"
    #endif
  }
}
