// Known answers of CRC-32C (RFC 3720, appendix B.4), and that native code and tables agree.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadCrc32c, tableCrc32c } from './crc32c.ts'

test('the tables give the answers of RFC 3720', () => {
  assert.equal(tableCrc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(tableCrc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(tableCrc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  assert.equal(tableCrc32c(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e)
})

test('native and tables agree, in one piece and in two', async () => {
  const native = await loadCrc32c()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      const whole = tableCrc32c(bytes)
      assert.equal(native(bytes), whole)
      assert.equal(tableCrc32c(bytes.subarray(cut), tableCrc32c(bytes.subarray(0, cut))), whole)
      assert.equal(native(bytes.subarray(cut), native(bytes.subarray(0, cut))), whole)
    }),
  )
})
