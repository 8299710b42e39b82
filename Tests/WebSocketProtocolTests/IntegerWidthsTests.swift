import Testing
import WebSocketProtocol

/// SECURITY R8: what does not fit is cut off; nothing traps.
@Suite struct IntegerWidthsTests {
  @Test func whatDoesNotFitIsCutOff() {
    #expect(UInt64.max.asInt == -1)
    #expect(UInt64.max.asInt64 == -1)
    #expect(UInt64.max.asInt32 == -1)
    #expect((-1).asUInt64 == .max)
    #expect((-1).asUInt == .max)
    #expect(0x1_2345_6789.truncatedToUInt32 == 0x2345_6789)
    #expect(0x1_2345_6789.truncatedToUInt16 == 0x6789)
    #expect(0x1_2345_6789.truncatedToUInt8 == 0x89)
  }

  @Test func whatFitsIsKept() {
    #expect(UInt8.max.asInt == 255)
    #expect(UInt32.max.asInt == 4_294_967_295)
    #expect(Int.max.asUInt64 == UInt64(Int.max))
    #expect(Int32.min.asInt64 == -2_147_483_648)
    #expect(UInt16.max.asInt32 == 65_535)
    #expect(7.asUInt == 7)
  }
}
