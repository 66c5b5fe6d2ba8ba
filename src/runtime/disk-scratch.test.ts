// Scratch files: what was appended is read, and nothing is left, neither of a file that is removed nor of a process that was before.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { diskScratch } from './disk-scratch.ts'

test('scratch files hold what was appended until they are removed, and those of before are gone', () => {
  const home = mkdtempSync(join(tmpdir(), 'millrace-scratch-'))
  const directory = join(home, 'state', 'totals')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, '1'), 'of a process that was killed')
  const scratch = diskScratch(directory)
  assert.equal(existsSync(directory), false)
  const [first, second] = [scratch.create(), scratch.create()]
  first.append(Buffer.from('one and '))
  second.append(Buffer.from('another'))
  first.append(Buffer.from('two'))
  const read = (file: typeof first, at: number, length: number): string => {
    const into = new Uint8Array(length)
    file.read(at, into)
    return Buffer.from(into).toString()
  }
  assert.deepEqual([read(first, 4, 7), read(second, 0, 7)], ['and two', 'another'])
  assert.throws(() => read(second, 1, 7), { code: 'MR_ASSERT' })
  first.remove()
  first.remove()
  assert.equal(readdirSync(directory).length, 1)
  scratch.close()
  assert.deepEqual(readdirSync(directory), [])
  rmSync(home, { recursive: true })
})
