// The embedded log against every single fault in turn: each I/O call of a fixed story fails or is the last before a power
// cut, each length a segment may be cut to, each byte of a segment flipped. Nothing acknowledged is lost or altered
// in silence. Sources: SQLite's anomaly loop; Rebello et al., "Can Applications Recover from fsync Failures?" (ATC 2020).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/core/clock.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { seededRandom } from '../../src/core/random.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Append, Log } from '../../src/log/log.ts'
import type { LogEvent } from '../../src/log/settings.ts'
import { type DiskCall, type DiskFault, FakeDisk } from './fake-disk.ts'
import { idsOf, LogModel, TOPIC } from './log-model.ts'

const PIPELINE = 'sessions'

async function newDisk(seed: number): Promise<FakeDisk> {
  const disk = new FakeDisk(seededRandom(seed))
  await disk.makeDirectory('/data')
  return disk
}

async function open(disk: FakeDisk, onEvent: (event: LogEvent) => void = () => {}): Promise<Log> {
  const clock = new VirtualClock(1_750_000_000_000)
  const log = await openEmbeddedLog({ disk, clock, directory: '/data/log', segmentBytes: 900, recentBytes: 0, onEvent })
  await log.ensureTopic(TOPIC, 2)
  return log
}

function part(partition: number, ids: readonly string[], more: Partial<Append> = {}): Append {
  const payload = Buffer.from(ids.map((id) => `${JSON.stringify({ id, padding: 'x'.repeat(40) })}\n`).join(''))
  return { partition, kind: 'rows', payload, count: ids.length, fingerprint: 'f', ...more }
}

/** What a small producer does in a day. Calls with a key are sent again until they are acknowledged. */
const STORY: readonly (readonly Append[])[] = Array.from({ length: 12 }, (_, n) => {
  if (n % 4 === 3)
    return [
      part(1, [`${PIPELINE}-${n - 3}`, `${PIPELINE}-${n - 2}`, `${PIPELINE}-${n - 1}`, `${PIPELINE}-${n}`], {
        emission: { pipeline: PIPELINE, first: n - 3 },
      }),
    ]
  const idempotency = { key: `k${n}`, hash: 'h' }
  return [part(0, [`a${n}`, `b${n}`], { idempotency }), part(1, [`c${n}`], { idempotency })]
})

/** Tells the story from `step` on; answers where it stopped. */
async function tell(log: Log, model: LogModel, step: number): Promise<number> {
  for (; step < STORY.length; step++) {
    try {
      model.acknowledge(STORY[step]!, await log.append(TOPIC, STORY[step]!))
    } catch (error) {
      assert.ok(error instanceof MillraceError && ['MR_LOG_IO', 'MR_LOG_FULL'].includes(error.code), String(error))
      return step
    }
    if (step === 7) {
      model.released(0, log.range(TOPIC, 0).end)
      await log.retain(TOPIC, 0, { beforeMs: Number.MAX_SAFE_INTEGER, keepFrom: log.range(TOPIC, 0).end }).catch(() => {})
    }
  }
  return step
}

/** Tells the story over as many processes as it takes, the first of them with `arm`ed trouble. Answers its calls. */
async function tellWith(seed: number, arm: (disk: FakeDisk) => void): Promise<number> {
  const model = new LogModel()
  let disk = await newDisk(seed)
  arm(disk)
  let calls = 0
  for (let step = 0, life = 0; step < STORY.length || life < 2; life++) {
    try {
      const log = await open(disk)
      await model.check(log, [PIPELINE])
      step = await tell(log, model, step)
      if (!disk.isCrashed) await model.check(log, [PIPELINE])
      if (!disk.isCrashed && step === STORY.length) await log.close()
    } catch (error) {
      if (error instanceof assert.AssertionError || (error as MillraceError).code === 'MR_LOG_CORRUPT') throw error
    }
    calls = Math.max(calls, disk.calls)
    // Half of the processes end with the power, half by a kill.
    disk = (seed + life) % 2 === 0 ? disk.crash() : disk.kill()
  }
  const log = await open(disk)
  await model.check(log, [PIPELINE])
  assert.equal(await log.lastEmission(TOPIC, 1, PIPELINE), 11)
  return calls
}

async function atEveryCall(trouble: (disk: FakeDisk, n: number) => void): Promise<number> {
  const calls = await tellWith(0, () => {})
  for (let n = 1; n <= calls; n++)
    for (const seed of process.env['MILLRACE_TEST_ALL'] ? [n, n + 1, n + 2, n + 3] : [n, n + 1])
      try {
        await tellWith(seed, (disk) => trouble(disk, n))
      } catch (error) {
        throw new Error(`call ${n}, seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
  return calls
}

for (const fault of ['EIO', 'ENOSPC', 'short'] satisfies DiskFault[])
  test(`each call in turn fails with ${fault}`, async () => {
    assert.ok((await atEveryCall((disk, n) => disk.failAt(n, fault))) > 100)
  })

test('the end comes at each call in turn', async () => {
  assert.ok((await atEveryCall((disk, n) => disk.crashAt(n))) > 100)
})

test('what is read after a failed sync at the start survives a power cut', async () => {
  let kept = 0
  for (let seed = 1; seed <= 20; seed++) {
    let disk = await newDisk(seed)
    const isLogSync = ({ operation, path }: DiskCall) => operation === 'sync' && path.endsWith('.log')
    const log = await open(disk)
    await log.append(TOPIC, [part(0, ['a'])])
    disk.crashAt(1, isLogSync) // the process dies between write and sync
    await assert.rejects(log.append(TOPIC, [part(0, ['b'])]))
    disk = disk.kill()
    disk.failAt(1, 'EIO', isLogSync) // the next one cannot sync either, and from now on the pages count as clean
    await assert.rejects(open(disk))
    disk = disk.kill()
    const read = await readAll(disk, [])
    disk = disk.crash()
    assert.deepEqual(await readAll(disk, []), read)
    assert.ok(Array.isArray(read))
    kept += read.length - 1
  }
  assert.ok(kept > 5, 'the written group was mostly there')
})

/** A log with three groups in its only segment, as a kill leaves it or closed in order, and its content. */
async function smallLog(isClosed: boolean): Promise<{ disk: FakeDisk; path: string; ids: string[]; groups: number[] }> {
  const disk = await newDisk(1)
  const log = await open(disk)
  const path = `/data/log/${TOPIC}/0/00000000000000000000.log`
  const groups: number[] = []
  for (const n of [0, 1, 2]) {
    groups.push(disk.peek(path).length)
    await log.append(TOPIC, [
      part(0, [`a${n}`, `b${n}`], { idempotency: { key: `k${n}`, hash: 'h' } }),
      part(0, [`x${n}`], { kind: 'rejects' }),
    ])
  }
  if (isClosed) await log.close()
  return { disk, path, ids: ['a0', 'b0', 'x0', 'a1', 'b1', 'x1', 'a2', 'b2', 'x2'], groups: [...groups, disk.peek(path).length] }
}

/** Ids of all that can be read, or the error that says why not. */
async function readAll(disk: FakeDisk, events: LogEvent[]): Promise<string[] | MillraceError> {
  try {
    const log = await open(disk, (event) => events.push(event))
    const ids: string[] = []
    for (let offset = 0; offset < log.range(TOPIC, 0).end; ) {
      for (const batch of await log.read(TOPIC, 0, offset, 1 << 20)) {
        ids.push(...idsOf(batch.payload))
        offset = batch.baseOffset + batch.count
      }
    }
    return ids
  } catch (error) {
    assert.ok(error instanceof MillraceError && error.code === 'MR_LOG_CORRUPT', String(error))
    assert.match(error.message, /\/0\/0{20}\.log is damaged at byte \d+/)
    return error
  }
}

test('a segment cut at each byte: whole records before the cut, nothing else', async () => {
  const { disk, path, ids } = await smallLog(false)
  const whole = disk.peek(path)
  const lengths = new Set<number>()
  for (let sizeBytes = 0; sizeBytes <= whole.length; sizeBytes++) {
    const copy = disk.copy()
    copy.replace(path, whole.subarray(0, sizeBytes))
    const events: LogEvent[] = []
    const read = await readAll(copy, events)
    assert.ok(Array.isArray(read), 'a torn tail is no damage')
    assert.deepEqual(read, ids.slice(0, read.length))
    if (sizeBytes > 0)
      assert.equal(copy.peek(path).length + events.reduce((sum, event) => sum + ('position' in event ? event.bytes : 0), 0), sizeBytes)
    lengths.add(read.length)
  }
  assert.deepEqual([...lengths], [0, 2, 3, 5, 6, 8, 9])
})

test('a segment that was closed in order and is shorter now is damaged', async () => {
  const { disk, path } = await smallLog(true)
  const whole = disk.peek(path)
  for (let sizeBytes = 0; sizeBytes < whole.length; sizeBytes += 7) {
    const copy = disk.copy()
    copy.replace(path, whole.subarray(0, sizeBytes))
    assert.ok((await readAll(copy, [])) instanceof MillraceError)
  }
})

/** Byte of the leader epoch, which means nothing in our batches and lies outside the checksum, as in Kafka. */
const isLeaderEpoch = (whole: Buffer, at: number): boolean => {
  let begin = 0
  while (begin + whole.readInt32BE(begin + 8) + 12 <= at) begin += whole.readInt32BE(begin + 8) + 12
  return at - begin >= 12 && at - begin < 16
}

test('each byte of a closed log flipped: an error that names the place', async () => {
  const { disk, path, ids } = await smallLog(true)
  const whole = disk.peek(path)
  for (let at = 0; at < whole.length; at++) {
    const copy = disk.copy()
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1 << (at % 8)
    copy.replace(path, damaged)
    const read = await readAll(copy, [])
    if (isLeaderEpoch(whole, at)) assert.deepEqual(read, ids)
    else assert.ok(read instanceof MillraceError, `byte ${at}`)
  }
})

test('each byte of a killed log flipped: an error, or in the last group a cut that is told', async () => {
  const { disk, path, ids, groups } = await smallLog(false)
  const whole = disk.peek(path)
  const lastGroup = groups[2]!
  for (let at = 0; at < whole.length; at++) {
    const copy = disk.copy()
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1 << (at % 8)
    copy.replace(path, damaged)
    const events: LogEvent[] = []
    const read = await readAll(copy, events)
    if (isLeaderEpoch(whole, at)) assert.deepEqual(read, ids)
    else if (at < lastGroup) assert.ok(read instanceof MillraceError, `byte ${at}`)
    else {
      // No crash can be told from this damage: the last group may have been torn.
      assert.ok(Array.isArray(read) && read.length < ids.length)
      assert.deepEqual(read, ids.slice(0, read.length))
      assert.deepEqual(
        events.map((event) => event.kind),
        ['log.truncated'],
      )
    }
  }
})

test('each byte of an .idx flipped: it is made again', async () => {
  const disk = await newDisk(1)
  const log = await open(disk)
  const model = new LogModel()
  await tell(log, model, 0)
  await log.close()
  const indexes = disk.paths().filter((path) => path.endsWith('.idx') && path.includes('/1/'))
  assert.ok(indexes.length >= 2)
  const path = indexes[0]!
  const whole = disk.peek(path)
  for (let at = 0; at < whole.length; at++) {
    const copy = disk.copy()
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1 << (at % 8)
    copy.replace(path, damaged)
    const events: LogEvent[] = []
    const again = await open(copy, (event) => events.push(event))
    await model.check(again, [PIPELINE])
    assert.deepEqual(events, [{ kind: 'log.reindexed', path }])
    assert.equal((await again.append(TOPIC, STORY[0]!))[1]?.duplicate, true)
  }
})
