// What every log promises to those who use it: run on the embedded log in this thread and in one of its own.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import type { EntranceAppends } from '../../src/log/entrance.ts'
import type { Append, Log, LogBatch } from '../../src/log/log.ts'
import { AppendPacker, appendedOf, type PackedAnswers, slotMemory, slotsOf } from '../../src/log/packed-appends.ts'
import type { LogEvent } from '../../src/log/settings.ts'
import type { KeyRing } from '../../src/objects/seal/key-ring.ts'

export interface OpenLog {
  readonly directory: string
  readonly encrypted?: { readonly keys: KeyRing; readonly topics: ReadonlySet<string> }
  readonly onEvent?: (event: LogEvent) => void
}

export interface World {
  readonly directory: string
  /** Closed when the test ends, if it is not before. */
  open(options?: Partial<OpenLog>): Promise<Log>
  keys(): Promise<KeyRing>
}

export type Run = (name: string, body: (world: World) => Promise<void>) => void

const rows = (names: readonly string[], more: Partial<Append> = {}): Append => ({
  partition: 0,
  kind: 'rows',
  payload: Buffer.from(names.map((name) => `{"n":"${name}"}\n`).join('')),
  count: names.length,
  fingerprint: 'f1',
  ...more,
})

async function clicks(world: World, partitions = 1, options: Partial<OpenLog> = {}): Promise<Log> {
  const log = await world.open(options)
  await log.ensureTopic('clicks', partitions)
  return log
}

const namesOf = (batches: readonly LogBatch[]): string[] =>
  batches.flatMap(({ payload }) =>
    [
      ...Buffer.from(payload)
        .toString()
        .matchAll(/"n":"([^"]*)"/g),
    ].map(([, name]) => name!),
  )

const contents = async (log: Log, partition = 0): Promise<string[]> => namesOf(await log.read('clicks', partition, 0, 1 << 20))

const isCode = (error: unknown, code: string): boolean => (error as { code?: string }).code === code
const refused = (code: string) => (error: unknown) => isCode(error, code)

export function contract(run: Run): void {
  run('what was appended is there at once, and after a restart', async (world) => {
    const log = await clicks(world, 2)
    const appended = await log.append('clicks', [rows(['a', 'b']), rows(['c'], { partition: 1 })])
    assert.deepEqual(appended, [
      { partition: 0, first: 0, last: 1, duplicate: false },
      { partition: 1, first: 0, last: 0, duplicate: false },
    ])
    assert.deepEqual(log.range('clicks', 0), { start: 0, end: 2 })
    await log.append('clicks', [rows(['d'], { kind: 'rejects', fingerprint: '' })])
    const [first, second] = await log.read('clicks', 0, 0, 1 << 20)
    assert.deepEqual(
      [first, second].map((batch) => [batch!.baseOffset, batch!.count, batch!.kind, batch!.fingerprint, batch!.partition]),
      [
        [0, 2, 'rows', 'f1', 0],
        [2, 1, 'rejects', '', 0],
      ],
    )
    assert.ok(second!.appendTimeMs >= first!.appendTimeMs)
    assert.equal(await log.offsetAt('clicks', 0, 0), 0)
    assert.equal(await log.offsetAt('clicks', 0, Number.MAX_SAFE_INTEGER), 3)
    const [stats] = log.topics()
    assert.equal(stats!.topic, 'clicks')
    assert.deepEqual(
      stats!.partitions.map(({ start, end, segments, lastAppendMs }) => [start, end, segments, lastAppendMs > 0]),
      [
        [0, 3, 1, true],
        [0, 1, 1, true],
      ],
    )
    assert.ok(stats!.partitions[0]!.sizeBytes > 0)
    assert.ok(log.healthy)
    await log.close()
    const again = await world.open()
    assert.deepEqual(again.range('clicks', 0), { start: 0, end: 3 })
    assert.deepEqual([await contents(again), await contents(again, 1)], [['a', 'b', 'd'], ['c']])
  })

  run('a payload that is a part of larger memory, many at once', async (world) => {
    const log = await clicks(world)
    const memory = Buffer.from(`xx${Array.from({ length: 200 }, (_, n) => `{"n":"${String(n).padStart(3, '0')}"}\n`).join('')}xx`)
    const size = '{"n":"000"}\n'.length
    const parts = Array.from({ length: 200 }, (_, n) => memory.subarray(2 + n * size, 2 + (n + 1) * size))
    await Promise.all(parts.map((payload) => log.append('clicks', [{ ...rows(['x']), payload }])))
    assert.deepEqual(
      await contents(log),
      parts.map((_, n) => String(n).padStart(3, '0')),
    )
    assert.equal(memory.length, 4 + 200 * size, 'who gave it has it still')
  })

  run('a key appends once; with another body it is refused, with the reason', async (world) => {
    const log = await clicks(world)
    const part = rows(['a'], { idempotency: { key: 'k', hash: 'h' } })
    await log.append('clicks', [part])
    assert.deepEqual(await log.append('clicks', [part]), [{ partition: 0, first: 0, last: 0, duplicate: true }])
    await assert.rejects(log.append('clicks', [rows(['b'], { idempotency: { key: 'k', hash: 'other' } })]), (error: Error) => {
      assert.ok(isCode(error, 'MR_INGEST_IDEMPOTENCY'))
      assert.match(String((error as { fix?: string }).fix), /./)
      return true
    })
    assert.deepEqual(await contents(log), ['a'])
  })

  run('numbers of emissions: what is there is dropped, the last is known, also after a restart', async (world) => {
    const log = await clicks(world)
    assert.equal(await log.lastEmission('clicks', 0, 'p'), -1)
    await log.append('clicks', [rows(['a', 'b'], { emission: { pipeline: 'p', first: 0 } })])
    await log.append('clicks', [rows(['b', 'c'], { emission: { pipeline: 'p', first: 1, numbers: Float64Array.of(1, 5) } })])
    assert.equal(await log.lastEmission('clicks', 0, 'p'), 5)
    assert.deepEqual(await contents(log), ['a', 'b', 'c'])
    await log.close()
    assert.equal(await (await world.open()).lastEmission('clicks', 0, 'p'), 5)
  })

  run('an append that relies on an end is refused when it has moved', async (world) => {
    const log = await clicks(world)
    const end = (at: number) => [{ topic: 'clicks', partition: 0, end: at }]
    await log.append('clicks', [rows(['a'])], end(0))
    await assert.rejects(log.append('clicks', [rows(['b'])], end(0)), refused('MR_LOG_MOVED'))
    await log.append('clicks', [rows(['c'])], end(log.range('clicks', 0).end))
    assert.deepEqual(await contents(log), ['a', 'c'])
  })

  run('who waits for more is woken by it, by the signal and by the end', async (world) => {
    const log = await clicks(world)
    const woken: string[] = []
    const never = new AbortController()
    const given = new AbortController()
    const waits = [
      log.whenMore('clicks', 0, 0, never.signal).then(() => woken.push('more')),
      log.whenMore('clicks', 0, 7, given.signal).then(() => woken.push('signal')),
      log.whenMore('clicks', 0, 8, never.signal).then(() => woken.push('end')),
    ]
    await log.append('clicks', [rows(['a'])])
    await waits[0]
    await log.whenMore('clicks', 0, 0, never.signal)
    given.abort()
    await waits[1]
    assert.deepEqual(woken, ['more', 'signal'])
    await log.close()
    await waits[2]
    await log.whenMore('clicks', 0, 9, never.signal)
  })

  run(
    'a read that waits at the end answers what comes, nothing when its time is over, and is refused at the end of the log',
    async (world) => {
      const log = await clicks(world)
      const asked = log.read('clicks', 0, 0, 1 << 20, 60_000)
      await log.append('clicks', [rows(['a'])])
      assert.deepEqual(namesOf(await asked), ['a'])
      assert.equal(log.range('clicks', 0).end, 1)
      assert.deepEqual(namesOf(await log.read('clicks', 0, 0, 1 << 20, 60_000)), ['a'], 'what is there is not waited for')
      assert.deepEqual(await log.read('clicks', 0, 1, 1 << 20, 5), [])
      const last = assert.rejects(log.read('clicks', 0, 1, 1 << 20, 60_000), refused('MR_CANCELLED'))
      await log.close()
      await last
    },
  )

  run('a topic that is held takes only what relies on its end, until it is let go or the time is over', async (world) => {
    const log = await clicks(world)
    await log.ensureTopic('other', 1)
    const release = await log.hold('clicks', 60_000)
    const waiting = log.append('clicks', [rows(['later'])])
    await log.append('other', [rows(['o'])])
    await log.append('clicks', [rows(['first'])], [{ topic: 'clicks', partition: 0, end: 0 }])
    assert.deepEqual(await contents(log), ['first'])
    release()
    await waiting
    assert.deepEqual(await contents(log), ['first', 'later'])
    await log.hold('clicks', 20)
    await log.append('clicks', [rows(['after'])])
    assert.deepEqual(await contents(log), ['first', 'later', 'after'])
  })

  run('partitions are added; nothing below what is committed is given out again', async (world) => {
    const log = await clicks(world)
    await log.append('clicks', [rows(['a'])])
    await log.ensureTopic('clicks', 3, [1, 4])
    assert.deepEqual(log.range('clicks', 1), { start: 4, end: 4 })
    assert.deepEqual(log.range('clicks', 2), { start: 0, end: 0 })
    await assert.rejects(log.ensureTopic('clicks', 3, [9]), refused('MR_LOG_RANGE'))
    await assert.rejects(log.ensureTopic('../x', 1), refused('MR_DEFINE_NAME'))
    assert.throws(() => log.range('clicks', 3), refused('MR_LOG_UNKNOWN'))
    assert.throws(() => log.range('none', 0), refused('MR_LOG_UNKNOWN'))
    await assert.rejects(log.append('none', [rows(['a'])]), refused('MR_LOG_UNKNOWN'))
    assert.equal(await log.retain('clicks', 0, { beforeMs: 0, keepFrom: 0 }), 0)
    assert.ok((await log.retain('clicks', 0, { beforeMs: Number.MAX_SAFE_INTEGER, keepFrom: 1 })) > 0)
    assert.deepEqual(log.range('clicks', 0), { start: 1, end: 1 })
  })

  run('another thread appends through an entrance: what it is told of is in the range', async (world) => {
    const log = await clicks(world, 2)
    const { port1, port2 } = new MessageChannel()
    const memory = slotMemory()
    const topics = [
      { topic: 'none', fingerprint: 'f0' },
      { topic: 'clicks', fingerprint: 'f1' },
    ]
    log.admit({ port: port1, memory, topics })
    const packer = new AppendPacker()
    packer.add(7, 1, [rows(['a', 'b']), rows(['c'], { partition: 1 })])
    packer.add(8, 0, [rows(['lost'])])
    packer.add(9, 1, [rows(['d'], { idempotency: { key: 'k', hash: 'h' } })])
    const answered = new Map<number, unknown>()
    const all = Promise.withResolvers<void>()
    port2.on('message', ({ numbers, errors, free }: PackedAnswers) => {
      for (const { call, appended } of appendedOf(numbers)) {
        answered.set(call, appended)
        assert.ok(log.range('clicks', 0).end > appended[0]!.last)
      }
      for (const [call, { code }] of errors) answered.set(call, code)
      if (answered.size === 3) all.resolve()
      for (const slot of free) assert.equal(slot, 3)
    })
    const { bytes, ...packed } = packer.take(slotsOf(memory)[3])
    assert.ok(bytes.length > 0)
    port2.postMessage({ slot: 3, bytes: new Uint8Array(0), ...packed } satisfies EntranceAppends)
    await all.promise
    assert.deepEqual(
      [...answered].sort(([a], [b]) => a - b),
      [
        [
          7,
          [
            { partition: 0, first: 0, last: 1, duplicate: false },
            { partition: 1, first: 0, last: 0, duplicate: false },
          ],
        ],
        [8, 'MR_LOG_UNKNOWN'],
        [9, [{ partition: 0, first: 2, last: 2, duplicate: false }]],
      ],
    )
    assert.deepEqual(await contents(log), ['a', 'b', 'd'])
    port2.close()
  })

  run('rows of an encrypted topic are not in its files, and are read by the next start', async (world) => {
    const keys = await world.keys()
    const encrypted = { keys, topics: new Set(['clicks']) }
    const log = await clicks(world, 1, { encrypted })
    await log.append('clicks', [rows(['secret-name'], { idempotency: { key: 'order-7', hash: 'h' } })])
    assert.deepEqual(await contents(log), ['secret-name'])
    await log.close()
    for (const name of readdirSync(world.directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
      assert.doesNotMatch(readFileSync(join(name.parentPath, name.name), 'latin1'), /secret-name|order-7/)
    const again = await world.open({ encrypted })
    assert.deepEqual(await contents(again), ['secret-name'])
    await again.append('clicks', [rows(['second'])])
    assert.deepEqual(await contents(again), ['secret-name', 'second'])
    await again.close()
    const without = await world.open({ encrypted: { keys: await world.keys(), topics: encrypted.topics } })
    await assert.rejects(contents(without), refused('MR_KEY_UNKNOWN'))
  })

  run('it says what it found and did; damage of what was durable stops the start', async (world) => {
    const events: string[] = []
    const onEvent = ({ kind }: LogEvent): void => void events.push(kind)
    const log = await clicks(world, 1, { onEvent })
    for (const name of ['a', 'b', 'c']) await log.append('clicks', [rows([name])])
    assert.deepEqual(events, ['log.committed', 'log.committed', 'log.committed'])
    await log.close()
    await assert.rejects(log.append('clicks', [rows(['d'])]), refused('MR_CANCELLED'))
    await assert.rejects(log.read('clicks', 0, 0, 1), refused('MR_CANCELLED'))
    const directory = join(world.directory, 'clicks', '0')
    const [segment] = readdirSync(directory).filter((name) => name.endsWith('.log'))
    for (const name of readdirSync(directory).filter((name) => name.endsWith('.idx'))) writeFileSync(join(directory, name), '')
    const bytes = readFileSync(join(directory, segment!))
    bytes[bytes.indexOf('"a"') + 1]! ^= 1
    writeFileSync(join(directory, segment!), bytes)
    await assert.rejects(world.open(), refused('MR_LOG_CORRUPT'))
  })
}
