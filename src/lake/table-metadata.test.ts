// Metadata files: 63-bit ids byte for byte, fields of other writers kept, damage and other versions refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newMetadata } from './apply-definition.ts'
import { schemaToShape } from './schema-mapping.ts'
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
  extra: { 'of-others': 1 },
}

test('ids beyond 2^53 survive reading and writing byte for byte, as do fields that are not ours', () => {
  const text = printMetadata(full)
  assert.match(text, /"current-snapshot-id":9007199254740993,/)
  const parsed = parseMetadata(text, 'm')
  assert.equal(printMetadata(parsed), text)
  assert.deepEqual(parsed, full)
})

test('a column of no type is refused when it is read, not when its table is looked up', () => {
  const nested = { ...made, schemas: [{ ...made.schemas[0]!, fields: [{ id: 1, name: 'tags', required: false, type: { type: 'list' } }] }] }
  assert.throws(() => schemaToShape(toLakeTable('t', 'm', nested).schema), { code: 'MR_SCHEMA_TYPE', message: /tags/ })
})

test('the column that Java keeps the name of is called otherwise in metadata, and so in metadata alone', () => {
  const fields = [{ name: '_partition', type: { kind: 'int' as const }, optional: false }]
  const create = { name: 't', shape: { fields }, partition: [], cluster: [], key: [] }
  const metadata = newMetadata({ create, uuid: made['table-uuid'], location: 'file:///lake/t', nowMs: 5 })
  assert.equal(metadata.schemas[0]!.fields[0]!.name, '_log_partition')
  const named = (name: string): string => printMetadata(metadata).replace('"_log_partition"', JSON.stringify(name))
  for (const name of ['_log_partition', '_partition'])
    assert.equal(toLakeTable('t', 'm', parseMetadata(named(name), 'm')).schema.fields[0]!.name, '_partition')
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

test('version 1 is read as version 2 has it, and printed for readers of either', () => {
  const [schema, spec] = [made.schemas[0]!, made['partition-specs'][0]!]
  const old = {
    'format-version': 1,
    'table-uuid': made['table-uuid'],
    location: 'file:///lake/t',
    'last-updated-ms': 5,
    'last-column-id': 1,
    schema: { type: 'struct', fields: schema.fields },
    'partition-spec': spec.fields.map(({ 'field-id': _id, ...field }) => field),
    'current-snapshot-id': 7,
    snapshots: [{ 'snapshot-id': 7, 'timestamp-ms': 5, 'manifest-list': 'file:///l.avro' }],
  }
  const parsed = parseMetadata(JSON.stringify(old), 'm')
  assert.deepEqual(toLakeTable('t', 'm', parsed).spec.fields, [{ sourceId: 1, fieldId: 1000, name: 'id_bucket', transform: 'bucket[4]' }])
  assert.deepEqual(parsed.refs, { main: { 'snapshot-id': 7n, type: 'branch' } })
  const again = JSON.parse(printMetadata(parsed)) as Record<string, unknown>
  assert.deepEqual(again['schema'], { type: 'struct', 'schema-id': 0, fields: schema.fields })
  assert.deepEqual(again['partition-spec'], spec.fields)
  assert.deepEqual(parseMetadata(printMetadata(parsed), 'm'), parsed)
})

test('newer versions and other JSON are refused, naming the file', () => {
  assert.throws(() => parseMetadata(printMetadata({ ...made, 'format-version': 4 }), 'file:///m.json'), {
    code: 'MR_LAKE_VERSION',
    message: /m\.json.*version 4/,
  })
  for (const text of ['', '{', '[]', 'null', '{"a": 1}'])
    assert.throws(() => parseMetadata(text, 'file:///m.json'), { code: 'MR_LAKE_CORRUPT' })
  assert.throws(() => toLakeTable('t', 'm', { ...made, 'current-schema-id': 5 }), { code: 'MR_LAKE_CORRUPT' })
})
