// Decimals against integers as the model: exact arithmetic, rounding, and no accidental operators.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Decimal, type Rounding } from './decimal.ts'

const decimals = fc.record({ unscaled: fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), scale: fc.integer({ min: 0, max: 20 }) })
const of = ({ unscaled, scale }: { unscaled: bigint; scale: number }): Decimal => new Decimal(unscaled, scale)

test('text and back', () => {
  for (const text of ['0', '0.00', '12.50', '-12.50', '-0.05', '123456789012345678901234567890.1234567890'])
    assert.equal(`${Decimal.from(text)}`, text)
  assert.equal(Decimal.from('-0.00').toString(), '0.00')
  assert.equal(Decimal.from('1.5e3').toString(), '1500')
  assert.equal(Decimal.from('15e-3').toString(), '0.015')
  assert.equal(JSON.stringify({ a: Decimal.from(5n), b: Decimal.from(7) }), '{"a":"5","b":"7"}')
  for (const bad of ['', '1.', '.5', '1,5', 'x', ' 1', '+1', 0.1, Number.NaN, 2 ** 53]) {
    assert.throws(() => Decimal.from(bad), { code: 'MR_SCHEMA_TYPE' }, String(bad))
  }
  fc.assert(fc.property(decimals, (parts) => Decimal.from(of(parts).toString()).unscaled === parts.unscaled))
})

test('sums, products and order are exact', () => {
  fc.assert(
    fc.property(decimals, decimals, (x, y) => {
      const [a, b] = [of(x), of(y)]
      const up = (d: Decimal): bigint => d.unscaled * 10n ** BigInt(40 - d.scale)
      assert.equal(up(a.plus(b)), up(a) + up(b))
      assert.equal(up(a.minus(b)), up(a) - up(b))
      assert.equal(up(a.times(b)) * 10n ** 40n, up(a) * up(b))
      assert.equal(a.compare(b), up(a) < up(b) ? -1 : up(a) > up(b) ? 1 : 0)
      assert.deepEqual(
        [a.gt(b), a.gte(b), a.lt(b), a.lte(b), a.eq(b)],
        [up(a) > up(b), up(a) >= up(b), up(a) < up(b), up(a) <= up(b), up(a) === up(b)],
      )
    }),
  )
  assert.ok(Decimal.from('1.50').eq('1.5') && Decimal.from('2').gt(1n))
  assert.equal(Decimal.from('-1.5').abs().plus(Decimal.from('1').negated()).toString(), '0.5')
})

test('rounding', () => {
  const table: Record<Rounding, string[]> = {
    'half-even': ['2', '-2', '4', '-4', '3', '-3', '2'],
    'half-up': ['3', '-3', '4', '-4', '3', '-3', '2'],
    down: ['2', '-2', '3', '-3', '2', '-2', '2'],
    up: ['3', '-3', '4', '-4', '3', '-3', '3'],
    floor: ['2', '-3', '3', '-4', '2', '-3', '2'],
    ceiling: ['3', '-2', '4', '-3', '3', '-2', '3'],
  }
  const values = ['2.5', '-2.5', '3.5', '-3.5', '2.51', '-2.51', '2.49']
  for (const [rounding, expected] of Object.entries(table)) {
    assert.deepEqual(
      values.map((value) =>
        Decimal.from(value)
          .round(0, rounding as Rounding)
          .toString(),
      ),
      expected,
      rounding,
    )
  }
  assert.equal(Decimal.from('1.5').round(3).toString(), '1.500')
})

test('a quotient is the nearest value of its scale', () => {
  assert.equal(Decimal.from(1).dividedBy(3, 4).toString(), '0.3333')
  assert.equal(Decimal.from(2).dividedBy(-3, 4).toString(), '-0.6667')
  assert.equal(Decimal.from('1.00').dividedBy('0.0003', 0).toString(), '3333')
  assert.equal(Decimal.from('1000.0000').dividedBy('8', 1).toString(), '125.0')
  assert.throws(() => Decimal.from(1).dividedBy('0.00', 2), { code: 'MR_SCHEMA_TYPE' })
  fc.assert(
    fc.property(decimals, decimals, fc.integer({ min: 0, max: 12 }), (x, y, scale) => {
      fc.pre(y.unscaled !== 0n)
      const error = of(x)
        .minus(of(x).dividedBy(of(y), scale).times(of(y)))
        .abs()
      // |x - q*y| <= |y| / 2 units of the last place
      assert.ok(error.times(2).lte(of(y).abs().times(new Decimal(1n, scale))))
    }),
  )
})

test('operators throw, text works', () => {
  const [a, b] = [Decimal.from('10'), Decimal.from('9')] as unknown as [number, number]
  for (const use of [() => a + b, () => a > b, () => a * b, () => -a, () => Number(a), () => a.valueOf()]) {
    assert.throws(use, TypeError)
  }
  assert.equal(`${a}`, '10')
  assert.equal(Decimal.from('0.1').plus('0.2').toNumber(), 0.3)
})
