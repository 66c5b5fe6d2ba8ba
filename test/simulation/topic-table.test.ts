// A topic whose messages replace and delete rows of a table, end to end: copied, shown, cut into commits and killed anywhere. At each
// moment the table is what the messages say, the last of each key, and live models over it are their SQL.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonKeys } from '../../src/connectors/kafka/decode-key.ts'
import { jsonDecoder } from '../../src/connectors/kafka/decoder.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { TopicCopy } from '../../src/ingest/kafka/copy-topic.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { CommitRequest } from '../../src/store/catalog.ts'
import { SEED } from '../seed.ts'
import { FakeTopic } from './fake-topic.ts'
import { field, liveOf, manifestOf, StreamWorld, tableOf, until } from './stream-world.ts'

const FIELDS = [field('product', 'string'), field('kind', 'string'), field('amount', 'int')]
const STOCK = tableOf('stock', FIELDS, ['product'])
const BY_KIND = 'SELECT kind, count(*) AS n, sum(amount) AS amount FROM stock GROUP BY kind'
const BY_KIND_FIELDS = [field('kind', 'string'), field('n', 'long'), field('amount', { kind: 'decimal', precision: 38, scale: 0 }, true)]
const MANIFEST = manifestOf({ relations: [STOCK, liveOf('by_kind', BY_KIND, BY_KIND_FIELDS, { keyed: true, loses: true, key: ['kind'] })] })

const KEYS = FIELDS.slice(0, 1)
const READER = {
  door: { topic: 'stock', partitions: 1, keyIndex: 0, timeIndex: -1, scanner: compileScanner(STOCK.shape) },
  decoder: jsonDecoder,
  keys: { decoder: jsonKeys(KEYS), scanner: compileScanner({ fields: KEYS }, { unknown: 'ignore' }) },
}

/** Some messages, and what the table is then. */
function send(topic: FakeTopic, random: Random, rows: Map<string, readonly [string, number]>): void {
  for (let count = 1 + integer(random, 60); count > 0; count--) {
    const number = integer(random, 12)
    const product = `p${number}`
    const partition = number % topic.partitions.length
    if (integer(random, 3) === 0) {
      topic.send(partition, [product, JSON.stringify(product), JSON.stringify({ product })][integer(random, 3)]!, null)
      rows.delete(product)
    } else {
      const [kind, amount] = [`kind ${integer(random, 3)}`, integer(random, 100)]
      topic.send(partition, product, JSON.stringify({ product, kind, amount }))
      rows.set(product, [kind, amount])
    }
  }
}

const failures: string[] = []

/** A copy into the world as it is open now, which saves nothing any more when it is killed. */
function copyInto(world: StreamWorld, topic: FakeTopic): { readonly copy: TopicCopy; kill(): Promise<void>; deleted(): number } {
  const { log, store } = world.now
  let [isKilled, deleted] = [false, 0]
  const catalog = {
    cursor: (name: string) => store.catalog.cursor(name),
    commit: (request: CommitRequest) => (isKilled ? Promise.reject(new Error('dead')) : store.catalog.commit(request)),
  }
  const copy = new TopicCopy(
    {
      clock: world.clock,
      log,
      catalog,
      cluster: () => ({ bus: 'bus', brokers: [] }),
      open: async () => topic.reader(),
      openReading: async () => READER,
      onEvent: (event) => {
        if (event.kind === 'copied') deleted += event.deleted
        if (event.kind === 'failed') failures.push(event.error.message)
      },
    },
    {
      relation: 'stock',
      reading: { shape: STOCK.shape, keyIndex: 0, timeIndex: -1, partitions: 1, format: { kind: 'json' }, keys: { columns: ['product'] } },
      slackMs: 0,
      source: { connection: { bus: 'bus', brokers: 'none:1' }, topic: 'stock', format: { kind: 'json' }, start: 'earliest', epoch: 0 },
      group: 'g',
    },
  )
  copy.start()
  return {
    copy,
    kill() {
      isKilled = true
      return copy.stop()
    },
    deleted: () => deleted,
  }
}

for (const seed of [SEED, SEED + 1, SEED + 2])
  test(`a table is what the messages of its topic say, cut and killed anywhere (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    const topic = new FakeTopic(random, 2)
    const rows = new Map<string, readonly [string, number]>()
    await using world = await StreamWorld.open({ manifest: MANIFEST, readBytes: 300, seed })
    let running = copyInto(world, topic)
    const compare = async (committedOnly: boolean): Promise<void> => {
      const expected = [...rows].map(([product, row]) => [product, ...row]).toSorted()
      const found = await world.ask('SELECT product, kind, amount FROM stock', committedOnly)
      assert.deepEqual(found.toSorted(), expected, committedOnly ? 'committed' : 'shown')
      const columns = 'kind, CAST(n AS VARCHAR), CAST(amount AS VARCHAR)'
      const models = await world.ask(`SELECT ${columns} FROM by_kind ORDER BY ALL`, committedOnly)
      assert.deepEqual(models, await world.ask(`SELECT ${columns} FROM (${BY_KIND}) ORDER BY ALL`, committedOnly))
    }
    const isCopied = async (): Promise<boolean> => {
      const last = await Promise.all(
        topic.partitions.map((_, partition) => world.now.log.lastEmission('stock', 0, `kafka:one#0/${partition}`)),
      )
      return topic.partitions.every((messages, partition) => last[partition] === (messages.at(-1)?.offset ?? -1))
    }
    let deleted = 0
    for (let n = 0; n < 12; n++) {
      send(topic, random, rows)
      await world.clock.advance(integer(random, 3_000))
      if (random.next() < 0.7) {
        await until(isCopied)
        await world.caughtUp()
        await Promise.all(world.now.pipelines.map(({ pipeline }) => pipeline.catchUp()))
        await compare(false)
      }
      if (random.next() < 0.5) await world.flush()
      if (random.next() < 0.5) {
        await running.kill()
        deleted += running.deleted()
        await world.restart({ readBytes: 100 + integer(random, 900) })
        running = copyInto(world, topic)
      }
    }
    await until(isCopied)
    await world.flush()
    await compare(true)
    await running.copy.stop()
    deleted += running.deleted()
    const tombstones = topic.partitions.flat().filter(({ value }) => value === null).length
    assert.ok(deleted >= tombstones && tombstones > 20, `${deleted} of ${tombstones} keys were taken for gone`)
    assert.deepEqual(await world.ask('SELECT message FROM stock__rejected'), [])
    assert.deepEqual(failures, [])
  })
