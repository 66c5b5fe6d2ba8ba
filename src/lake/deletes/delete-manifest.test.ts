// Manifests of delete files: each kind as the specification writes it, and what is not known refused with its name.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../core/random.ts'
import { writeContainer } from '../avro/container.ts'
import { compileWriter } from '../avro/encode.ts'
import type { AvroValue } from '../avro/schema.ts'
import type { ManifestContext } from '../manifest.ts'
import { manifestSchema } from '../manifest-schema.ts'
import { FILE_PATH_ID, readDeleteManifest } from './delete-manifest.ts'

const SCHEMA = { id: 0, fields: [{ id: 1, name: 'id', type: 'long', required: true }], identifierIds: [] }
const CONTEXT: ManifestContext = { schema: SCHEMA, schemas: [SCHEMA], spec: { id: 0, fields: [] } }
const FROM = { path: '/t/metadata/d.avro', sequence: 7, snapshotId: 5n, specId: 0 }

type Given = { readonly [field: string]: AvroValue }

function read(file: Given) {
  const schema = manifestSchema(CONTEXT.spec, [], 3)
  const whole = {
    file_path: 'file:///t/data/d.parquet',
    file_format: 'PARQUET',
    partition: {},
    record_count: 3,
    file_size_in_bytes: 90,
    ...file,
  }
  const row = { status: 1, snapshot_id: null, sequence_number: null, file_sequence_number: null, data_file: whole }
  const bytes = writeContainer(schema, compileWriter(schema), [row], {}, seededRandom(1))
  return readDeleteManifest(bytes, FROM, CONTEXT)[0]!
}

const bound = (text: string): AvroValue => [{ key: FILE_PATH_ID, value: Buffer.from(text) }]
const counted: Given = { value_counts: [{ key: FILE_PATH_ID, value: 3 }], null_value_counts: [{ key: FILE_PATH_ID, value: 0 }] }

test('each kind, with what it inherits from its list', () => {
  const position = read({ content: 1 })
  assert.deepEqual([position.sequence, position.snapshotId, position.file.kind, position.file.dataFile], [7, 5n, 'position', null])
  assert.deepEqual([position.file.path, position.file.rows, position.file.sizeBytes], ['/t/data/d.parquet', 3, 90])
  const equality = read({ content: 2, equality_ids: [1, 4] })
  assert.deepEqual([equality.file.kind, equality.file.equalityIds], ['equality', [1, 4]])
  const vector = read({
    content: 1,
    file_format: 'puffin',
    referenced_data_file: 'file:/t/data/a.parquet',
    content_offset: 4,
    content_size_in_bytes: 40,
  })
  assert.deepEqual(
    [vector.file.kind, vector.file.dataFile, vector.file.offset, vector.file.lengthBytes],
    ['vector', '/t/data/a.parquet', 4, 40],
  )
})

test('the one data file of position deletes is known by name, or by bounds that leave no other', () => {
  const [a, b] = ['file:///t/data/a.parquet', 'file:///t/data/b.parquet']
  assert.equal(read({ content: 1, referenced_data_file: a }).file.dataFile, '/t/data/a.parquet')
  assert.equal(read({ content: 1, ...counted, lower_bounds: bound(a), upper_bounds: bound(a) }).file.dataFile, '/t/data/a.parquet')
  assert.equal(read({ content: 1, ...counted, lower_bounds: bound(a), upper_bounds: bound(b) }).file.dataFile, null)
  assert.equal(read({ content: 1, ...counted, lower_bounds: bound(a) }).file.dataFile, null)
})

test('unknown kinds are refused by name; a vector of no file is damage', () => {
  for (const given of [{ content: 3 }, { content: 0 }, { content: 2, file_format: 'PUFFIN' }])
    assert.throws(
      () => read(given),
      (error: { code: string; message: string; fix: string }) => {
        assert.equal(error.code, 'MR_LAKE_VERSION')
        assert.ok(error.message.includes(FROM.path) && error.message.includes('d.parquet') && error.fix, error.message)
        return true
      },
    )
  assert.throws(() => read({ content: 1, file_format: 'PUFFIN' }), { code: 'MR_LAKE_CORRUPT' })
  assert.equal(read({ content: 2, file_format: 'ORC' }).file.format, 'ORC')
})
