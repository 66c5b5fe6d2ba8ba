// What queries, processors and live models spill to the disk: it holds no rows when there is a master key, and does otherwise.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openTestEngine } from '../../src/engine/testing.ts'
import { diskScratch } from '../../src/runtime/disk-scratch.ts'
import { diskSpill } from '../../src/runtime/disk-spill.ts'
import { openTestRing, showing } from './keys.ts'

const MARKER = 'qzxjkvwq'

/** Sorts more than there is memory for; answers files of the spill, and how many of the looks at them found the marker. */
async function sorted(isEncrypted: boolean): Promise<{ readonly files: number; readonly shown: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-spill-'))
  const spill = join(directory, 'spill')
  const keys = isEncrypted ? { keys: await openTestRing(directory) } : {}
  await using parts = await openTestEngine({ memoryLimitBytes: 60_000_000, tempDirectory: spill, ...keys })
  let [files, shown] = [0, 0]
  const look = (): void => {
    try {
      for (const name of readdirSync(spill).filter((one) => one.endsWith('.tmp'))) {
        const bytes = readFileSync(join(spill, name))
        files++
        if (bytes.includes(MARKER)) shown++
      }
    } catch {
      // The engine removes what it does not need any more.
    }
  }
  const looking = setInterval(look, 50)
  try {
    const rows = `SELECT '${MARKER}' || md5(i::VARCHAR) AS s, i FROM range(600000) AS r(i)`
    const found = await parts.session.rows(`SELECT count(*), max(n) FROM (SELECT s, row_number() OVER (ORDER BY s) AS n FROM (${rows}))`)
    assert.deepEqual(found.rows[0]!.map(Number), [600_000, 600_000])
    return { files, shown }
  } finally {
    clearInterval(looking)
    rmSync(directory, { recursive: true, force: true })
  }
}

test('large sorts', async () => {
  const encrypted = await sorted(true)
  assert.ok(encrypted.files > 0)
  assert.equal(encrypted.shown, 0)
  assert.ok((await sorted(false)).shown > 0)
})

test('state of processors comes back, shows nothing, and is refused when it was changed or is that of another name', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-spill-'))
  try {
    const spill = diskSpill(directory)
    const content = Buffer.from(MARKER.repeat(3))
    for (const name of ['a/1', 'b']) spill.write(name, content)
    spill.write('b', Buffer.from('other'))
    assert.deepEqual(Buffer.from(spill.read('a/1')), content)
    assert.equal(Buffer.from(spill.read('b')).toString(), 'other')
    assert.deepEqual(showing(directory, [MARKER]), [])
    const bytes = readFileSync(join(directory, 'a.1'))
    writeFileSync(join(directory, 'b'), bytes)
    assert.throws(() => spill.read('b'), { code: 'MR_SEAL_DAMAGED' })
    bytes[20]! ^= 1
    writeFileSync(join(directory, 'a.1'), bytes)
    assert.throws(() => spill.read('a/1'), { code: 'MR_SEAL_DAMAGED' })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('state of live models comes back from any place of its files, and shows nothing when the model is encrypted', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-spill-'))
  try {
    const content = Buffer.from(`${MARKER}0123456`.repeat(100))
    for (const isEncrypted of [true, false]) {
      const scratch = diskScratch(directory, isEncrypted)
      const files = [scratch.create(), scratch.create()]
      for (const file of files) for (let from = 0; from < content.length; from += 37) file.append(content.subarray(from, from + 37))
      for (const file of files)
        for (const [from, to] of [
          [0, 1_500],
          [15, 17],
          [16, 32],
          [1_201, 1_202],
          [37, 900],
        ] as const) {
          const into = new Uint8Array(to - from)
          file.read(from, into)
          assert.deepEqual(Buffer.from(into), content.subarray(from, to))
        }
      assert.equal(showing(directory, [MARKER]).length, isEncrypted ? 0 : 2)
      const [one, other] = readdirSync(directory).map((name) => readFileSync(join(directory, name)))
      assert.equal(one!.equals(other!), !isEncrypted)
      scratch.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
