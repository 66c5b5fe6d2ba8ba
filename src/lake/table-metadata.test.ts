// Metadata files: 63-bit ids byte for byte, fields of other writers kept, damage and other versions refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newMetadata } from './apply-definition.ts'
import { parseMetadata, printMetadata, toLakeTable } from './table-metadata.ts'

const ID = 9_007_199_254_740_993n // 2^53 + 1
const PARENT = 4_611_686_018_427_387_903n // 2^62 - 1

const made = newMetadata({
  create: {
    name: 't',
    shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false, doc: 'the key' }] },
    partition: [{ transform: 'bucket', column: 'id', buckets: 4 }],
    cluster: ['id'],
    key: ['id'],
  },
  uuid: '01977420-dc00-7000-8000-000000000000',
  location: 'file:///lake/t',
  nowMs: 5,
})

const full = {
  ...made,
  'current-snapshot-id': ID,
  snapshots: [
    {
      'snapshot-id': ID,
      'parent-snapshot-id': PARENT,
      'sequence-number': 2,
      'timestamp-ms': 5,
      summary: { operation: 'append' },
      'manifest-list': 'file:///lake/t/metadata/l.avro',
      'schema-id': 0,
    },
  ],
  refs: { main: { 'snapshot-id': ID, type: 'branch' as const }, small: { 'snapshot-id': 12n, type: 'tag' as const, 'max-ref-age-ms': 9 } },
  'snapshot-log': [{ 'snapshot-id': ID, 'timestamp-ms': 5 }],
  statistics: [{ 'snapshot-id': PARENT, 'statistics-path': 'x' }],
}

test('ids beyond 2^53 survive reading and writing byte for byte, as do fields that are not ours', () => {
  const text = printMetadata(full)
  assert.match(text, /"current-snapshot-id":9007199254740993,/)
  const parsed = parseMetadata(text, 'm')
  assert.equal(printMetadata(parsed), text)
  assert.deepEqual(parsed, full)
})

test('the table that callers see', () => {
  const table = toLakeTable('t', 'file:///m', full)
  assert.equal(table.current!.id, ID)
  assert.equal(table.current!.parentId, PARENT)
  assert.deepEqual(table.refs['small'], { snapshotId: 12n, kind: 'tag' })
  assert.deepEqual(table.sort, [1])
  assert.deepEqual(table.spec, { id: 0, fields: [{ sourceId: 1, fieldId: 1000, name: 'id_bucket', transform: 'bucket[4]' }] })
  assert.deepEqual(table.schema.fields, [{ id: 1, name: 'id', type: 'long', required: true, doc: 'the key' }])
})

test('absent and null parts of other writers are read as none', () => {
  const { refs: _refs, snapshots: _snapshots, 'snapshot-log': _log, 'metadata-log': _metadata, properties: _properties, ...rest } = made
  const parsed = parseMetadata(JSON.stringify({ ...rest, 'current-snapshot-id': null }), 'm')
  assert.equal(parsed['current-snapshot-id'], -1n)
  assert.equal(toLakeTable('t', 'm', parsed).current, null)
  assert.deepEqual(parsed.properties, {})
})

test('other versions, other JSON and nested columns are refused, naming the file', () => {
  assert.throws(() => parseMetadata(printMetadata({ ...made, 'format-version': 3 }), 'file:///m.json'), {
    code: 'MR_LAKE_VERSION',
    message: /m\.json.*version 3/,
  })
  for (const text of ['', '{', '[]', 'null', '{"a": 1}'])
    assert.throws(() => parseMetadata(text, 'file:///m.json'), { code: 'MR_LAKE_CORRUPT' })
  const nested = { ...made, schemas: [{ ...made.schemas[0]!, fields: [{ id: 1, name: 'tags', required: false, type: { type: 'list' } }] }] }
  assert.throws(() => toLakeTable('t', 'm', nested), { code: 'MR_SCHEMA_TYPE', message: /tags/ })
  assert.throws(() => toLakeTable('t', 'm', { ...made, 'current-schema-id': 5 }), { code: 'MR_LAKE_CORRUPT' })
})
