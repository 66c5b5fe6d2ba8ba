// Comparing text with a file beside the test. `UPDATE_GOLDEN=1` writes the files; review them before committing.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** Fails unless `text` is what the file `name` holds. */
export function assertGolden(name: string, text: string): void {
  const path = join(here, name)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
  assert.ok(existsSync(path), `${name} does not exist: run with UPDATE_GOLDEN=1 and read what it wrote`)
  assert.equal(text, readFileSync(path, 'utf8'), `${name} differs: if that is right, run with UPDATE_GOLDEN=1`)
}
