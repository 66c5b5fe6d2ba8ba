// Updates of view metadata: versions and schemas are found again, dialects are not lost, old versions are forgotten.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Update } from '../updates/update.ts'
import { applyViewUpdates, checkViewRequirements } from './apply-view-updates.ts'
import { parseView, type ViewMetadata } from './view-metadata.ts'

const UUID = '01977420-dc00-7000-8000-000000000000'
const schema = (...names: string[]) => ({
  type: 'struct',
  fields: names.map((name, index) => ({ id: index + 1, name, required: false, type: 'long' })),
})
const version = (id: number, sql: Record<string, string>, more: object = {}): Update => ({
  action: 'add-view-version',
  'view-version': {
    'version-id': id,
    'schema-id': -1,
    'timestamp-ms': 100 + id,
    summary: {},
    representations: Object.entries(sql).map(([dialect, text]) => ({ type: 'sql', sql: text, dialect })),
    'default-namespace': ['n'],
    ...more,
  },
})
const current = (id: number): Update => ({ action: 'set-current-view-version', 'view-version-id': id })

const made = applyViewUpdates(
  undefined,
  [
    { action: 'assign-uuid', uuid: UUID },
    { action: 'set-location', location: 'file:///lake/v/' },
    { action: 'add-schema', schema: schema('a') },
    version(1, { spark: 'SELECT 1' }),
    current(-1),
  ],
  5,
)
const apply = (...updates: Update[]): ViewMetadata => applyViewUpdates(made, updates, 9)
const refused = (...updates: Update[]) => assert.throws(() => apply(...updates), { code: 'MR_LAKE_UPDATE' })

test('a new view has one version, which is current since it was made', () => {
  assert.deepEqual([made['current-version-id'], made.location, made.schemas[0]!['schema-id']], [1, 'file:///lake/v', 0])
  assert.deepEqual(made['version-log'], [{ 'timestamp-ms': 101, 'version-id': 1 }])
  assert.deepEqual(parseView(JSON.stringify(made), 'v'), made)
  assert.throws(() => applyViewUpdates(undefined, [{ action: 'assign-uuid', uuid: UUID }], 5), { code: 'MR_LAKE_UPDATE' })
})

test('another version is added and made current; back to an older one is a change of now', () => {
  const two = apply({ action: 'add-schema', schema: schema('a', 'b') }, version(2, { spark: 'SELECT 2' }), current(-1))
  assert.deepEqual([two['current-version-id'], two.versions.length, two.versions[1]!['schema-id']], [2, 2, 1])
  const back = applyViewUpdates(two, [current(1)], 50)
  assert.deepEqual(back['version-log'].at(-1), { 'timestamp-ms': 50, 'version-id': 1 })
  const same = apply({ action: 'add-schema', schema: schema('a') }, version(7, { spark: 'SELECT 1' }), current(-1))
  assert.equal(same, made, 'the same version and schema are found again, and nothing changes')
  const taken = apply({ action: 'add-schema', schema: schema('a') }, version(1, { spark: 'SELECT 3' }), current(-1))
  assert.equal(taken['current-version-id'], 2, 'an id that is taken becomes the next')
})

test('no dialect is lost unless the view says that it may be', () => {
  const trino = [{ action: 'add-schema', schema: schema('a') }, version(2, { trino: 'SELECT 1' }), current(-1)]
  refused(...trino)
  assert.equal(apply({ action: 'set-properties', updates: { 'replace.drop-dialect.allowed': 'true' } }, ...trino)['current-version-id'], 2)
  refused({ action: 'add-schema', schema: schema('a') }, version(2, { spark: 'SELECT 1', SPARK: 'SELECT 2' }))
})

test('old versions are forgotten, and the log with them', () => {
  let view = apply({ action: 'set-properties', updates: { 'version.history.num-entries': '2' } })
  for (const id of [2, 3, 4])
    view = applyViewUpdates(view, [{ action: 'add-schema', schema: schema('a') }, version(id, { spark: `SELECT ${id}` }), current(-1)], 9)
  assert.deepEqual(
    view.versions.map((one) => one['version-id']),
    [3, 4],
  )
  assert.deepEqual(
    view['version-log'].map((one) => one['version-id']),
    [3, 4],
  )
  refused({ action: 'set-properties', updates: { 'version.history.num-entries': '0' } })
})

test('what cannot be is refused', () => {
  refused({ action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' })
  refused({ action: 'upgrade-format-version', 'format-version': 2 })
  refused(current(5))
  refused(current(-1))
  refused(version(2, { spark: 'SELECT 2' }))
  refused(version(2, { spark: 'SELECT 2' }, { 'schema-id': 8 }))
  checkViewRequirements(made, [{ type: 'assert-view-uuid', uuid: UUID.toUpperCase() }])
  assert.throws(() => checkViewRequirements(made, [{ type: 'assert-view-uuid', uuid: 'x' }]), { code: 'MR_LAKE_CONFLICT' })
  for (const text of ['', '[]', '{}']) assert.throws(() => parseView(text, 'v'), { code: 'MR_LAKE_CORRUPT' })
  assert.throws(() => parseView(JSON.stringify({ ...made, 'format-version': 2 }), 'v'), { code: 'MR_LAKE_VERSION' })
})
