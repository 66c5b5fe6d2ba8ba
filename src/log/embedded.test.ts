// The embedded log over a real directory: what its interface promises, one promise a test.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { FakeDisk } from '../../test/simulation/fake-disk.ts'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import { type EmbeddedLogOptions, openEmbeddedLog } from './embedded.ts'
import type { Append, Log } from './log.ts'

const START_MS = 1_750_000_000_000
let root: string
let directory: string
let clock: VirtualClock
const opened: Log[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  directory = join(root, 'log')
  clock = new VirtualClock(START_MS)
})

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

async function open(options: Partial<EmbeddedLogOptions> = {}): Promise<Log> {
  const log = await openEmbeddedLog({ disk: nodeDisk, clock, directory, ...options })
  opened.push(log)
  return log
}

async function openWith(partitions: number, options: Partial<EmbeddedLogOptions> = {}): Promise<Log> {
  const log = await open(options)
  await log.ensureTopic('clicks', partitions)
  return log
}

function rows(names: readonly string[], more: Partial<Append> = {}): Append {
  return {
    partition: 0,
    kind: 'rows',
    payload: Buffer.from(names.map((name) => `{"n":"${name}"}\n`).join('')),
    count: names.length,
    fingerprint: 'f1',
    ...more,
  }
}

async function contents(log: Log, partition = 0, from = log.range('clicks', partition).start): Promise<string[]> {
  const names: string[] = []
  for (let offset = from; offset < log.range('clicks', partition).end; ) {
    for (const batch of await log.read('clicks', partition, offset, 1 << 20)) {
      const lines = Buffer.from(batch.payload).toString().trimEnd().split('\n')
      assert.equal(lines.length, batch.count)
      names.push(...lines.slice(offset - batch.baseOffset).map((line) => (JSON.parse(line) as { n: string }).n))
      offset = batch.baseOffset + batch.count
    }
  }
  return names
}

test('what is appended is read, also by the next process', async () => {
  const log = await openWith(2)
  assert.deepEqual(await log.append('clicks', [rows(['a', 'b']), rows(['c'], { partition: 1 })]), [
    { partition: 0, first: 0, last: 1, duplicate: false },
    { partition: 1, first: 0, last: 0, duplicate: false },
  ])
  assert.deepEqual(await log.append('clicks', [rows(['d'])]), [{ partition: 0, first: 2, last: 2, duplicate: false }])
  assert.deepEqual(log.range('clicks', 0), { start: 0, end: 3 })
  const [batch] = await log.read('clicks', 0, 0, 1 << 20)
  assert.deepEqual(
    { ...batch, payload: String(batch?.payload) },
    {
      ...{ partition: 0, baseOffset: 0, count: 2, appendTimeMs: START_MS, kind: 'rows', fingerprint: 'f1' },
      payload: '{"n":"a"}\n{"n":"b"}\n',
      readableMs: START_MS,
    },
  )
  await log.close()
  const again = await open()
  const [before] = await again.read('clicks', 0, 0, 1 << 20)
  assert.equal(before?.readableMs, undefined, 'nobody knows when another process could read it')
  assert.deepEqual(
    again.topics()[0]?.partitions.map(({ start, end }) => [start, end]),
    [
      [0, 3],
      [0, 1],
    ],
  )
  assert.deepEqual(await contents(again), ['a', 'b', 'd'])
  assert.deepEqual(await contents(again, 1), ['c'])
})

test('appends of one moment share a batch; kinds and shapes do not', async () => {
  const log = await openWith(1)
  const appended = await Promise.all([
    log.append('clicks', [rows(['a'])]),
    log.append('clicks', [rows(['bad'], { kind: 'rejects', fingerprint: '' })]),
    log.append('clicks', [rows(['b'])]),
    log.append('clicks', [rows(['c'], { fingerprint: 'f2' })]),
  ])
  assert.deepEqual(
    appended.map(([part]) => part?.first),
    [0, 2, 1, 3],
  )
  const batches = await log.read('clicks', 0, 0, 1 << 20)
  assert.deepEqual(
    batches.map(({ baseOffset, count, kind, fingerprint }) => [baseOffset, count, kind, fingerprint]),
    [
      [0, 2, 'rows', 'f1'],
      [2, 1, 'rejects', ''],
      [3, 1, 'rows', 'f2'],
    ],
  )
})

test('rows and keys that have gone keep the order in which they came, in one group', async () => {
  const log = await openWith(1)
  const gone = (name: string) => rows([name], { kind: 'deletes', fingerprint: '' })
  await log.append('clicks', [
    rows(['a']),
    rows(['bad'], { kind: 'rejects', fingerprint: '' }),
    gone('b'),
    rows(['c']),
    gone('d'),
    gone('e'),
  ])
  await log.append('clicks', [rows(['f'], { kind: 'changes' }), rows(['g']), rows(['h'], { kind: 'changes' })])
  assert.deepEqual(await contents(log), ['a', 'bad', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
})

const keyed = (key: string, hash = 'h') => ({ idempotency: { key, hash } })

test('an append that relies on the end is refused when something came before it, in the same group too', async () => {
  const log = await openWith(2)
  const at = (end: number, partition = 0, topic = 'clicks') => [{ topic, partition, end }]
  const moved = { code: 'MR_LOG_MOVED' }
  await log.append('clicks', [rows(['a'])], at(0))
  await assert.rejects(log.append('clicks', [rows(['x'])], at(0)), moved)
  await assert.rejects(log.append('clicks', [rows(['x']), rows(['y'], { partition: 1 })], [...at(1), ...at(1, 1)]), moved)
  const group = await Promise.allSettled([
    log.append('clicks', [rows(['b', 'c'], { kind: 'changes' })], at(1)),
    log.append('clicks', [rows(['d'])]),
    log.append('clicks', [rows(['x'])], at(1)),
    log.append('clicks', [rows(['y'], { partition: 1 })], at(1)),
    log.append('clicks', [rows(['e'], { partition: 1 })], at(4)),
  ])
  assert.deepEqual(
    group.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  assert.deepEqual([await contents(log), await contents(log, 1)], [['a', 'b', 'c', 'd'], ['e']])
  await log.ensureTopic('others', 1)
  const crossing = await Promise.allSettled([
    log.append('clicks', [rows(['f'])], [...at(4), ...at(0, 0, 'others')]),
    log.append('others', [rows(['x'])], [...at(4), ...at(0, 0, 'others')]),
  ])
  assert.deepEqual([crossing.map(({ status }) => status), log.range('others', 0).end], [['fulfilled', 'rejected'], 0])
})

test('while a topic is held only appends that rely on its end go on; the others keep their order', async () => {
  const log = await openWith(1)
  await log.ensureTopic('others', 1)
  const before = log.append('clicks', [rows(['a'])])
  const release = await log.hold('clicks', 1_000)
  const waiting = ['b', 'c'].map((name) => log.append('clicks', [rows([name])]))
  await log.append('others', [rows(['o'])])
  const { end } = log.range('clicks', 0)
  await log.append('clicks', [rows(['mine'])], [{ topic: 'clicks', partition: 0, end }])
  release()
  release()
  await Promise.all([before, ...waiting])
  assert.deepEqual(
    (await contents(log)).filter((name) => name !== 'a'),
    ['mine', 'b', 'c'],
  )
  await log.hold('clicks', 1_000)
  const late = log.append('clicks', [rows(['d'])])
  await clock.advance(1_001)
  await late
  await log.hold('clicks', 1_000)
  const last = log.append('clicks', [rows(['e'])])
  await log.close()
  await last
})

test('a key is known for a day: the same answer, nothing written; another body is refused', async () => {
  let log = await openWith(2)
  const call = [rows(['a', 'b'], keyed('k')), rows(['c'], { partition: 1, ...keyed('k') })]
  const [first, inFlight] = await Promise.all([log.append('clicks', call), log.append('clicks', call)])
  assert.deepEqual(
    inFlight,
    first.map((part) => ({ ...part, duplicate: true })),
  )
  await assert.rejects(log.append('clicks', [rows(['x'], keyed('k', 'other'))]), { code: 'MR_INGEST_IDEMPOTENCY' })
  await log.close()
  log = await open()
  await clock.advance(23 * 3_600_000)
  assert.deepEqual(await log.append('clicks', call), inFlight)
  await assert.rejects(log.append('clicks', [rows(['x'], keyed('k', 'other'))]), { code: 'MR_INGEST_IDEMPOTENCY' })
  assert.deepEqual(await contents(log), ['a', 'b'])
  await clock.advance(2 * 3_600_000)
  assert.deepEqual(await log.append('clicks', [rows(['x'], keyed('k', 'other'))]), [{ partition: 0, first: 2, last: 2, duplicate: false }])
})

test('a call that is refused for one partition writes to none', async () => {
  const log = await openWith(2)
  await log.append('clicks', [rows(['a'], { partition: 1, ...keyed('k') })])
  await assert.rejects(log.append('clicks', [rows(['b'], keyed('k', 'other')), rows(['b'], { partition: 1, ...keyed('k', 'other') })]))
  assert.deepEqual(log.range('clicks', 0), { start: 0, end: 0 })
})

test('rows and rejects of one request carry one key', async () => {
  const log = await openWith(1)
  const call = [rows(['a'], keyed('k')), rows(['bad'], { kind: 'rejects', fingerprint: '', ...keyed('k') })]
  assert.deepEqual(
    (await log.append('clicks', call)).map((part) => part.duplicate),
    [false, false],
  )
  assert.deepEqual(
    (await log.append('clicks', call)).map((part) => [part.first, part.duplicate]),
    [
      [0, true],
      [1, true],
    ],
  )
  await assert.rejects(log.append('clicks', [rows(['a'], keyed('n')), rows(['b'], keyed('n'))]), { code: 'MR_ASSERT' })
})

test('a retry appends only to the partitions that lack it', async () => {
  const disk = new FakeDisk(seededRandom(1))
  const log = await openWith(2, { disk, directory: '/log' })
  const call = [rows(['a'], keyed('k')), rows(['b'], { partition: 1, ...keyed('k') })]
  disk.failAt(1, 'ENOSPC', ({ operation, path }) => operation === 'write' && path.includes('/1/'))
  await assert.rejects(log.append('clicks', call), { code: 'MR_LOG_FULL', status: 507, retryable: true })
  assert.deepEqual(
    (await log.append('clicks', call)).map((part) => part.duplicate),
    [true, false],
  )
})

test('emission numbers: a partition drops what it has, also within one group and after a restart', async () => {
  let log = await openWith(1)
  const emit = (from: number, names: string[]) => log.append('clicks', [rows(names, { emission: { pipeline: 'p', first: from } })])
  assert.equal(await log.lastEmission('clicks', 0, 'p'), -1)
  await Promise.all([emit(0, ['0', '1', '2']), emit(1, ['1', '2', '3'])])
  assert.deepEqual(await contents(log), ['0', '1', '2', '3'])
  assert.deepEqual(await emit(2, ['2', '3']), [{ partition: 0, first: -1, last: -1, duplicate: true }])
  await log.close()
  log = await open()
  assert.equal(await log.lastEmission('clicks', 0, 'p'), 3)
  assert.deepEqual(await emit(3, ['3', '4']), [{ partition: 0, first: 4, last: 4, duplicate: false }])
  assert.deepEqual(await contents(log), ['0', '1', '2', '3', '4'])
})

test('emission numbers with gaps: what is dropped is told by the number of each row', async () => {
  let log = await openWith(1)
  const emit = (numbers: number[]) =>
    log.append('clicks', [rows(numbers.map(String), { emission: { pipeline: 'p', first: numbers[0]!, numbers } })])
  await Promise.all([emit([3, 7]), emit([7, 8, 20])])
  assert.equal(await log.lastEmission('clicks', 0, 'p'), 20)
  assert.deepEqual(await emit([8, 20]), [{ partition: 0, first: -1, last: -1, duplicate: true }])
  await log.close()
  log = await open()
  assert.deepEqual(await emit([7, 20, 21, 40]), [{ partition: 0, first: 4, last: 5, duplicate: false }])
  assert.deepEqual(await contents(log), ['3', '7', '8', '20', '21', '40'])
  assert.equal(await log.lastEmission('clicks', 0, 'p'), 40)
})

test('an origin is re-driven once, however old', async () => {
  let log = await openWith(1)
  const call = [rows(['a'], { redriveOf: 'clicks__rejected/0/7' })]
  const [first] = await log.append('clicks', call)
  await log.close()
  await clock.advance(48 * 3_600_000)
  log = await open()
  assert.deepEqual(await log.append('clicks', call), [{ ...first, duplicate: true }])
  assert.equal((await log.read('clicks', 0, 0, 1))[0]?.redriveOf, 'clicks__rejected/0/7')
})

test('append time is the log clock, and does not go back with the wall clock', async () => {
  let log = await openWith(2)
  await clock.advance(5_000)
  await log.append('clicks', [rows(['a'])])
  await log.close()
  clock = new VirtualClock(START_MS)
  log = await open()
  await log.append('clicks', [rows(['b'], { partition: 1 })])
  assert.equal((await log.read('clicks', 1, 0, 1))[0]?.appendTimeMs, START_MS + 5_000)
})

test('segments close by size and by age; reads and times go across them', async () => {
  let log = await openWith(1, { segmentBytes: 2_000, segmentMs: 60_000 })
  const names: string[] = []
  for (let n = 0; n < 60; n++) {
    await log.append('clicks', [rows([`${n}`])])
    names.push(`${n}`)
    await clock.advance(n === 50 ? 90_000 : 1_000)
  }
  const segments = log.topics()[0]!.partitions[0]!.segments
  assert.ok(segments >= 4, `${segments} segments`)
  for (const restart of [false, true]) {
    if (restart) await log.close()
    if (restart) log = await open({ segmentBytes: 2_000 })
    assert.deepEqual(await contents(log), names)
    for (const from of [0, 1, 17, 59]) assert.deepEqual(await contents(log, 0, from), names.slice(from))
    assert.deepEqual(await log.read('clicks', 0, 60, 1), [])
    assert.equal(await log.offsetAt('clicks', 0, 0), 0)
    assert.equal(await log.offsetAt('clicks', 0, START_MS + 17_000), 17)
    assert.equal(await log.offsetAt('clicks', 0, START_MS + 17_001), 18)
    assert.equal(await log.offsetAt('clicks', 0, START_MS + 60_000), 51)
    assert.equal(await log.offsetAt('clicks', 0, START_MS + 10_000_000), 60)
  }
  await assert.rejects(log.read('clicks', 0, 61, 1), { code: 'MR_LOG_RANGE' })
  await assert.rejects(log.read('clicks', 1, 0, 1), { code: 'MR_LOG_UNKNOWN' })
})

test('a read answers whole batches up to its limit, at least one', async () => {
  const log = await openWith(1)
  for (const name of ['a', 'b', 'c', 'd']) await log.append('clicks', [rows([name, name])])
  const read = async (from: number, maxBytes: number) => (await log.read('clicks', 0, from, maxBytes)).map((batch) => batch.baseOffset)
  const line = '{"n":"a"}\n'.length
  assert.deepEqual(await read(0, 1), [0])
  assert.deepEqual(await read(3, 1), [2])
  assert.deepEqual(await read(0, 4 * line), [0, 2])
  assert.deepEqual(await read(0, 6 * line - 1), [0, 2])
  assert.deepEqual(await read(4, 1 << 20), [4, 6])
})

test('batches far larger than a chunk, compressed and not', async () => {
  for (const compression of ['zstd', 'none'] as const) {
    let log = await openWith(1, { compression, directory: join(root, compression) })
    const names = Array.from({ length: 40_000 }, (_, n) => `${n} and ${n * 7919}`)
    await log.append('clicks', [rows(names)])
    await log.append('clicks', [rows(['next'])])
    await log.close()
    log = await open({ directory: join(root, compression) })
    assert.deepEqual(await contents(log), [...names, 'next'])
    const { sizeBytes } = log.topics()[0]!.partitions[0]!
    assert.equal(sizeBytes < 500_000, compression === 'zstd', `${sizeBytes} bytes`)
  }
})

test('waiting for more ends with more, with the signal and with the log', async () => {
  const log = await openWith(1)
  const controller = new AbortController()
  const woken: string[] = []
  const waits = [
    log.whenMore('clicks', 0, 0, new AbortController().signal).then(() => woken.push('more')),
    log.whenMore('clicks', 0, 1, controller.signal).then(() => woken.push('aborted')),
    log.whenMore('clicks', 0, 2, new AbortController().signal).then(() => woken.push('closed')),
  ]
  await log.append('clicks', [rows(['a'])])
  await waits[0]
  assert.deepEqual(woken, ['more'])
  controller.abort()
  await waits[1]
  await log.close()
  await waits[2]
  assert.deepEqual(woken, ['more', 'aborted', 'closed'])
  await assert.rejects(log.append('clicks', [rows(['b'])]), { code: 'MR_CANCELLED' })
  await assert.rejects(log.read('clicks', 0, 0, 1), { code: 'MR_CANCELLED' })
})

test('retention takes whole segments below the lowest consumer; keys, numbers and the next offset stay', async () => {
  const options = { segmentBytes: 200 }
  let log = await openWith(1, options)
  for (let n = 0; n < 6; n++) {
    await log.append('clicks', [rows(Array(10).fill(`${n}`), { ...keyed(`k${n}`), emission: { pipeline: 'p', first: n * 10 } })])
    await clock.advance(1_000)
  }
  assert.equal((await log.retain('clicks', 0, { beforeMs: START_MS + 3_000, keepFrom: 15 })) > 0, true)
  assert.deepEqual(log.range('clicks', 0), { start: 10, end: 60 })
  await assert.rejects(log.read('clicks', 0, 9, 1), { code: 'MR_LOG_RANGE' })
  assert.equal(await log.retain('clicks', 0, { beforeMs: START_MS, keepFrom: 60 }), 0)
  await log.retain('clicks', 0, { beforeMs: START_MS + 60_000, keepFrom: 60 })
  assert.deepEqual(log.range('clicks', 0), { start: 60, end: 60 })
  await log.close()
  log = await open(options)
  assert.deepEqual(log.range('clicks', 0), { start: 60, end: 60 })
  assert.equal(await log.lastEmission('clicks', 0, 'p'), 59)
  assert.deepEqual(await log.append('clicks', [rows(Array(10).fill('0'), keyed('k0'))]), [
    { partition: 0, first: 0, last: 9, duplicate: true },
  ])
  await clock.advance(25 * 3_600_000)
  await log.retain('clicks', 0, { beforeMs: 0, keepFrom: 60 })
  assert.deepEqual(await nodeDisk.list(join(directory, 'clicks', '0')), [
    '00000000000000000050.idx', // the state before the first segment
    '00000000000000000060.log',
  ])
  await log.close()
  log = await open(options)
  assert.equal(await log.lastEmission('clicks', 0, 'p'), 59)
})

test('without space: refused, unhealthy, and well again when there is room', async () => {
  const random = seededRandom(1)
  const events: string[] = []
  const disk = new FakeDisk(random, { capacityBytes: 3 << 20 })
  const log = await openWith(2, { disk, directory: '/log', onEvent: (event) => events.push(event.kind) })
  await log.append('clicks', [rows(['a'])])
  await disk.writeNew('/ballast', Buffer.alloc((3 << 20) - 500))
  await assert.rejects(log.append('clicks', [rows(Array(100).fill('b'))]), { code: 'MR_LOG_FULL' })
  assert.equal(log.healthy, false)
  await clock.advance(6_000)
  assert.equal(log.healthy, false, 'it looked, and there was no room')
  await disk.remove('/ballast')
  await clock.advance(6_000)
  assert.equal(log.healthy, true, 'it looked again')
  assert.deepEqual(await log.append('clicks', [rows(['c'])]), [{ partition: 0, first: 1, last: 1, duplicate: false }])
  assert.deepEqual(events, ['log.committed', 'log.suspended', 'log.committed', 'log.resumed', 'log.committed'])
  assert.ok(!disk.paths().includes('/log/.room'))
})

test('a failed sync closes the partition until a restart, and no other', async () => {
  const disk = new FakeDisk(seededRandom(1))
  const log = await openWith(2, { disk, directory: '/log' })
  await log.append('clicks', [rows(['a'])])
  disk.failAt(1, 'EIO', ({ operation }) => operation === 'sync')
  await assert.rejects(log.append('clicks', [rows(['b'])]), { code: 'MR_LOG_IO' })
  await assert.rejects(log.append('clicks', [rows(['c'])]), { code: 'MR_LOG_IO' })
  assert.equal(log.healthy, false)
  await log.append('clicks', [rows(['d'], { partition: 1 })])
  assert.deepEqual(await contents(log), ['a'])
  await log.close()
  const again = await open({ disk: disk.kill(), directory: '/log' })
  assert.equal(again.healthy, true)
  assert.deepEqual(await contents(again), ['a'])
  assert.deepEqual(await again.append('clicks', [rows(['e'])]), [{ partition: 0, first: 1, last: 1, duplicate: false }])
})

test('more than the limit waits: busy, and no longer when it is written', async () => {
  const log = await openWith(1, { pendingBytesMax: 1_000 })
  const large = rows(Array(150).fill('a'))
  const first = log.append('clicks', [large])
  await assert.rejects(log.append('clicks', [rows(['b'])]), { code: 'MR_LOG_BUSY', status: 429, retryable: true })
  await first
  await log.append('clicks', [rows(['c'])])
  assert.deepEqual(log.range('clicks', 0), { start: 0, end: 151 })
})

test('topics: names stay inside the directory, partitions are added, two openings meet', async () => {
  const log = await open()
  for (const name of ['', '.', '..', 'a/b', '../x', '-a', '.hidden', 'a\0b', 'x'.repeat(250)])
    await assert.rejects(log.ensureTopic(name, 1), { code: 'MR_DEFINE_NAME' }, JSON.stringify(name))
  await Promise.all([log.ensureTopic('shop.orders__rejected', 2), log.ensureTopic('shop.orders__rejected', 3)])
  await log.ensureTopic('shop.orders__rejected', 1)
  assert.deepEqual(
    log.topics().map(({ topic, partitions }) => [topic, partitions.length]),
    [['shop.orders__rejected', 3]],
  )
  await assert.rejects(log.append('shop.orders__rejected', [rows(['a'], { partition: 3 })]), { code: 'MR_LOG_UNKNOWN' })
  assert.deepEqual(await log.append('shop.orders__rejected', []), [])
})

test('closing waits for what is under way', async () => {
  const log = await openWith(1)
  const appended = log.append('clicks', [rows(['a'])])
  await log.close()
  assert.equal((await appended)[0]?.first, 0)
  assert.deepEqual(await contents(await open()), ['a'])
})

test('what a failed group left in a segment that is closed does not come back after a power cut', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = new FakeDisk(seededRandom(seed))
    const options = { clock, directory: '/log', segmentMs: 1_000 }
    const log = await openEmbeddedLog({ disk, ...options }) // nobody closes it: its disk ends
    await log.ensureTopic('clicks', 1)
    await log.append('clicks', [rows(['a'])])
    disk.failAt(1, 'short', ({ operation }) => operation === 'write')
    await assert.rejects(log.append('clicks', [rows(['b']), { ...rows(['c']), kind: 'rejects' }]), { code: 'MR_LOG_FULL' })
    await clock.advance(2_000)
    await log.append('clicks', [rows(['d'])])
    const after = await openEmbeddedLog({ ...options, disk: disk.crash() })
    assert.deepEqual(await contents(after), ['a', 'd'], `seed ${seed}`)
    await after.close()
  }
})

test('while much comes in groups begin apart; what little comes is written at once', async () => {
  const log = await openWith(1, { groupMs: 5 })
  const large = rows(['x'.repeat(20_000)])
  await log.append('clicks', [rows(['a'])])
  await log.append('clicks', [rows(['b'])])
  await log.append('clicks', [large])
  let isWritten = false
  const next = log.append('clicks', [rows(['c'])]).then(() => {
    isWritten = true
  })
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.equal(isWritten, false, 'it rests')
  await clock.advance(5)
  await next
  await log.append('clicks', [rows(['d'])])
  assert.equal(log.range('clicks', 0).end, 5)
})
