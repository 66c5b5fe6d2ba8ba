// Rows tell the windows that they come out with: those of the outermost call, whatever windows are below it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openParser } from '../ast.ts'
import { openTestEngine } from '../testing.ts'
import { compileLive } from './read-query.ts'
import { resultWindow } from './result-window.ts'
import type { StreamShape } from './source.ts'

const SALES: StreamShape = {
  time: 'seen',
  fields: [
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'shop', type: { kind: 'string' }, optional: false },
  ],
}

const W = 'WITH w AS (SELECT shop, window_start, window_end, count(*) AS n FROM tumble(sales, seen, INTERVAL 5 SECOND) GROUP BY ALL)'
const FIRST = 'QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY shop) = 1'

const WINDOWS: readonly (readonly [sql: string, start: string, widthUs: number])[] = [
  [`${W} SELECT * FROM w`, 'window_start', 5_000_000],
  [`${W} SELECT window_start, max(n) AS most FROM tumble(w, window_end, INTERVAL 20 SECOND) GROUP BY ALL`, 'window_start', 20_000_000],
  [`SELECT window_start AS began, shop FROM tumble(sales, seen, INTERVAL 7 SECOND) ${FIRST}`, 'began', 7_000_000],
  [`${W} SELECT window_start, shop, n FROM tumble(w, window_end, INTERVAL 20 SECOND) ${FIRST}`, 'window_start', 20_000_000],
  [`${W} SELECT window_start, shop FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 30 SECOND) ${FIRST}`, 'window_start', 30_000_000],
  [`${W} SELECT window_start, shop, n FROM w ${FIRST}`, 'window_start', 5_000_000],
]

test('rows of windows and of windows of windows tell their window', async () => {
  await using parts = await openTestEngine()
  const parser = await openParser(parts.engine)
  for (const [sql, start, widthUs] of WINDOWS) {
    const window = resultWindow(compileLive((await parser.parse(sql)).node, () => SALES))
    assert.deepEqual(window, { units: [start], end: `"${start}" + to_microseconds(${widthUs})` }, sql)
  }
  parser.close()
})
