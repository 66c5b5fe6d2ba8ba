// The catalog's contract on those that need no foreign server; an external catalog is another Millrace here.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openStore } from '../../src/store/open-store.ts'
import { startCatalog, type TestCatalog } from '../iceberg/catalog.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'
import { contract, type Run } from './catalogs.ts'
import { withExternal } from './external.ts'

const onSqlite: Run = (name, body) =>
  test(name, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'catalog-'))
    const store = openStore(join(directory, 'control.db'))
    try {
      await body(store.catalog)
    } finally {
      await store.close()
      rmSync(directory, { recursive: true })
    }
  })

const onModel: Run = (name, body) => test(name, () => body(modelCatalog()))

describe('sqlite catalog', () => contract(onSqlite))
describe('model catalog', () => contract(onModel))

describe('external catalog, another Millrace', () => {
  let server: TestCatalog
  before(async () => {
    server = await startCatalog()
  })
  after(() => server.stop())
  let count = 0
  contract((name, body) =>
    test(name, () =>
      withExternal(
        {
          uri: `${server.server.url}/iceberg`,
          token: server.server.token,
          namespace: ['shop', `t${count++}`],
          files: join(server.data, 'lake'),
        },
        body,
      ),
    ),
  )
})
