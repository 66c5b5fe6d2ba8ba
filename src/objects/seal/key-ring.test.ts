// The ring of data keys: made once, durable before use, wrapped anew without new secrets, whole after a crash at any step.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { type Disk, nodeDisk } from '../../core/disk.ts'
import { systemRandom } from '../../core/random.ts'
import { openKeyRing } from './key-ring.ts'
import { type MasterKeys, newMasterKeyLine, parseMasterKeys } from './master-key.ts'

const newPath = (): string => join(mkdtempSync(join(tmpdir(), 'keys-')), 'keys.json')
const [LINE_A, LINE_B] = [newMasterKeyLine('a', systemRandom), newMasterKeyLine('b', systemRandom)]
const mastersOf = (...lines: string[]): MasterKeys => parseMasterKeys(lines.join('\n'), 'test', systemRandom)
const open = (path: string, masters: MasterKeys | null, disk: Disk = nodeDisk) =>
  openKeyRing({ disk, clock: systemClock, random: systemRandom, path, masters })

test('a scope has one key, which a later start finds again', async () => {
  const path = newPath()
  const ring = await open(path, mastersOf(LINE_A))
  const [one, same, another] = await Promise.all([ring.forWriting('orders'), ring.forWriting('orders'), ring.forWriting('clicks')])
  assert.deepEqual(one, same)
  assert.notDeepEqual(one.secret, another.secret)
  const again = await open(path, mastersOf(LINE_A))
  assert.deepEqual(await again.forWriting('orders'), one)
  assert.deepEqual(again.byId(another.id, 'x'), another)
  const text = readFileSync(path, 'utf8')
  for (const form of ['base64', 'hex', 'latin1'] as const) assert.ok(!text.includes(one.secret.toString(form)))
})

test('without its master key a data key is an error that names both, and only for whoever needs it', async () => {
  const path = newPath()
  const key = await (await open(path, mastersOf(LINE_A))).forWriting('orders')
  for (const masters of [null, mastersOf(LINE_B)]) {
    const ring = await open(path, masters)
    assert.throws(
      () => ring.byId(key.id, 'x.parquet'),
      ({ code, message }: { code: string; message: string }) =>
        code === 'MR_KEY_UNKNOWN' && message.includes(key.id.toString('hex')) && message.includes('"a"') && message.includes('x.parquet'),
    )
  }
  await assert.rejects((await open(newPath(), null)).forWriting('orders'), { code: 'MR_KEY_MISSING' })
  const ring = await open(path, mastersOf(LINE_A))
  assert.throws(() => ring.byId(Buffer.alloc(16), 'x'), { code: 'MR_KEY_UNKNOWN' })
})

test('another key under the name of the master key, and a wrapped key that was changed or moved, are refused', async () => {
  const path = newPath()
  const ring = await open(path, mastersOf(LINE_A))
  await ring.forWriting('orders')
  await ring.forWriting('clicks')
  await assert.rejects(open(path, mastersOf(newMasterKeyLine('a', systemRandom))), { code: 'MR_SEAL_DAMAGED' })
  const file = JSON.parse(readFileSync(path, 'utf8'))
  const [first, second] = file.keys
  writeFileSync(path, JSON.stringify({ ...file, keys: [{ ...first, wrapped: second.wrapped }, second] }))
  await assert.rejects(open(path, mastersOf(LINE_A)), { code: 'MR_SEAL_DAMAGED' })
  writeFileSync(path, JSON.stringify({ ...file, keys: [{ ...first, scope: 'clicks' }, second] }))
  await assert.rejects(open(path, mastersOf(LINE_A)), { code: 'MR_SEAL_DAMAGED' })
  writeFileSync(path, '{"version": 1, "ke')
  await assert.rejects(open(path, mastersOf(LINE_A)), { code: 'MR_KEY_FILE' })
})

test('rotation wraps the same secrets with the new master key and begins new ones for what is written next', async () => {
  const path = newPath()
  const old = await (await open(path, mastersOf(LINE_A))).forWriting('orders')
  const ring = await open(path, mastersOf(LINE_B, LINE_A))
  assert.deepEqual(await ring.rotate(), { wrapped: 1, begun: 1 })
  assert.deepEqual(ring.byId(old.id, 'x'), old)
  // The old master key is of no use any more, and not needed.
  const after = await open(path, mastersOf(LINE_B))
  const next = await after.forWriting('orders')
  assert.notDeepEqual(next.id, old.id)
  assert.deepEqual(after.byId(old.id, 'x'), old)
  assert.deepEqual(await after.first('orders'), old)
  assert.throws(() => after.byId(Buffer.alloc(16), 'x'), { code: 'MR_KEY_UNKNOWN' })
  const left = await open(path, mastersOf(LINE_A))
  assert.throws(() => left.byId(old.id, 'x'), { code: 'MR_KEY_UNKNOWN' })
})

test('a rotation that fails at any step leaves a ring that opens with all keys', async () => {
  let failed = 0
  for (let step = 0; step < 4; step++) {
    const path = newPath()
    const old = await (await open(path, mastersOf(LINE_A))).forWriting('orders')
    let left = step
    const failing = (name: 'remove' | 'writeNew' | 'rename' | 'syncDirectory') =>
      ((...args: never[]) => {
        if (left-- === 0) return Promise.reject(new Error('the disk is gone'))
        return (nodeDisk[name] as (...args: never[]) => Promise<never>)(...args)
      }) as never
    const disk: Disk = {
      ...nodeDisk,
      remove: failing('remove'),
      writeNew: failing('writeNew'),
      rename: failing('rename'),
      syncDirectory: failing('syncDirectory'),
    }
    await assert.rejects((await open(path, mastersOf(LINE_B, LINE_A), disk)).rotate(), /the disk is gone/)
    failed++
    const after = await open(path, mastersOf(LINE_B, LINE_A))
    assert.deepEqual(after.byId(old.id, 'x'), old)
    assert.ok((await after.rotate()).wrapped >= 1)
  }
  assert.equal(failed, 4)
})

test('a file of keys with anything else in it is refused without showing it', () => {
  const secret = Buffer.alloc(31, 7).toString('base64')
  for (const text of ['', '# none', `a ${secret}`, `${LINE_A}\nb`, `${LINE_A}\n${LINE_A}`, `A/B ${Buffer.alloc(32).toString('base64')}`])
    assert.throws(
      () => parseMasterKeys(text, 'the file', systemRandom),
      ({ code, message }: { code: string; message: string }) => code === 'MR_KEY_FILE' && !message.includes(secret),
    )
  assert.deepEqual(
    mastersOf('# first', LINE_B, '', LINE_A).map(({ id }) => id),
    ['b', 'a'],
  )
})
