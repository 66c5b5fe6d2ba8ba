// Figures, ages and times as the console writes them (console/src/ui/format.ts), and the lineage graph as sets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { closure, columnPath, onPath, sourceFirst } from '../../console/src/pages/graph.ts'
import {
  axisMs,
  familyOf,
  formatAge,
  formatBytes,
  formatCell,
  formatCount,
  formatDecimal,
  formatDuration,
  formatShare,
  formatShort,
  formatTime,
  steady,
} from '../../console/src/ui/format.ts'
import { lineage } from './fixture-data.ts'

/** The console writes as the reader's locale does; what is expected here is English. */
const english = new Intl.NumberFormat().format(1234.5) === '1,234.5'
const skip = english ? false : 'the locale of this machine is not English'
const NOW = Date.UTC(2026, 10, 20, 12, 52, 8)

test('decimals are grouped digit by digit and lose nothing', { skip }, () => {
  assert.equal(formatDecimal('-11062.06'), '−11,062.06')
  assert.equal(formatDecimal('99999999999999999999999999999999999.99'), '99,999,999,999,999,999,999,999,999,999,999,999.99')
  assert.equal(formatDecimal('NaN'), 'NaN')
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), (value) => {
      assert.equal(formatDecimal(String(value)).replaceAll(',', '').replace('−', '-'), String(value))
    }),
  )
})

test('counts, short counts, bytes and shares', { skip }, () => {
  assert.equal(formatCount(1631906), '1,631,906')
  assert.equal(formatShort(1631906), '1.63 M')
  assert.equal(formatShort(541909), '541,909')
  assert.equal(formatBytes(36_112), '36 KB')
  assert.equal(formatBytes(2.1e9), '2.1 GB')
  assert.equal(formatShare(25_898 / 25_900), '99.992 %')
  assert.equal(formatShare(0.9994), '99.94 %')
  assert.equal(formatShare(1), '100 %')
  assert.equal(formatShare(0.25), '25 %')
  assert.notEqual(formatShare(1 - 1e-9), '100 %', 'a share below one never reads as all')
})

test('ages have at most two units, one where it is short', { skip }, () => {
  assert.equal(formatAge(200), '0.2 s')
  assert.equal(formatAge(3000), '3 s')
  assert.equal(formatAge(171_000), '2 min 51 s')
  assert.equal(formatAge(5_760_000), '1 h 36 min')
  assert.equal(steady(formatAge(129_000)).length, steady(formatAge(171_000)).length)
  assert.equal(formatDuration(171_000, 'short'), '2 min')
  assert.equal(formatDuration(600_000), '10 min')
  assert.equal(formatDuration(90 * 60_000), '1 h 30 min')
  assert.equal(formatDuration(86_400_000), '24 h')
  assert.equal(formatDuration(400 * 86_400_000), '400 d')
  assert.equal(formatDuration(16_300, 'measured'), '16.3 s')
  assert.equal(formatDuration(4000, 'measured'), '4.0 s')
  assert.equal(formatDuration(6, 'fine'), '6 ms')
})

test('times are of the day today, with the date otherwise', () => {
  assert.equal(formatTime(Date.UTC(2026, 10, 20, 12, 49, 17), NOW, 'UTC'), '12:49:17')
  assert.equal(formatTime(Date.UTC(2026, 10, 18, 9, 4, 0), NOW, 'UTC'), '2026-11-18 09:04')
  assert.equal(formatTime(NOW + 12, NOW, 'UTC', 'milli'), '12:52:08.012')
})

test('cells follow their type, whichever dialect names it', { skip }, () => {
  assert.equal(familyOf('DECIMAL(38,2)'), 'decimal')
  assert.equal(familyOf('BIGINT'), 'number')
  assert.equal(familyOf('long'), 'number')
  assert.equal(familyOf('INTERVAL'), 'text')
  assert.equal(familyOf('TIMESTAMP WITH TIME ZONE'), 'instant')
  assert.equal(formatCell('9007199254740993', 'long'), '9,007,199,254,740,993')
  assert.equal(formatCell('2026-11-20T09:04:11.204000Z', 'timestamp'), '2026-11-20 09:04:11.204')
  assert.equal(formatCell('2026-11-20T09:04:11.000000Z', 'timestamp'), '2026-11-20 09:04:11')
  assert.equal(familyOf('datetime'), 'instant')
  assert.equal(formatCell('2026-11-20T09:04:11.500000', 'datetime'), '2026-11-20 09:04:11.5')
  const instants = ['2026-11-20T09:04:11.500Z', '2026-11-20T09:04:11.500000', '2026-11-20'].map((text) => axisMs(text, 'UTC'))
  assert.deepEqual(instants, [1_795_165_451_500, 1_795_165_451_500, Date.UTC(2026, 10, 20)])
  assert.equal(axisMs('2026-11-20T09:04:00', 'local'), new Date(2026, 10, 20, 9, 4).getTime())
  assert.equal(formatCell(null, 'string'), 'null')
})

test('lineage: what stands before and after, and which columns make one', () => {
  const up = closure(lineage, 'relation:daily_revenue', 'up')
  assert.deepEqual([...up].sort(), ['relation:customers', 'relation:orders', 'source:shop files'])
  assert.ok(closure(lineage, 'relation:orders', 'down').has('dashboard:operations'))
  const path = columnPath(lineage, { node: 'relation:daily_revenue', column: 'revenue' })
  assert.ok(onPath(path.columns, 'relation:orders', 'amount'))
  assert.ok(onPath(path.columns, 'dashboard:operations', 'revenue'))
  assert.ok(!onPath(path.columns, 'relation:daily_revenue', 'day'))
  assert.deepEqual(
    path.edges.filter((edge) => edge.role === 'value').map((edge) => `${edge.from.node}.${edge.from.column}`),
    ['relation:orders.amount', 'relation:daily_revenue.revenue', 'relation:daily_revenue.revenue'],
  )
  const order = sourceFirst(lineage).map((node) => node.id)
  for (const edge of lineage.edges) assert.ok(order.indexOf(edge.from) < order.indexOf(edge.to), `${edge.from} stands before ${edge.to}`)
})
