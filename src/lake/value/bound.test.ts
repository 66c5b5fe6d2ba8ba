// Bounds: what DuckDB prints, in Iceberg's binary form, never narrower than the data.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeBound } from './bound.ts'
import { decodeValue, encodeValue } from './single-value.ts'

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')
const lower = (type: string, text: string) => encodeBound(type, text, 'lower')
const upper = (type: string, text: string) => encodeBound(type, text, 'upper')

test('single values have the bytes of the specification', () => {
  const cases: [string, string, string][] = [
    ['boolean', '1', '01'],
    ['boolean', 'false', '00'],
    ['int', '-1', 'ffffffff'],
    ['long', '4611686018427387905', '0100000000000040'],
    ['double', '1.5', '000000000000f83f'],
    ['float', '-2.5', '000020c0'],
    ['decimal(12, 2)', '14.20', '058c'],
    ['decimal(12, 2)', '-0.05', 'fb'],
    ['decimal(12, 2)', '1.28', '0080'],
    ['date', '1969-12-31', 'ffffffff'],
    ['time', '00:00:01.000001', '41420f0000000000'],
    ['timestamptz', '1969-12-31 23:59:59.999999+00', 'ffffffffffffffff'],
    ['timestamptz', '1970-01-01 00:00:01+00', '40420f0000000000'],
    ['timestamp', '1969-12-31 23:59:59.999999', 'ffffffffffffffff'],
    ['timestamp', '1970-01-01 00:00:01', '40420f0000000000'],
    ['string', 'é', 'c3a9'],
    ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'f79c3e09677c4bbda4793f349cb785e7'],
    ['binary', '00FF6162', '00ff6162'],
  ]
  for (const [type, text, bytes] of cases) {
    assert.equal(hex(lower(type, text)), bytes, `${type} ${text}`)
    assert.equal(hex(upper(type, text)), bytes, `${type} ${text}`)
  }
})

test('long text is cut to 16 code points; the upper bound is the next text of that length', () => {
  assert.equal(Buffer.from(lower('string', 'x'.repeat(20))!).toString(), 'x'.repeat(16))
  assert.equal(Buffer.from(upper('string', 'x'.repeat(20))!).toString(), `${'x'.repeat(15)}y`)
  assert.equal(Buffer.from(upper('string', '😀'.repeat(17))!).toString(), `${'😀'.repeat(15)}😁`)
  assert.equal(Buffer.from(upper('string', `${'a'.repeat(15)}\ud7ff!`)!).toString(), `${'a'.repeat(15)}\ue000`)
  assert.equal(Buffer.from(upper('string', `${'a'.repeat(15)}\u{10ffff}!`)!).toString(), `${'a'.repeat(14)}b`)
  assert.equal(upper('string', '\u{10ffff}'.repeat(17)), undefined)
  assert.equal(hex(upper('binary', 'ff'.repeat(17))), undefined)
  assert.equal(hex(upper('binary', `${'00'.repeat(15)}ff00`)), `${'00'.repeat(14)}01`)
})

test('text bounds hold the text, by its bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      if (!text.isWellFormed()) return
      const [low, high] = [lower('string', text)!, upper('string', text)]
      assert.ok(Buffer.compare(low, Buffer.from(text)) <= 0)
      assert.ok(high === undefined || Buffer.compare(high, Buffer.from(text)) >= 0)
    }),
    { numRuns: 2_000 },
  )
})

test('zero is -0 below and +0 above; a float that text cannot decide is rounded outward; infinities stay', () => {
  assert.equal(hex(lower('double', '0.0')), '0000000000000080')
  assert.equal(hex(upper('double', '-0.0')), '0000000000000000')
  assert.equal(hex(lower('float', '0.0')), '00000080')
  const [low, high] = [lower('float', '7.038531e-26')!, upper('float', '7.038531e-26')!].map(
    (bytes) => decodeValue('float', bytes) as number,
  )
  assert.ok(low! < high!)
  assert.equal(decodeValue('double', lower('double', '-inf')!), Number.NEGATIVE_INFINITY)
  assert.equal(lower('double', 'nan'), undefined)
  assert.equal(lower('date', 'infinity'), undefined)
  assert.equal(upper('timestamptz', '-infinity'), undefined)
})

test('floats are held between their bounds', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (float) => {
      const text = shortest(float)
      assert.ok((decodeValue('float', lower('float', text)!) as number) <= float)
      assert.ok((decodeValue('float', upper('float', text)!) as number) >= float)
    }),
    { numRuns: 2_000 },
  )
})

/** The fewest digits that a correct reader of floats turns back into the value: what DuckDB prints. */
function shortest(float: number): string {
  for (let digits = 1; digits < 10; digits++) if (Math.fround(Number(float.toPrecision(digits))) === float) return float.toPrecision(digits)
  return String(float)
}

test('values survive encoding; bounds of a narrower type are widened', () => {
  const round = (type: string, value: Parameters<typeof encodeValue>[1]) => assert.equal(decodeValue(type, encodeValue(type, value)), value)
  fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => round('long', value)))
  fc.assert(fc.property(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), (value) => round('decimal(38, 10)', value)))
  fc.assert(fc.property(fc.double({ noNaN: true }), (value) => round('double', value)))
  fc.assert(fc.property(fc.uuid(), (value) => round('uuid', value)))
  assert.equal(decodeValue('long', encodeValue('int', -7)), -7n)
  assert.equal(decodeValue('double', encodeValue('float', 0.5)), 0.5)
  assert.equal(decodeValue('timestamp', encodeValue('date', -1)), -86_400_000_000n)
})
