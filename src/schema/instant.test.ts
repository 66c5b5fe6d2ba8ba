// Instants and the calendar beneath them, against Date where Date is exact.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { daysOf, isoDate, isoInstant, isoTime } from './calendar.ts'
import { Instant } from './instant.ts'

test('days and dates agree with Date over 9999 years', () => {
  for (let day = -719_162; day <= 2_932_896; day += 61) {
    const text = new Date(day * 86_400_000).toISOString().slice(0, 10)
    assert.equal(isoDate(day), text)
    assert.equal(daysOf(Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8))), day)
  }
  assert.equal(isoDate(2_932_897), '+010000-01-01')
  assert.equal(isoDate(-719_529), '-000001-12-31')
  assert.equal(isoTime(86_399_999_999), '23:59:59.999999')
})

test('text and back keeps microseconds', () => {
  const micros = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(micros, (value) => {
      const text = Instant.fromMicros(value).toIso()
      assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
      assert.equal(Instant.fromIso(text).epochMicros, value)
      assert.equal(isoInstant(BigInt(value)), text)
      assert.equal(text.slice(0, 23), new Date(Math.floor(value / 1000)).toISOString().slice(0, 23))
    }),
  )
})

test('spellings of ISO 8601', () => {
  const same = [
    '2026-01-31T12:00:00Z',
    '2026-01-31 12:00:00',
    '2026-01-31T14:00:00.000000+02:00',
    '2026-01-31t12:00:00.0z',
    '2026-01-31T08:30:00-0330',
    '2026-01-31T13:00:00+01',
  ]
  for (const text of same) assert.equal(Instant.fromIso(text).toIso(), '2026-01-31T12:00:00.000000Z', text)
  for (const bad of [
    '',
    '2026-01-31',
    '2026-02-30T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:00:00.0000001Z',
    '1600-01-01T00:00:00Z',
    '2026-01-31T12:00:00Z"',
    'x',
  ]) {
    assert.throws(() => Instant.fromIso(bad), { code: 'MR_SCHEMA_TYPE' }, bad)
  }
})

test('arithmetic in milliseconds, comparison, no operators', () => {
  const a = Instant.fromIso('2026-01-31T12:00:00.000001Z')
  const b = a.plusMs(1.5).plusMicros(1)
  assert.equal(b.toIso(), '2026-01-31T12:00:00.001502Z')
  assert.equal(b.msSince(a), 1.501)
  assert.deepEqual([a.compare(b), b.compare(a), a.compare(Instant.fromMs(a.epochMs))], [-1, 1, 0])
  assert.equal(JSON.stringify({ a }), '{"a":"2026-01-31T12:00:00.000001Z"}')
  const [x, y] = [a, b] as unknown as [number, number]
  for (const use of [() => x < y, () => y - x, () => x + 1, () => x.valueOf()]) assert.throws(use, TypeError)
  assert.throws(() => Instant.fromMicros(2 ** 53), { code: 'MR_SCHEMA_TYPE' })
})
