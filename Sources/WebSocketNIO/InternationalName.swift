import Glibc

/// Converts host names that are not ASCII to the form used in DNS, the Host field and certificates:
/// `bücher.example` is `xn--bcher-kva.example` (UTS 46, with the tables of libidn2).
///
/// The library is loaded when such a name is first used, so the binary does not depend on it. On
/// Debian it is installed together with curl, wget or GnuTLS.
package enum InternationalName {
  private typealias Convert =
    @convention(c) (
      UnsafePointer<CChar>, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, Int32
    ) -> Int32
  private typealias Release = @convention(c) (UnsafeMutableRawPointer?) -> Void

  /// IDN2_NFC_INPUT and IDN2_NONTRANSITIONAL, as browsers and curl use.
  private static let flags: Int32 = 1 | 8

  private static let library: (convert: Convert, release: Release)? = {
    guard let handle = dlopen("libidn2.so.0", RTLD_NOW | RTLD_LOCAL),
      let convert = dlsym(handle, "idn2_to_ascii_8z"), let release = dlsym(handle, "idn2_free")
    else { return nil }
    return (
      unsafeBitCast(convert, to: Convert.self), unsafeBitCast(release, to: Release.self)
    )
  }()

  /// The name in ASCII; nil if it is not a valid name, or if the library is not installed.
  package static func ascii(_ name: String) -> String? {
    guard let library else { return nil }
    var output: UnsafeMutablePointer<CChar>?
    guard library.convert(name, &output, flags) == 0, let output else { return nil }
    defer { library.release(output) }
    return String(validatingCString: output)
  }
}
