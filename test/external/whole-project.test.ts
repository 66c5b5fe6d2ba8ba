// A project whose tables are in the catalog of another Millrace, killed while it writes. What it wrote is asked of that catalog.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCatalog } from '../iceberg/catalog.ts'
import { startServer } from '../server/server.ts'
import { runWholeProject } from './whole-project.ts'

test('every acknowledged row is once in the tables of another Millrace', async () => {
  const data = mkdtempSync(join(tmpdir(), 'external-'))
  const outer = await startCatalog({ MILLRACE_LAKE_LOCATIONS: data })
  try {
    const uri = `${outer.server.url}/iceberg`
    const wrote = await runWholeProject({ uri, token: outer.server.token, data })
    const counted = async (path: string) => {
      const { status, body } = await outer.send('GET', `/v1/namespaces/${path}`)
      assert.equal(status, 200)
      return body.metadata.snapshots.at(-1).summary['total-records']
    }
    assert.equal(await counted('ext%1Fshop/tables/clicks'), String(wrote.clicks.length))
    assert.equal(await counted('ext%1Fshop/tables/people'), '6')
    assert.deepEqual(
      wrote.people,
      Array.from({ length: 6 }, (_, id) => [id, 'life 3']),
    )
    assert.equal(await counted('ext%1Fshop%1Fmarts/tables/pages'), '3')
    // Its progress belongs to that catalog.
    const elsewhere = { CATALOG_URI: `${uri}/`, CATALOG_TOKEN: 'no' }
    const project = join(import.meta.dirname, 'project')
    await assert.rejects(startServer({ project, data, env: elsewhere }), /MR_CATALOG_DENIED/)
    await assert.rejects(
      startServer({ project, data, env: { ...elsewhere, CATALOG_URI: `${outer.server.url}/other` } }),
      /MR_CATALOG_REFUSED/,
    )
  } finally {
    await outer.stop()
    rmSync(data, { recursive: true, force: true })
  }
})
