import Testing
import WebSocketProtocol

/// SECURITY R8: what does not fit is cut off; nothing traps.
@Suite struct IntegerWidthsTests {
  @Test func whatDoesNotFitIsCutOff() {
    #expect(UInt64.max.signed == -1)
    #expect(UInt64.max.signed64 == -1)
    #expect(UInt64.max.signed32 == -1)
    #expect((-1).unsigned64 == .max)
    #expect((-1).unsigned == .max)
    #expect(0x1_2345_6789.low32 == 0x2345_6789)
    #expect(0x1_2345_6789.low16 == 0x6789)
    #expect(0x1_2345_6789.low8 == 0x89)
  }

  @Test func whatFitsIsKept() {
    #expect(UInt8.max.signed == 255)
    #expect(UInt32.max.signed == 4_294_967_295)
    #expect(Int.max.unsigned64 == UInt64(Int.max))
    #expect(Int32.min.signed64 == -2_147_483_648)
    #expect(UInt16.max.signed32 == 65_535)
    #expect(7.unsigned == 7)
  }
}
