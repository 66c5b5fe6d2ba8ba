// Five million keys in a tenth of the memory that they take: added, then reached at random and by a working set, with a checkpoint and a
// restart in the middle. What comes out is compared with plain arrays; memory, bytes on the disk and rates are printed.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { seededRandom } from '../../src/core/random.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { openParser } from '../../src/engine/ast.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { diskStore } from '../../src/objects/disk-store.ts'
import { diskScratch } from '../../src/runtime/disk-scratch.ts'
import type { Column, ColumnBatch, IntegerColumn, NumberColumn } from '../../src/schema/batch.ts'
import type { Shape } from '../../src/schema/type.ts'
import { openCheckpoints } from '../../src/stream/checkpoint.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'

const KEYS = 5_000_000
const BATCH = 5_000
const ROWS = 1_000_000

const SHAPE: Shape = {
  fields: [
    { name: 'key', type: { kind: 'long' }, optional: false },
    { name: 'amount', type: { kind: 'double' }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
  ],
}

function batchOf(keys: Float64Array, from: number): ColumnBatch {
  const integers = (values: Float64Array): Column => ({ kind: 'integer', values, big: null, nulls: null })
  return {
    shape: SHAPE,
    rows: keys.length,
    columns: [integers(keys), { kind: 'number', values: keys.map((key) => key / 8), nulls: null }, integers(keys.map((_, i) => from + i))],
  }
}

test('five million keys in a tenth of their memory', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-spill-'))
  await using engine = await openTestEngine({ threads: 1 })
  const parser = await openParser(engine.engine)
  const { node } = await parser.parse('SELECT key, count(*) AS n, sum(amount) AS total, max(seen) AS last FROM s GROUP BY key')
  parser.close()
  const query = compileLive(node, () => SHAPE)
  const model = shapeOfRelation(query.root, () => SHAPE)
  const random = seededRandom(5)
  const scratch = diskScratch(join(directory, 'state'))
  const open = (): Chain => new Chain(query, () => SHAPE, model, null, scratch)

  const sample = new Chain(query, () => SHAPE, model)
  for (let from = 0; from < KEYS / 10; from += BATCH) {
    const batch = batchOf(
      Float64Array.from({ length: BATCH }, (_, i) => from + i),
      from,
    )
    sample.take('s', batch, null, BATCH)
    sample.changed()
  }
  const limitBytes = sample.bytes

  const counts = new Int32Array(KEYS)
  const lasts = new Float64Array(KEYS)
  let chain = open()
  chain.restore(null)
  let rows = 0
  let [most, longestMs] = [0, 0]
  const drive = (what: string, count: number, keyOf: (i: number) => number): void => {
    const startedMs = systemClock.monotonicMs()
    const { user, system } = process.cpuUsage()
    for (let from = 0; from < count; from += BATCH) {
      const keys = Float64Array.from({ length: BATCH }, (_, i) => keyOf(from + i))
      for (const [i, key] of keys.entries()) {
        counts[key]!++
        lasts[key] = rows + i
      }
      const batchMs = systemClock.monotonicMs()
      chain.take('s', batchOf(keys, rows), null, BATCH)
      const out = chain.changed()!
      chain.fit(limitBytes)
      longestMs = Math.max(longestMs, systemClock.monotonicMs() - batchMs)
      most = Math.max(most, chain.bytes)
      rows += BATCH
      const [key, n, total, last] = out.columns as [IntegerColumn, IntegerColumn, NumberColumn, IntegerColumn]
      for (let row = 0; row < out.rows; row++) {
        const own = key.values[row]!
        if (n.values[row] !== counts[own] || total.values[row] !== (counts[own]! * own) / 8 || last.values[row] !== lasts[own])
          assert.deepEqual(
            [n.values[row], total.values[row], last.values[row]],
            [counts[own], (counts[own]! * own) / 8, lasts[own]],
            `key ${own}`,
          )
      }
    }
    const spent = process.cpuUsage()
    const seconds = (spent.user - user + spent.system - system) / 1e6
    const million = (bytes: number): string => (bytes / 1e6).toFixed(1)
    console.log(
      `${what}: ${Math.round(count / seconds)} rows a second of the processor, ${Math.round((systemClock.monotonicMs() - startedMs) / 1_000)} s; ` +
        `${million(chain.bytes)} MB in memory of ${million(limitBytes)}, ${million(chain.spilledBytes)} MB on the disk; longest batch ${Math.round(longestMs)} ms`,
    )
    longestMs = 0
  }
  const anywhere = (): number => Math.floor(random.next() * KEYS)
  const working = (): number => (random.next() < 0.95 ? Math.floor(random.next() * (KEYS / 40)) * 37 : anywhere())
  drive('added', KEYS, (i) => i)
  drive('at random', ROWS, anywhere)
  const checkpoints = openCheckpoints(diskStore(nodeDisk), systemClock, seededRandom(1), join(directory, 'checkpoints'))
  const saved = chain.save()
  const writing = checkpoints.write('five', saved, null)
  drive('at random, while a checkpoint is written', ROWS / 10, anywhere)
  const location = await writing
  drive('a working set of 2.5 % of the keys', ROWS, working)
  const later = chain.save()
  const second = await checkpoints.write('five', later, location)
  chain = open()
  chain.restore(await checkpoints.read(second))
  drive('after a restart', ROWS / 2, working)
  assert.ok(most <= limitBytes, `${most} bytes were in memory`)
  assert.ok(chain.spilledBytes > 5 * limitBytes, `${chain.spilledBytes} bytes are on the disk`)
  scratch.close()
  rmSync(directory, { recursive: true, force: true })
})
