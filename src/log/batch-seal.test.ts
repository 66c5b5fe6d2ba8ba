// An encrypted topic: rows come back after restarts and rotations, the disk shows none of them, and what was changed, moved or put
// there by others is refused even when its checksum is right.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { systemClock, VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { systemRandom } from '../core/random.ts'
import { type KeyRing, openKeyRing } from '../objects/seal/key-ring.ts'
import { newMasterKeyLine, parseMasterKeys } from '../objects/seal/master-key.ts'
import { loadCrc32c } from './crc32c.ts'
import { type EmbeddedLogOptions, openEmbeddedLog } from './embedded.ts'
import type { Append, Log } from './log.ts'
import { parseHeader } from './record-batch.ts'

const MARKER = 'xyzzy-secret'
const clock = new VirtualClock(1_750_000_000_000)
const masters = parseMasterKeys(newMasterKeyLine('m', systemRandom), 'test', systemRandom)
let root: string
let ring: KeyRing
let log: Log | undefined

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-log-seal-'))
  ring = await openKeyRing({ disk: nodeDisk, clock: systemClock, random: systemRandom, path: join(root, 'keys.json'), masters })
})

afterEach(async () => {
  await log?.close()
  log = undefined
  await rm(root, { recursive: true })
})

async function open(options: Partial<EmbeddedLogOptions> = {}, topics = ['clicks']): Promise<Log> {
  await log?.close()
  const encrypted = { keys: ring, topics: new Set(topics) }
  log = await openEmbeddedLog({ disk: nodeDisk, clock, directory: join(root, 'log'), encrypted, ...options })
  for (const topic of ['clicks', 'plain']) await log.ensureTopic(topic, 2)
  return log
}

const rows = (from: number, count: number, more: Partial<Append> = {}): Append => ({
  partition: 0,
  kind: 'rows',
  payload: Buffer.from(Array.from({ length: count }, (_, n) => `{"n":"${MARKER}-${from + n}"}\n`).join('')),
  count,
  fingerprint: 'f',
  ...more,
})

async function textOf(topic = 'clicks', partition = 0): Promise<string> {
  const parts: Uint8Array[] = []
  const { start, end } = log!.range(topic, partition)
  for (let at = start; at < end; )
    for (const batch of await log!.read(topic, partition, at, 1 << 20)) {
      parts.push(batch.payload)
      at = batch.baseOffset + batch.count
    }
  return Buffer.concat(parts).toString()
}

const filesOf = (topic: string): string[] =>
  readdirSync(join(root, 'log', topic), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(log|idx)$/.test(name))
    .map((name) => join(root, 'log', topic, name))
const shows = (topic: string): boolean => filesOf(topic).some((path) => readFileSync(path).includes(MARKER))

test('rows come back over restarts, segments and a rotation, and no file of the log shows them', async () => {
  for (const compression of ['none', 'zstd'] as const) {
    const topic = 'clicks'
    await open({ compression, segmentBytes: 20_000 })
    const before = (await textOf()).length
    let sent = ''
    for (let n = 0; n < 40; n++) {
      const append = rows(n * 30, 30)
      sent += Buffer.from(append.payload).toString()
      await log!.append(topic, [append])
      if (n === 10) await open({ compression, segmentBytes: 20_000 })
      if (n === 20) await ring.rotate()
      if (n === 25) await open({ compression, segmentBytes: 20_000 })
    }
    assert.equal((await textOf()).slice(before), sent)
    await open()
    assert.equal((await textOf()).slice(before), sent)
    assert.ok(filesOf(topic).length > 4)
    assert.equal(shows(topic), false)
  }
  // The test can fail: a topic that is not encrypted shows its rows.
  await log!.append('plain', [rows(0, 5)])
  assert.equal(shows('plain'), true)
})

test('idempotency keys and hashes of bodies are hidden, work over a restart, and errors name the key as it was given', async () => {
  const keyed = { idempotency: { key: `order ${MARKER}`, hash: `hash ${MARKER}` } }
  await open()
  const [first] = await log!.append('clicks', [rows(0, 3, keyed)])
  for (let round = 0; round < 2; round++) {
    const [again] = await log!.append('clicks', [rows(0, 3, keyed)])
    assert.deepEqual(again, { ...first, duplicate: true })
    await assert.rejects(log!.append('clicks', [rows(1, 3, { idempotency: { key: `order ${MARKER}`, hash: 'x' } })]), {
      code: 'MR_INGEST_IDEMPOTENCY',
      message: new RegExp(`order ${MARKER}`),
    })
    await ring.rotate()
    await open()
  }
  assert.equal(shows('clicks'), false)
  await log!.append('plain', [rows(0, 1, keyed)])
  assert.equal(shows('plain'), true)
})

/** Changes a batch of the only segment and gives it a checksum that fits: what a careful writer without the key could do. */
async function forge(change: (bytes: Buffer, at: number, sizeBytes: number) => void, partition = 0): Promise<void> {
  const crc32c = await loadCrc32c()
  const path = join(root, 'log', 'clicks', String(partition), `${'0'.repeat(20)}.log`)
  const bytes = readFileSync(path)
  const header = parseHeader(bytes, 0)!
  change(bytes, 0, header.sizeBytes)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21, header.sizeBytes)), 17)
  writeFileSync(path, bytes)
}

test('a batch that was changed, or moved to another partition, is refused by what it is sealed with', async () => {
  await open()
  await log!.append('clicks', [rows(0, 3), rows(0, 3, { partition: 1 })])
  await log!.append('clicks', [rows(9, 3)])
  await log!.close()
  log = undefined
  await forge((bytes, at, size) => {
    bytes[at + size - 20]! ^= 1
  })
  await open()
  await assert.rejects(log!.read('clicks', 0, 0, 1 << 20), { code: 'MR_SEAL_DAMAGED', message: /clicks\/0 at offset 0/ })
  // What comes after it is whole.
  assert.equal((await log!.read('clicks', 0, 3, 1 << 20)).length, 1)
  await log!.close()
  log = undefined
  const other = readFileSync(join(root, 'log', 'clicks', '0', `${'0'.repeat(20)}.log`))
  await forge((bytes, at, size) => other.copy(bytes, at, 0, size), 1)
  await open()
  await assert.rejects(log!.read('clicks', 1, 0, 1 << 20), { code: 'MR_SEAL_DAMAGED', message: /clicks\/1/ })
})

test('a batch in the clear in an encrypted topic is refused, and a sealed one in a topic that is not encrypted', async () => {
  await open({}, [])
  await log!.append('clicks', [rows(0, 3)])
  await open()
  await assert.rejects(textOf(), { code: 'MR_SEAL_DAMAGED', message: /is not encrypted/ })
  await log!.append('clicks', [rows(3, 3)])
  await open({}, [])
  await assert.rejects(log!.read('clicks', 0, 3, 1 << 20), { code: 'MR_KEY_MISSING' })
})

test('without the master key the log does not open for an encrypted topic, and says which key', async () => {
  await open()
  await log!.append('clicks', [rows(0, 3)])
  await log!.close()
  log = undefined
  ring = await openKeyRing({ disk: nodeDisk, clock: systemClock, random: systemRandom, path: join(root, 'keys.json'), masters: null })
  await assert.rejects(open(), { code: 'MR_KEY_UNKNOWN', message: /"m"/ })
})
