// The catalog's contract on an external catalog that is not ours: the reference's server, in Java.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { installRestCatalog, type RestCatalogServer, startRestCatalog } from '../../scripts/servers/rest-catalog.ts'
import { contract } from './catalogs.ts'
import { withExternal } from './external.ts'

const missing = installRestCatalog()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = missing && !isRequired ? `the REST catalog is not available: ${missing}` : false

describe("external catalog, the reference's", { skip }, () => {
  const warehouse = mkdtempSync(join(tmpdir(), 'rest-catalog-'))
  let server: RestCatalogServer | undefined
  before(async () => {
    server = await startRestCatalog(warehouse)
  })
  after(async () => {
    await server?.stop()
    rmSync(warehouse, { recursive: true })
  })
  let count = 0
  contract((name, body) => test(name, () => withExternal({ uri: server!.uri, namespace: ['shop', `t${count++}`], files: warehouse }, body)))
})
