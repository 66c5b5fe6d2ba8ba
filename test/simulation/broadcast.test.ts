// A processor that is told of a table: each partition sees, before each of its records, exactly the rows that had come before it,
// whatever is killed, flushed and read in which pieces. The expectation is computed from the append times of both tables.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, seededRandom } from '../../src/core/random.ts'
import type { ProcessorCode } from '../../src/stream/processor/host.ts'
import { field, manifestOf, processorOf, StreamWorld, streamOf, tableOf } from './stream-world.ts'

const EVENTS = streamOf('events', [field('id', 'int'), field('customer', 'string')], { partitions: 3, key: 'customer' })
const LIMITS = tableOf('limits', [field('name', 'string'), field('most', { kind: 'decimal', precision: 9, scale: 2 })], ['name'])
const SEEN = streamOf('seen', [field('id', 'int'), field('heard', 'string'), field('rows', 'int')], {
  source: 'processor',
  processor: 'seen',
  partitions: 1,
})
const PROCESSOR = processorOf('seen', 'events', {
  key: 'customer',
  state: {
    limits: { kind: 'map', key: { kind: 'string' }, type: { kind: 'decimal', precision: 9, scale: 2 }, scope: 'partition' },
    rows: { kind: 'value', type: { kind: 'int' }, scope: 'partition' },
    own: { kind: 'moments' },
  },
  broadcast: { limits: 'limits' },
})

interface State {
  readonly limits: { set(name: string, most: unknown): void; entries(): readonly (readonly [string, { toString(): string }])[] }
  readonly rows: { get(): number | null; set(n: number): void }
  readonly own: { add(n: number): void }
}

const textOf = (limits: readonly (readonly [string, unknown])[]): string => limits.map(([name, most]) => `${name}=${most}`).join(' ')

const CODE: ProcessorCode = {
  on(row, given, { emit }) {
    const { limits, rows } = given as unknown as State
    emit({ id: row['id'], heard: textOf(limits.entries()), rows: rows.get() ?? 0 })
  },
  onTimer: {},
  onBroadcast: {
    limits({ name, most }, given) {
      const { limits, rows, own } = given as unknown as State
      rows.set((rows.get() ?? 0) + 1)
      limits.set(name as string, most)
      // Keyed state has no key here: the row is set aside, and leaves no trace.
      if (name === 'wrong') own.add(1)
    },
  },
}

for (const seed of [1, 2, 3]) {
  test(`every partition is told of every row, before what came later (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    const manifest = manifestOf({ relations: [LIMITS, EVENTS, SEEN], processors: [PROCESSOR] })
    await using world = await StreamWorld.open({ manifest, processors: { seen: CODE }, readBytes: 300 })
    let id = 0
    for (let round = 0; round < 12; round++) {
      for (let batch = 0; batch < 4; batch++) {
        await world.clock.advance(integer(random, 3))
        if (integer(random, 2) === 0)
          await world.send(
            'limits',
            Array.from({ length: 1 + integer(random, 3) }, () => ({
              name: ['a', 'b', 'c', 'wrong'][integer(random, 4)],
              most: `${integer(random, 100)}.50`,
            })),
          )
        else
          await world.send(
            'events',
            Array.from({ length: 1 + integer(random, 6) }, () => ({ id: id++, customer: `c${integer(random, 9)}` })),
          )
      }
      if (integer(random, 3) === 0) await world.caughtUp()
      if (integer(random, 3) === 0) await world.driving(world.flush())
      if (integer(random, 2) === 0) await world.restart({ readBytes: 100 + integer(random, 600) })
    }
    await world.caughtUp()
    await world.driving(world.flush())
    await world.caughtUp()
    // The table keeps the last row of a key alone, so the log is asked what came when.
    const told = (await world.now.log.read('limits', 0, 0, 1 << 24)).flatMap(({ payload, count, appendTimeMs }) =>
      Buffer.from(payload)
        .toString()
        .split('\n')
        .slice(0, count)
        .map((line) => ({ ...(JSON.parse(line) as { name: string; most: string }), appendTimeMs })),
    )
    const events = (await world.ask('SELECT id, epoch_ms(_ingested_at)::BIGINT, _partition FROM events ORDER BY id')) as [
      number,
      bigint,
      number,
    ][]
    const expected = events.map(([event, atMs]) => {
      const heard = told.filter(({ appendTimeMs, name }) => appendTimeMs < Number(atMs) && name !== 'wrong')
      const limits = [...new Map(heard.map(({ name, most }) => [name, most]))].sort(([a], [b]) => (a < b ? -1 : 1))
      return [event, textOf(limits), heard.length]
    })
    assert.deepEqual(await world.ask('SELECT id, heard, rows FROM seen ORDER BY id'), expected)
    assert.ok(expected.some(([, , rows]) => Number(rows) > 5) && told.some(({ name }) => name === 'wrong'))
    const { sink } = world.pipeline('process:seen')
    const held = sink.heldFrom!('limits')
    assert.ok(held <= told.length && sink.heldFrom!('events') === Number.POSITIVE_INFINITY, `the log of the table is kept from ${held}`)
    const refused = await world.ask('SELECT raw, code, message FROM seen__rejected')
    assert.ok(refused.length > 0 && refused.every(([raw, code]) => code === 'MR_ROW_PROCESSOR' && String(raw).includes('"name":"wrong"')))
    assert.match(String(refused[0]![2]), /"own" has no key here/)
    // Each partition is told by itself, so a row that fails is set aside in each that came so far.
    const lastOf = Map.groupBy(events, ([, , partition]) => partition)
    const due = [...lastOf.values()].map(
      (rows) =>
        told.filter(({ name, appendTimeMs }) => name === 'wrong' && appendTimeMs < Math.max(...rows.map(([, atMs]) => Number(atMs))))
          .length,
    )
    assert.equal(
      refused.length,
      due.reduce((sum, n) => sum + n, 0),
    )
  })
}
