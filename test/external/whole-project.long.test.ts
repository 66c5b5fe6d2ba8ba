// A project whose tables are in the reference's REST catalog, killed while it writes; PyIceberg reads them from there and has
// row for row what Millrace has.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { installRestCatalog, startRestCatalog } from '../../scripts/servers/rest-catalog.ts'
import { runWholeProject } from './whole-project.ts'

const python = installPyIceberg()
const missing = installRestCatalog() ?? ('missing' in python ? python.missing : undefined)
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = missing && !isRequired ? `the REST catalog or PyIceberg is not available: ${missing}` : false

test("PyIceberg reads from the reference's catalog what Millrace wrote, after kills", { skip, timeout: 300_000 }, async () => {
  assert.ok('python' in python && !missing, missing)
  const data = mkdtempSync(join(tmpdir(), 'external-'))
  const warehouse = mkdtempSync(join(tmpdir(), 'rest-catalog-'))
  const catalog = await startRestCatalog(warehouse)
  try {
    const wrote = await runWholeProject({ uri: catalog.uri, token: 'unasked', data })
    const read = spawnSync(python.python, [join(import.meta.dirname, 'read_catalog.py'), catalog.uri], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
    assert.equal(read.status, 0, read.stderr)
    const numbers = (rows: unknown[][]) =>
      rows.map((row) => row.map((value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value)))
    const seen = JSON.parse(read.stdout) as typeof wrote
    for (const table of ['clicks', 'people', 'pages'] as const) assert.deepEqual(seen[table], numbers(wrote[table]), table)
  } finally {
    await catalog.stop()
    for (const path of [data, warehouse]) rmSync(path, { recursive: true, force: true })
  }
})
