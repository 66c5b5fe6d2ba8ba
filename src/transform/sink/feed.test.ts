// Sinks over random histories of tables, with a broker that dies before or after a commit and processes that begin again: what those who
// read committed messages see is each row of a stream once, and of a keyed table the table itself, without a message that says nothing.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Clock, systemClock } from '../../core/clock.ts'
import { nodeDisk } from '../../core/disk.ts'
import { MillraceError } from '../../core/errors.ts'
import { integer, type Random, seededRandom } from '../../core/random.ts'
import type { SinkManifest } from '../../define/manifest.ts'
import { mergeRows } from '../../engine/merge.ts'
import { scanSql } from '../../engine/scan.ts'
import { openTestEngine } from '../../engine/testing.ts'
import { writeParquet } from '../../engine/write.ts'
import { type Lake, openLake } from '../../lake/open-lake.ts'
import type { OpenWriter, OutMessage } from '../../log/kafka/topic-writer.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { openStore } from '../../store/open-store.ts'
import { decide, SinkFeed } from './feed.ts'
import { messagesOfPage } from './messages-of-page.ts'

const tested = await openTestEngine({ threads: 1 })
after(() => tested[Symbol.asyncDispose]())
const SEEDS = Array.from({ length: process.env['MILLRACE_TEST_ALL'] ? 60 : 6 }, (_, seed) => seed + 1)

const field = (name: string, kind: 'int' | 'string' | 'json', optional = false): Field => ({ name, type: { kind }, optional })
const SHAPE: Shape = { fields: [field('id', 'int'), field('word', 'string', true), field('extra', 'json', true)] }

const sinkOf = (key: readonly string[]): SinkManifest => ({
  name: 'out',
  at: 'test.ts:1',
  from: 'source',
  to: { connection: { bus: 'bus', brokers: 'none:1' }, topic: 'out', format: { kind: 'json' } },
  key,
  shape: SHAPE,
  everyMs: 1,
})

/** A topic whose broker may die at each transaction, before or after it is committed. */
class FakeBroker {
  readonly messages: OutMessage[] = []
  committed: number | null = null
  deaths = 0
  mayDie = true
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  open: OpenWriter = async () => ({
    committed: this.committed,
    write: async (number, messages) => {
      const fate = this.mayDie ? integer(this.#random, 4) : 2
      if (fate === 0) this.#die()
      assert.equal(number, (this.committed ?? 0) + 1, 'transactions have numbers without gaps')
      this.messages.push(...messages.map(({ key, value }) => ({ key: key && Buffer.from(key), value: value && Buffer.from(value) })))
      this.committed = number
      if (fate === 1) this.#die()
    },
    close: async () => {},
  })

  #die(): never {
    this.deaths++
    throw new MillraceError('MR_KAFKA_BUSY', 'the broker is away')
  }
}

const hasty: Clock = { ...systemClock, sleep: () => new Promise((resolve) => setImmediate(resolve)) }

class World {
  readonly lake: Lake
  readonly #random: Random
  readonly #store: ReturnType<typeof openStore>
  readonly broker: FakeBroker
  #next = 0

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    const directory = join(tested.directory, `sink-${seed}-${worlds++}`)
    mkdirSync(join(directory, 'lake'), { recursive: true })
    this.#store = openStore(join(directory, 'control.db'))
    const { catalog } = this.#store
    this.lake = openLake({ disk: nodeDisk, clock: systemClock, random: this.#random, catalog, directory: join(directory, 'lake') })
    this.broker = new FakeBroker(this.#random)
  }

  feed(key: readonly string[], shape = SHAPE): SinkFeed {
    return new SinkFeed(
      {
        clock: hasty,
        engine: tested.engine,
        lake: this.lake,
        catalog: this.#store.catalog,
        cluster: () => ({ bus: 'bus', brokers: [] }),
        open: this.broker.open,
        encode: async () => (json) => json,
        flush: async () => {},
        onEvent: (event) => {
          if (event.kind === 'failed') assert.equal(event.error.code, 'MR_KAFKA_BUSY', event.error.message)
        },
      },
      { sink: { ...sinkOf(key), shape }, stored: SHAPE, unique: key, name: 'test.out', messagesMax: 7 },
    )
  }

  /** Rows are added, replaced, deleted, or written anew as they are. */
  async change(isKeyed: boolean): Promise<void> {
    const session = await tested.engine.session()
    try {
      const table = await this.lake.table('source')
      const directory = this.lake.dataDirectory(table)
      using lease = this.lake.lease()
      const files = await lease.local(table.current ? await this.lake.files(table) : [])
      const all = scanSql({ table, files, tails: [] })
      if (integer(this.#random, 4) === 0 && files.length > 0) {
        const add = await writeParquet(session, { select: all, table, directory })
        await this.lake.commit([
          { table: 'source', operation: 'replace', add, remove: files.map(({ path }) => path), validateFrom: table.current!.id },
        ])
        return
      }
      const count = 1 + integer(this.#random, 20)
      const rows = isKeyed
        ? [...new Set(Array.from({ length: count }, () => integer(this.#random, 30)))]
        : Array.from({ length: count }, () => this.#next++)
      const values = rows.map(
        (id) => `(${id}, ${integer(this.#random, 3) === 0 ? 'NULL' : `'w${integer(this.#random, 3)}'`}, '{"n":${id}}')`,
      )
      const select = `SELECT id::INTEGER AS id, word::VARCHAR AS word, extra::VARCHAR AS extra FROM (VALUES ${values.join(', ')}) AS t(id, word, extra)`
      if (!isKeyed) {
        const add = await writeParquet(session, { select, table, directory })
        await this.lake.commit([{ table: 'source', operation: 'append', add, remove: [] }])
        return
      }
      const isDeletion = integer(this.#random, 3) === 0
      const how = { lake: this.lake, table, key: ['id'], rows: isDeletion ? `${select} WHERE false` : select, keys: select }
      const change = await mergeRows(session, how)
      if (change.add.length + change.remove.length > 0 || change.delete) await this.lake.commit([change])
    } finally {
      session.close()
    }
  }

  /** So many rows by one commit: a step of several transactions. */
  async add(count: number): Promise<void> {
    const session = await tested.engine.session()
    try {
      const table = await this.lake.table('source')
      const select = `SELECT i::INTEGER AS id, NULL::VARCHAR AS word, (5000 - i)::VARCHAR AS extra FROM range(${count}) AS t(i)`
      const add = await writeParquet(session, { select, table, directory: this.lake.dataDirectory(table) })
      await this.lake.commit([{ table: 'source', operation: 'append', add, remove: [] }])
    } finally {
      session.close()
    }
  }

  async rows(): Promise<string[]> {
    const session = await tested.engine.session()
    try {
      const table = await this.lake.table('source')
      using lease = this.lake.lease()
      const files = await lease.local(table.current ? await this.lake.files(table) : [])
      const { rows } = await session.rows(scanSql({ table, files, tails: [] }))
      return rows.map(([id, word, extra]) => JSON.stringify({ id, word, extra: JSON.parse(String(extra)) })).toSorted()
    } finally {
      session.close()
    }
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
let worlds = 0

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString())

async function live(seed: number, isKeyed: boolean, formatVersion: 2 | 3): Promise<number> {
  const world = new World(seed)
  const random = seededRandom(seed + 1_000)
  await world.lake.create({ name: 'source', shape: SHAPE, partition: [], cluster: [], key: [], formatVersion })
  const key = isKeyed ? ['id'] : []
  for (let life = 0; life < 4; life++) {
    for (let changes = integer(random, 5); changes > 0; changes--) await world.change(isKeyed)
    const feed = world.feed(key)
    await feed.start()
    for (let turn = integer(random, 30); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve))
    if (integer(random, 2) === 0) await world.change(isKeyed)
    await feed.stop()
  }
  world.broker.mayDie = false
  const feed = world.feed(key)
  await feed.start()
  for (let tries = 0; tries < 2_000 && !(feed.lag === 0 && feed.isCaughtUp(await world.lake.table('source'))); tries++)
    await new Promise((resolve) => setTimeout(resolve, 2))
  await feed.stop()
  const rows = await world.rows()
  const { messages, deaths } = world.broker
  if (!isKeyed) assert.deepEqual(messages.map(({ value }) => text(value)).toSorted(), rows)
  else {
    const folded = new Map<string, string | null>()
    for (const message of messages) {
      const [own, value] = [text(message.key)!, text(message.value)]
      assert.notEqual(folded.get(own) ?? null, value, `${own} is told what it is already`)
      folded.set(own, value)
      if (value !== null) assert.deepEqual(JSON.parse(own), { id: JSON.parse(value).id })
    }
    assert.deepEqual([...folded.values()].filter((value) => value !== null).toSorted(), rows)
  }
  await world.close()
  return deaths
}

test('rows of a stream, each once', async () => {
  let deaths = 0
  for (const seed of SEEDS) deaths += await live(seed, false, 2)
  assert.ok(deaths > 0)
})

test('a keyed table, as it is, and no message for nothing', async () => {
  let deaths = 0
  for (const seed of SEEDS) deaths += await live(seed, true, seed % 2 === 0 ? 3 : 2)
  assert.ok(deaths > 0)
})

test('a sink that is given other columns in the middle of a step leaves no row out', async () => {
  const world = new World(1)
  world.broker.mayDie = false
  await world.lake.create({ name: 'source', shape: SHAPE, partition: [], cluster: [], key: [], formatVersion: 2 })
  await world.add(5_000)
  const { open } = world.broker
  const write = Promise.withResolvers<void>()
  // It is away for good after the first transaction of the step.
  world.broker.open = async (options) => {
    const writer = await open(options)
    return {
      ...writer,
      write: async (number, messages) => {
        if (number === 2) write.resolve()
        if (number >= 2) throw new MillraceError('MR_KAFKA_BUSY', 'the broker is away')
        await writer.write(number, messages)
      },
    }
  }
  const first = world.feed([])
  await first.start()
  await write.promise
  await first.stop()
  const written = world.broker.messages.length
  assert.ok(written > 0 && written < 5_000, String(written))
  world.broker.open = open
  const second = world.feed([], { fields: [SHAPE.fields[2]!, SHAPE.fields[0]!] })
  await second.start()
  for (let tries = 0; tries < 2_000 && !second.isCaughtUp(await world.lake.table('source')); tries++)
    await new Promise((resolve) => setTimeout(resolve, 2))
  await second.stop()
  const ids = (rows: readonly string[]): Set<number> => new Set(rows.map((row) => (JSON.parse(row) as { id: number }).id))
  assert.deepEqual(ids(world.broker.messages.map(({ value }) => text(value)!)), ids(await world.rows()))
  await world.close()
})

test('Kafka decides, and what does not fit stops the sink', () => {
  const how = { sink: sinkOf([]), name: 'test.out' }
  const [before, behind] = [
    { snapshot: '1', under: null },
    { snapshot: '2', under: null },
  ]
  const intent = { number: 5, before, after: behind }
  assert.deepEqual(decide(how, null, null), [0, { snapshot: null, under: null }])
  assert.deepEqual(decide(how, intent, 5), [5, behind])
  assert.deepEqual(decide(how, intent, 4), [4, before])
  assert.deepEqual(decide(how, { ...intent, isCommitted: true }, null), [5, behind])
  assert.deepEqual(decide(how, { ...intent, number: 1 }, null), [0, before])
  const strays: [Parameters<typeof decide>[1], number | null][] = [
    [null, 3],
    [intent, null],
    [intent, 3],
    [intent, 6],
    [{ ...intent, isCommitted: true }, 4],
  ]
  for (const [own, committed] of strays) assert.throws(() => decide(how, own, committed), { code: 'MR_KAFKA_RANGE' })
})

test('the key of a group of null says null, its tombstone too', async () => {
  const select =
    "SELECT unnest([false, true]) AS __gone, unnest(['a', NULL]) AS country, 1 AS n, unnest(['a', NULL]) AS __key_0, NULL::INT AS __key_1"
  const fields = [field('country', 'string', true), field('n', 'int')]
  const messages: string[][] = []
  for await (const page of tested.session.pages(select))
    for (const { key, value } of messagesOfPage(page, { shape: { fields }, key: ['country', 'rest'] }, (json) => json))
      messages.push([key, value].map((bytes) => (bytes ? Buffer.from(bytes).toString() : 'none')))
  assert.deepEqual(messages, [
    ['{"country":"a","rest":null}', '{"country":"a","n":1}'],
    ['{"country":null,"rest":null}', 'none'],
  ])
})
