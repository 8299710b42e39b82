import FuzzTargets
import Glibc

// libFuzzer's own main looks for one function of a fixed name; here the target is chosen by name, so
// that one binary, which takes long to build, has them all. SwiftPM calls what would be `main` by
// the name of the product.

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ argc: UnsafeMutablePointer<Int32>,
  _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

private let target: FuzzTarget = {
  let name = getenv("WSCOPE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
    fatalError("WSCOPE_FUZZ_TARGET must be one of \(FuzzTarget.all.map(\.name))")
  }
  return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  if let complaint = target.complaint(UnsafeRawBufferPointer(start: bytes, count: count)) {
    fatalError(complaint)
  }
  return 0
}

@_cdecl("Fuzz_main")
func fuzzMain(
  _ argc: Int32, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  var argc = argc
  var argv = argv
  return runDriver(&argc, &argv, testOneInput)
}
