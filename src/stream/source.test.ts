// Deliveries: offsets, append times and fates are right for every cut of the log into batches and reads, for every position
// to start from, for rejects, decisions and rows of another shape.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../core/errors.ts'
import type { Log, LogBatch, RecordKind } from '../log/log.ts'
import { encodeRefusals } from '../log/refusal.ts'
import { valueAt } from '../schema/batch.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { controlRecord } from './control.ts'
import { type SourceState, type SourceStream, StreamSource } from './source.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'name', type: { kind: 'string' }, optional: true },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
  ],
}
const STREAM: SourceStream = {
  name: 's',
  shape: SHAPE,
  source: 'http',
  partitions: 1,
  time: 'seen',
  latenessMs: 2_000,
  maxSkewMs: 60_000,
  dedupe: { by: ['id', 'name'], withinMs: 10 },
}
const scanner = compileScanner(SHAPE)

/** One record of a log: a line, or a decision, at its append time. */
type Item =
  | {
      readonly kind: 'row'
      readonly ms: number
      readonly id: number
      readonly name: string | null
      readonly seenMs: number
      readonly redriven: boolean
    }
  | { readonly kind: 'old'; readonly ms: number; readonly line: string }
  | { readonly kind: 'reject'; readonly ms: number }
  | { readonly kind: 'control'; readonly ms: number; readonly watermarkMs: number }

const START = Date.UTC(2026, 0, 1)
const lineOf = (item: Item): string => {
  if (item.kind === 'row')
    return `{"id":${item.id},"name":${JSON.stringify(item.name)},"seen":"${new Date(START + item.seenMs).toISOString()}"}\n`
  if (item.kind === 'old') return `${item.line}\n`
  if (item.kind === 'reject')
    return encodeRefusals([{ raw: Buffer.from('bad'), code: 'MR_ROW_JSON', message: 'm', field: null }]).toString()
  return Buffer.from(controlRecord(0, { watermarkUs: (START + item.watermarkMs) * 1_000 }).payload).toString()
}

const KINDS: Record<Item['kind'], RecordKind> = { row: 'rows', old: 'rows', reject: 'rejects', control: 'control' }

/** Batches of items that may share one; `isCut` also ends a batch. */
function batchesOf(items: readonly Item[], isCut: (index: number) => boolean): LogBatch[] {
  const batches: (LogBatch & { count: number; payload: Buffer })[] = []
  for (const [offset, item] of items.entries()) {
    const fingerprint = item.kind === 'row' ? scanner.fingerprint : ''
    const redriveOf = item.kind === 'row' && item.redriven ? `s/0/${offset}` : undefined
    const last = batches.at(-1)
    const line = Buffer.from(lineOf(item))
    const isSame = last && last.kind === KINDS[item.kind] && last.fingerprint === fingerprint && last.appendTimeMs === START + item.ms
    if (isSame && redriveOf === undefined && last.redriveOf === undefined && !isCut(offset))
      Object.assign(last, { count: last.count + 1, payload: Buffer.concat([last.payload, line]) })
    else
      batches.push({
        partition: 0,
        baseOffset: offset,
        count: 1,
        appendTimeMs: START + item.ms,
        kind: KINDS[item.kind],
        fingerprint,
        payload: line,
        ...(redriveOf === undefined ? {} : { redriveOf }),
      })
  }
  return batches
}

/** Just enough of a log to read from; `perRead` batches at a time. */
function logOf(batches: readonly LogBatch[], perRead: number, start = 0): Log {
  const end = batches.reduce((sum, batch) => sum + batch.count, 0)
  return {
    range: () => ({ start, end }),
    read: async (_topic: string, _partition: number, from: number) =>
      batches.filter((batch) => batch.baseOffset + batch.count > from).slice(0, perRead),
    offsetAt: async (_topic: string, _partition: number, timeMs: number) =>
      batches.find((batch) => batch.appendTimeMs >= timeMs)?.baseOffset ?? end,
  } as unknown as Log
}

/** What became of each offset. `prepared`: before which reads the log is asked ahead, in turn. */
async function fates(source: StreamSource, prepared: readonly boolean[] = [false]): Promise<Map<number, string>> {
  const result = new Map<number, string>()
  let reads = 0
  const next = () => {
    if (prepared[reads++ % prepared.length]) source.prepare(0, 1)
    return source.read(0, 1)
  }
  for (let delivery = await next(); delivery; delivery = await next()) {
    const { batch, classified, offsets, appendMs } = delivery
    for (let row = 0; row < batch.rows; row++) {
      assert.equal(Number(valueAt(batch, 3, row)), 0)
      assert.equal(Number(valueAt(batch, 4, row)), offsets[row])
      assert.equal(Number(valueAt(batch, 5, row)), appendMs[row]! * 1_000)
      result.set(offsets[row]!, `deduplicated ${valueAt(batch, 0, row)} ${appendMs[row]! - START}`)
    }
    for (const row of classified.out) result.set(offsets[row]!, `out ${valueAt(batch, 0, row)} ${appendMs[row]! - START}`)
    for (const [index, row] of classified.late.entries())
      result.set(
        offsets[row]!,
        `late ${valueAt(batch, 0, row)} ${appendMs[row]! - START} behind ${classified.lateWatermarkUs[index]! / 1_000 - START}`,
      )
    for (const row of delivery.rejected) result.set(row.offset, `rejected ${row.code} ${row.appendMs - START}`)
    assert.equal(classified.out.length + classified.late.length + classified.duplicates, batch.rows)
  }
  return result
}

/** The rules of PROTOCOL 6 to 9 and 11, said once more. */
function expectedFates(items: readonly Item[]): Map<number, string> {
  const result = new Map<number, string>()
  const seen = new Map<string, number>()
  let watermark = Number.NEGATIVE_INFINITY
  for (const [offset, item] of items.entries()) {
    if (item.kind === 'reject') result.set(offset, `rejected MR_ROW_JSON ${item.ms}`)
    else if (item.kind === 'old') result.set(offset, `rejected MR_ROW_UNKNOWN_FIELD ${item.ms}`)
    else if (item.kind === 'control') watermark = Math.max(watermark, item.watermarkMs)
    else {
      const key = JSON.stringify([item.id, item.name])
      const last = seen.get(key)
      seen.set(key, item.ms)
      if (last !== undefined && item.ms - last <= 10 && !item.redriven) result.set(offset, `deduplicated ${item.id} ${item.ms}`)
      else if (item.seenMs < watermark && !item.redriven) result.set(offset, `late ${item.id} ${item.ms} behind ${watermark}`)
      else {
        result.set(offset, `out ${item.id} ${item.ms}`)
        if (item.seenMs <= item.ms + 60_000) watermark = Math.max(watermark, item.seenMs - 2_000)
      }
    }
  }
  return result
}

const row = fc.record({
  kind: fc.constant('row' as const),
  ms: fc.nat(4),
  id: fc.nat(4),
  name: fc.constantFrom('', 'a', 'é', '\u0000', null),
  seenMs: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 20_000 }) }, { weight: 1, arbitrary: fc.constant(200_000) }),
  redriven: fc.boolean().map((isRare) => isRare && false),
})
const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 8, arbitrary: row },
  { weight: 1, arbitrary: row.map((own) => ({ ...own, redriven: true })) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('old' as const),
      ms: fc.nat(4),
      line: fc.constant('{"id":1,"gone":2,"seen":"2026-01-01T00:00:00Z"}'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reject' as const), ms: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('control' as const), ms: fc.nat(4), watermarkMs: fc.integer({ min: 0, max: 15_000 }) }),
  },
)
/** `ms` of each is the time since the one before. */
const history = fc.array(item, { minLength: 1, maxLength: 40 }).map((items) => {
  let ms = 0
  return items.map((own): Item => {
    ms += own.ms
    return { ...own, ms }
  })
})

const prepares = fc.array(fc.boolean(), { minLength: 1, maxLength: 3 })

test('every record has the fate that the rules give it, however the log is cut and read', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 7 }),
      prepares,
      async (items, cut, perRead, ahead) => {
        const log = logOf(
          batchesOf(items, (index) => index % cut === 0),
          perRead,
        )
        const source = new StreamSource(log, STREAM, scanner)
        await source.restore([0], null)
        assert.deepEqual(await fates(source, ahead), expectedFates(items))
      },
    ),
    { numRuns: 150 },
  )
})

test('a pipeline that continues from a commit decides as one that never stopped', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.nat(39), fc.integer({ min: 1, max: 5 }), async (items, at, cut) => {
      const stop = Math.min(at, items.length)
      const before = new StreamSource(
        logOf(
          batchesOf(items.slice(0, stop), (index) => index % cut === 0),
          3,
        ),
        STREAM,
        scanner,
      )
      await before.restore([0], null)
      await fates(before)
      const saved = JSON.parse(JSON.stringify(before.save())) as SourceState
      const after = new StreamSource(
        logOf(
          batchesOf(items, (index) => index % cut === 0),
          3,
        ),
        STREAM,
        scanner,
      )
      await after.restore([stop], saved)
      const expected = [...expectedFates(items)].filter(([offset]) => offset >= stop)
      assert.deepEqual(
        [...(await fates(after))].sort(([a], [b]) => a - b),
        expected,
      )
    }),
    { numRuns: 150 },
  )
})

test('what was asked ahead is given once, from where the source stands then; its failure is that of the read', async () => {
  const items: Item[] = [1, 2, 3].map((id) => ({ kind: 'row', ms: id, id, name: null, seenMs: 0, redriven: false }))
  const log = logOf(
    batchesOf(items, () => true),
    1,
  )
  let reads = 0
  const counted: Log = {
    ...log,
    read: (...args) => {
      reads++
      return log.read(...args)
    },
  }
  const source = new StreamSource(counted, STREAM, scanner)
  await source.restore([0], null)
  void source.prepare(0, 1)
  assert.deepEqual([...(await source.read(0, 1))!.offsets], [0])
  assert.equal(reads, 1)
  void source.prepare(0, 1)
  await source.restore([2], null)
  assert.deepEqual([...(await source.read(0, 1))!.offsets], [2])
  void source.prepare(0, 1)
  assert.equal(await source.read(0, 1), null)

  const broken = new StreamSource({ ...log, read: () => Promise.reject(new Error('the disk')) }, STREAM, scanner)
  await broken.restore([0], null).catch(() => {})
  await broken.prepare(0, 1)
  await new Promise((resolve) => setImmediate(resolve))
  await assert.rejects(broken.read(0, 1), /the disk/)
})

test('what is asked for at the end is given when it comes, and asked for again after it did not', async () => {
  const items: Item[] = [1, 2].map((id) => ({ kind: 'row', ms: id, id, name: null, seenMs: 0, redriven: false }))
  const log = logOf(
    batchesOf(items, () => true),
    1,
  )
  const waits: (number | undefined)[] = []
  let isTold = false
  const late: Log = {
    ...log,
    read: async (topic, partition, from, maxBytes, waitMs) => {
      waits.push(waitMs)
      return isTold ? log.read(topic, partition, from, maxBytes) : []
    },
  }
  const source = new StreamSource(late, STREAM, scanner)
  await source.restore([0], null)
  await source.prepare(0, 1, 20)
  isTold = true
  await Promise.all([source.prepare(0, 1, 20), source.prepare(0, 1, 20)])
  assert.deepEqual([...(await source.read(0, 1))!.offsets], [0])
  assert.deepEqual(waits, [20, 20])
  isTold = false
  const empty = source.prepare(0, 1, 20)
  isTold = true
  assert.deepEqual([...(await source.read(0, 1))!.offsets], [1], 'what came after the wait was over')
  await empty
})

test('rows of another shape are scanned strictly: those that fit come through', async () => {
  const items: Item[] = [
    { kind: 'old', ms: 0, line: '{"seen":"2026-01-01T00:00:00Z","id":5}' },
    { kind: 'row', ms: 1, id: 6, name: 'x', seenMs: 0, redriven: false },
    { kind: 'old', ms: 1, line: '{"id":"many","seen":"2026-01-01T00:00:00Z"}' },
  ]
  const source = new StreamSource(
    logOf(
      batchesOf(items, () => false),
      9,
    ),
    STREAM,
    scanner,
  )
  await source.restore([0], null)
  const delivery = (await source.read(0, 1))!
  assert.deepEqual([...delivery.offsets], [0, 1])
  assert.deepEqual(
    delivery.rejected.map(({ offset, code, raw, field }) => ({ offset, code, raw, field })),
    [{ offset: 2, code: 'MR_ROW_TYPE', raw: '{"id":"many","seen":"2026-01-01T00:00:00Z"}', field: 'id' }],
  )
})

test('a log that does not hold what follows the commit is refused; one that lost its beginning is begun where it begins', async () => {
  const items = Array.from({ length: 5 }, (_, index): Item => ({ kind: 'reject', ms: index }))
  const batches = batchesOf(items, () => true)
  const fresh = new StreamSource(logOf(batches, 9, 3), STREAM, scanner)
  await fresh.restore([0], null)
  assert.deepEqual(fresh.positions, [3])
  for (const committed of [2, 6])
    await assert.rejects(new StreamSource(logOf(batches, 9, 3), STREAM, scanner).restore([committed], null), (error: unknown) => {
      assert.ok(error instanceof MillraceError)
      assert.equal(error.code, 'MR_STREAM_STATE')
      return true
    })
})

test("a processor's output follows the watermark that it is told, not its rows", async () => {
  const items: Item[] = [
    { kind: 'row', ms: 0, id: 1, name: null, seenMs: 50_000, redriven: false },
    { kind: 'row', ms: 100, id: 2, name: null, seenMs: 1_000, redriven: false },
    { kind: 'control', ms: 100, watermarkMs: 20_000 },
    { kind: 'row', ms: 200, id: 3, name: null, seenMs: 19_999, redriven: false },
  ]
  const source = new StreamSource(
    logOf(
      batchesOf(items, () => false),
      9,
    ),
    { ...STREAM, source: 'processor', latenessMs: 0 },
    scanner,
  )
  await source.restore([0], null)
  assert.deepEqual([...(await fates(source)).values()], ['out 1 0', 'out 2 100', 'late 3 200 behind 20000'])
  assert.equal(source.needsIdleDecisions, false)
})

test('where nothing can be late, rows move no watermark', async () => {
  const items = [60_000, 1_000].map((seenMs, id): Item => ({ kind: 'row', ms: id, id, name: null, seenMs, redriven: false }))
  const source = new StreamSource(
    logOf(
      batchesOf(items, () => true),
      9,
    ),
    { ...STREAM, latenessMs: Number.POSITIVE_INFINITY },
    scanner,
  )
  await source.restore([0], null)
  assert.deepEqual([...(await fates(source)).values()], ['out 0 0', 'out 1 1'])
  assert.equal(source.watermarkOf(0), null)
})

test('a part of the columns: rows of this shape and of another, and none at all', async () => {
  const items: Item[] = [
    { kind: 'row', ms: 0, id: 1, name: 'a', seenMs: 5, redriven: false },
    { kind: 'row', ms: 0, id: 2, name: null, seenMs: 6, redriven: false },
    { kind: 'old', ms: 1, line: '{"seen":"2026-01-01T00:00:00.007Z","id":3}' },
  ]
  const { dedupe: _, ...plain } = STREAM
  for (const [columns, expected] of [
    [['seen'], [5, 6, 7]],
    [[], []],
  ] as const) {
    const shape = { fields: SHAPE.fields.filter(({ name }) => columns.includes(name as never)) }
    const { time: _time, ...timeless } = plain
    const source = new StreamSource(
      logOf(
        batchesOf(items, () => false),
        10,
      ),
      { ...(columns.length > 0 ? plain : timeless), shape },
      scanner,
    )
    const delivery = (await source.read(0, 1 << 20))!
    assert.deepEqual(
      delivery.batch.shape.fields.map(({ name }) => name),
      [...columns, '_partition', '_offset', '_ingested_at'],
    )
    assert.equal(delivery.classified.out.length, 3)
    const seen = columns.length > 0 ? [0, 1, 2].map((row) => Number(valueAt(delivery.batch, 0, row)) / 1_000 - START) : []
    assert.deepEqual(seen, expected)
    assert.deepEqual(
      [0, 1, 2].map((row) => Number(valueAt(delivery.batch, columns.length + 1, row))),
      [0, 1, 2],
    )
  }
})
