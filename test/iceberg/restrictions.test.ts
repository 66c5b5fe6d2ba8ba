// Read restrictions over HTTP: an engine marked as trusted gets the files of a table with a policy, and what to leave out; everybody
// else, and every rule that the protocol has no words for, stays refused. That the words are exact is in `test/access/restrictions.test.ts`.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Body, type Send, startCatalog, type TestCatalog } from './catalog.ts'

let catalog: TestCatalog
let seller: Send
let trusted: Send
before(async () => {
  catalog = await startCatalog()
  seller = await catalog.with({ country: 'FR' }, 'seller')
  trusted = await catalog.with({ country: 'FR' }, 'seller', 'engine')
})
after(() => catalog.stop())

const main = '/v1/namespaces/main/tables'
const idOf = (body: Body, column: string): number => {
  const { schemas, 'current-schema-id': current } = body.metadata
  const { fields } = schemas.find((schema: Body) => schema['schema-id'] === current)
  return fields.find(({ name }: Body) => name === column).id
}

test('a trusted engine gets the table with the rows and columns to leave out', async () => {
  const { status, body } = await trusted('GET', `${main}/visits`)
  assert.equal(status, 200, JSON.stringify(body))
  const [country, spent, born, mail] = ['country', 'spent', 'born', 'mail'].map((column) => idOf(body, column))
  const reference = (id: number | undefined) => ({ type: 'reference', id })
  assert.deepEqual(body['read-restrictions'], {
    'required-column-projections': [
      { 'field-id': born, action: 'truncate-to-year' },
      { 'field-id': mail, action: 'replace-with-null' },
    ],
    'required-row-filter': {
      type: 'or',
      left: { type: 'eq', left: reference(country), right: { type: 'literal', value: 'FR' } },
      right: {
        type: 'and',
        left: { type: 'not-null', child: reference(spent) },
        right: { type: 'lt', left: reference(spent), right: { type: 'literal', value: '10.00' } },
      },
    },
  })
  const audit = await catalog.server.sql(
    "SELECT outcome FROM millrace.audit WHERE action = 'iceberg:read restrictions' AND object = 'main.visits'",
  )
  assert.deepEqual(audit, [['ok']])
})

test('nobody else gets it, and it takes no commits of the engine', async () => {
  assert.equal((await seller('GET', `${main}/visits`)).status, 403)
  const alone = await catalog.as('engine')
  assert.equal((await alone('GET', `${main}/visits`)).status, 403, 'trust grants nothing')
  const property = { updates: [{ action: 'set-properties', updates: { a: 'b' } }] }
  assert.equal((await trusted('POST', `${main}/visits`, property)).status, 403)
  assert.equal((await trusted('POST', `${main}/visits/metrics`, {})).status, 204)
  const { body } = await catalog.send('GET', `${main}/visits`)
  assert.equal(body['read-restrictions'], undefined, 'an administrator is not restricted')
})

test('what the protocol has no words for is refused, with the part that it is', async () => {
  const { status, type, body } = await trusted('GET', `${main}/letters`)
  assert.deepEqual([status, type], [403, 'ForbiddenException'])
  assert.match(body.error.message, /letters .*read restrictions cannot say: the mask last4 of the column "phone".*POST \/sql/)
})

test('whoever has the table under other restrictions is not told that it is current', async () => {
  const first = await trusted('GET', `${main}/visits`)
  const etag = first.headers.get('etag')!
  assert.equal((await trusted('GET', `${main}/visits`, undefined, { 'if-none-match': etag })).status, 304)
  const german = await catalog.with({ country: 'DE' }, 'seller', 'engine')
  const other = await german('GET', `${main}/visits`, undefined, { 'if-none-match': etag })
  assert.equal(other.status, 200)
  assert.equal(other.body['read-restrictions']['required-row-filter'].left.right.value, 'DE')
  assert.notEqual((await catalog.send('GET', `${main}/visits`)).headers.get('etag'), etag)
})
