// The embedded log over a real directory: what its interface promises, one promise a test.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
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
      assert.ok(batch.baseOffset <= offset || batch.baseOffset === offset)
      const lines = Buffer.from(batch.payload).toString().trimEnd().split('\n')
      assert.equal(lines.length, batch.count)
      names.push(...lines.map((line) => (JSON.parse(line) as { n: string }).n))
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
    },
  )
  await log.close()
  const again = await open()
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
