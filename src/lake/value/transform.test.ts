// Transforms against the vectors of the Iceberg specification (appendix B, "Partition Transforms") and around 1970.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { murmur3 } from './murmur3.ts'
import { valueFromText } from './text-value.ts'
import { applyTransform, checkTransform, parseTransform, resultType, transformText } from './transform.ts'

const MANY = 0x7fffffff

/** A bucket among 2^31 - 1 is the hash without its sign, but for one value. */
const hashed = (type: string, text: string): unknown => applyTransform(`bucket[${MANY}]`, type, valueFromText(type, text)!)
const expected = (hash: number): number => (hash & 0x7fffffff) % MANY

test('murmur3 gives the vectors of the specification', () => {
  const vectors: [string, string, number][] = [
    ['int', '34', 2017239379],
    ['long', '34', 2017239379],
    ['decimal(9, 2)', '14.20', -500754589],
    ['date', '2017-11-16', -653330422],
    ['time', '22:31:08', -662762989],
    ['timestamp', '2017-11-16 22:31:08', -2047944441],
    ['timestamptz', '2017-11-16 14:31:08-08:00', -2047944441],
    ['timestamp', '2017-11-16 22:31:08.000001', -1207196810],
    ['string', 'iceberg', 1210000089],
    ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 1488055340],
    ['fixed[4]', '00010203', -188683207],
    ['binary', '00010203', -188683207],
  ]
  for (const [type, text, hash] of vectors) assert.equal(hashed(type, text), expected(hash), `${type} ${text}`)
  assert.equal(murmur3(Buffer.from('iceberg')), 1210000089)
})

test('buckets are in range, and do not move when int becomes long', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 1_000 }), (value, buckets) => {
      const bucket = applyTransform(`bucket[${buckets}]`, 'int', value) as number
      assert.ok(bucket >= 0 && bucket < buckets)
      assert.equal(applyTransform(`bucket[${buckets}]`, 'long', BigInt(value)), bucket)
    }),
  )
})

test('year, month, day and hour round down, also before 1970', () => {
  const of = (transform: string, type: string, text: string) => applyTransform(transform, type, valueFromText(type, text)!)
  const instant = (transform: string, text: string) => of(transform, 'timestamptz', text)
  assert.deepEqual(
    ['year', 'month', 'day', 'hour'].map((transform) => instant(transform, '2017-11-16 22:31:08.5+00')),
    [47, 574, 17_486, 419_686],
  )
  assert.deepEqual(
    ['year', 'month', 'day', 'hour'].map((transform) => instant(transform, '1969-12-31 23:59:59.999999+00')),
    [-1, -1, -1, -1],
  )
  assert.deepEqual(
    ['year', 'month', 'day', 'hour'].map((transform) => of(transform, 'timestamp', '2017-11-16 22:31:08.5')),
    [47, 574, 17_486, 419_686],
  )
  assert.deepEqual(
    ['year', 'month', 'day'].map((transform) => of(transform, 'date', '1969-12-31')),
    [-1, -1, -1],
  )
  assert.deepEqual(
    ['year', 'month', 'day'].map((transform) => of(transform, 'date', '0044-03-15 (BC)')),
    [-2013, -24_154, -735_160],
  )
  for (const transform of ['identity', 'year', 'day', 'bucket[4]']) assert.equal(applyTransform(transform, 'date', null), null)
})

test('days, months and years agree with the calendar of JavaScript', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') }), (date) => {
      const micros = BigInt(date.getTime()) * 1000n
      const of = (transform: string) => applyTransform(transform, 'timestamptz', micros)
      assert.equal(of('year'), date.getUTCFullYear() - 1970)
      assert.equal(of('month'), (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth())
      assert.equal(of('day'), Math.floor(date.getTime() / 86_400_000))
      assert.equal(of('hour'), Math.floor(date.getTime() / 3_600_000))
      assert.equal(valueFromText('timestamptz', date.toISOString()), micros)
      assert.equal(valueFromText('date', date.toISOString().slice(0, 10)), of('day'))
    }),
  )
})

test('types of results, and what is refused', () => {
  assert.deepEqual(
    ['identity', 'year', 'month', 'day', 'hour', 'bucket[3]', 'truncate[4]', 'void'].map((transform) =>
      resultType(transform, 'timestamptz'),
    ),
    ['timestamptz', 'int', 'int', 'date', 'int', 'int', 'timestamptz', 'timestamptz'],
  )
  assert.deepEqual(parseTransform('bucket[16]'), { kind: 'bucket', parameter: 16 })
  assert.equal(transformText({ transform: 'bucket', column: 'a', buckets: 8 }), 'bucket[8]')
  assert.throws(() => parseTransform('weekday'), { code: 'MR_LAKE_SPEC' })
  const refused = [
    [{ transform: 'day', column: 'a' }, 'string'],
    [{ transform: 'hour', column: 'a' }, 'date'],
    [{ transform: 'identity', column: 'a' }, 'double'],
    [{ transform: 'bucket', column: 'a', buckets: 4 }, 'float'],
    [{ transform: 'bucket', column: 'a' }, 'int'],
  ] as const
  for (const [rule, type] of refused)
    assert.throws(() => checkTransform(rule, type), { code: 'MR_LAKE_SPEC' }, `${rule.transform} of ${type}`)
  checkTransform({ transform: 'bucket', column: 'a', buckets: 4 }, 'uuid')
})
