// What tables of others in the same namespace may be like.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExternalEntries } from './external-entries.ts'
import type { RestClient } from './rest-client.ts'

/** Stands for a table that the catalog lists and does not let us load. */
const DENIED = {}

test('a table of a version to come, and one that is denied, hide no other', async () => {
  const tables: Readonly<Record<string, object>> = {
    new: { 'format-version': 4, 'table-uuid': 'u', location: 'file:/x' },
    old: { 'format-version': 2, 'current-snapshot-id': 9_007_199_254_740_993n },
    empty: { 'format-version': 2, 'current-snapshot-id': -1 },
    secret: DENIED,
    fresh: { 'format-version': 2, 'current-snapshot-id': null },
  }
  const client: RestClient = {
    has: () => false,
    separator: '%1F',
    call: async (_method, path) => {
      const metadata = tables[path.split('/').at(-1)!]
      if (metadata === DENIED) return { status: 403, body: {} }
      return metadata ? { status: 200, body: { 'metadata-location': `file:/${path}`, metadata } } : { status: 404, body: {} }
    },
    list: async (path) => (path.endsWith('/tables') ? Object.keys(tables).map((name) => ({ namespace: ['root'], name })) : []),
  }
  const entries = new ExternalEntries(client, ['root'])
  const { pointers, denied } = await entries.pointers()
  assert.deepEqual(denied, ['secret'])
  assert.deepEqual(
    pointers.map(({ name, snapshotId }) => [name, snapshotId]),
    [
      ['empty', null],
      ['fresh', null],
      ['new', null],
      ['old', '9007199254740993'],
    ],
  )
  await assert.rejects(entries.table('new'), { code: 'MR_LAKE_VERSION' })
})
