// A relocated table read by PyIceberg: each snapshot and tag has the rows that it had at the old place, which is gone.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { movePositions } from '../../src/engine/move-positions.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { toPath } from '../../src/lake/location.ts'
import type { LakeTable } from '../../src/lake/types.ts'
import { makeOwnTable } from './own-table.ts'

const installed = installPyIceberg()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in installed && !isRequired ? `PyIceberg is not available: ${installed.missing}` : false

interface Answer {
  readonly table: { readonly snapshots: string[]; readonly current: string; readonly refs: Record<string, string> }
  readonly scans: readonly { readonly rows: readonly Record<string, string | null>[]; readonly files: string[] }[]
}

function ask(table: LakeTable): Answer {
  assert.ok('python' in installed)
  const scans = [{}, ...table.snapshots.map(({ id }) => ({ snapshot: String(id) }))]
  const input = JSON.stringify({ metadata: table.metadataLocation, scans })
  const script = join(dirname(fileURLToPath(import.meta.url)), 'read_table.py')
  const done = spawnSync(installed.python, [script], { input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  assert.equal(done.status, 0, done.stderr)
  return JSON.parse(done.stdout) as Answer
}

test('PyIceberg reads every snapshot of a relocated table', { skip }, async () => {
  await using engine = await openTestEngine()
  const { lake } = await makeOwnTable(engine, 'events')
  const before = await lake.table('events')
  const answers = ask(before)
  const [from, to] = [toPath(before.location).split('/').slice(0, -1).join('/'), join(engine.directory, '..', 'moved')]
  const done = await lake.relocate({
    from,
    to,
    copy: true,
    spool: tmpdir(),
    rewritePositions: (bytes, move) => movePositions(engine.engine, bytes, move),
  })
  assert.ok(done.files > 0 && done.tables === 1)
  rmSync(toPath(before.location), { recursive: true })
  const after = ask(await lake.table('events'))
  assert.deepEqual(after.table, answers.table)
  assert.ok(after.scans.length >= 3)
  const sorted = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort()
  for (const [index, { rows, files }] of after.scans.entries()) {
    assert.ok(rows.length > 0 && files.every((file) => file.includes('/moved/')), files[0])
    assert.deepEqual(sorted(rows), sorted(answers.scans[index]!.rows))
  }
})
