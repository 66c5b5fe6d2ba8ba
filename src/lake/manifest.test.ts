// Manifests and lists: every type of partition value and all statistics come back; entries inherit what the list says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../core/random.ts'
import { readContainer, writeContainer } from './avro/container.ts'
import { compileWriter } from './avro/encode.ts'
import { ADDED, DELETED, EXISTING, type ManifestEntry, readManifest, writeManifest } from './manifest.ts'
import { describeManifest, readManifestList, writeManifestList } from './manifest-list.ts'
import { avroName, manifestSchema } from './manifest-schema.ts'
import { partitionFromText, partitionTypes } from './partition-spec.ts'
import type { ColumnStats, LakeField, LakeSchema, LakeSpec, PartitionValue } from './types.ts'
import { decodeValue } from './value/single-value.ts'

const TYPES = [
  'boolean',
  'int',
  'long',
  'date',
  'time',
  'timestamptz',
  'string',
  'uuid',
  'decimal(12, 2)',
  'decimal(38, 5)',
  'binary',
  'fixed[4]',
]
const TEXTS: readonly (readonly [string, string])[] = [
  ['true', 'false'],
  ['-7', '3'],
  ['4611686018427387905', '9'],
  ['1969-12-31', '2024-02-29'],
  ['23:59:59.999999', '00:00:00'],
  ['1969-12-31 23:59:59.999999+00', '2024-02-29 12:00:00+00'],
  ['über', ''],
  ['f79c3e09-677c-4bbd-a479-3f349cb785e7', '00000000-0000-0000-0000-000000000000'],
  ['-0.05', '12.30'],
  ['-12345678901234567890.5', '1'],
  ['00ff', ''],
  ['00010203', 'ffffffff'],
]

const schema: LakeSchema = {
  id: 3,
  fields: TYPES.map((type, i): LakeField => ({ id: i + 1, name: `c${i}`, type, required: false })),
  identifierIds: [],
}
const spec: LakeSpec = {
  id: 2,
  fields: TYPES.map((_type, i) => ({ sourceId: i + 1, fieldId: 1000 + i, name: `c${i}`, transform: 'identity' })),
}
const context = { schema, schemas: [schema], spec, formatVersion: 2 }
const partition = (side: 0 | 1 | null): Record<string, PartitionValue> =>
  partitionFromText(context, spec, Object.fromEntries(spec.fields.map((field, i) => [field.name, side === null ? null : TEXTS[i]![side]])))

const stats: ColumnStats = { sizeBytes: 10, values: 5, nulls: 1, nans: 0, lower: Buffer.from([1]), upper: Buffer.from([2, 3]) }
const entry = (status: ManifestEntry['status'], side: 0 | 1 | null): ManifestEntry => ({
  status,
  snapshotId: 2n ** 61n + 1n,
  sequence: 7,
  fileSequence: 7,
  sortOrderId: 1,
  file: {
    path: `/lake/t/data/with space/${side}.parquet`,
    rows: 5,
    sizeBytes: 2 ** 33,
    specId: 2,
    partition: partition(side),
    columns: new Map([
      [1, stats],
      [2, { sizeBytes: 1, values: 5, nulls: 5 }],
    ]),
    splitOffsets: [4, 2 ** 33],
  },
})

const from = { path: '/lake/t/metadata/m.avro', sequence: 9, snapshotId: 77n, specId: 2 }

test('entries of all partition types come back as they were', () => {
  const entries = [entry(EXISTING, 0), entry(DELETED, 1), entry(EXISTING, null)]
  const bytes = writeManifest(entries, context, seededRandom(1))
  assert.deepEqual(readManifest(bytes, from, context), entries)
})

test('a new entry carries no sequence number and takes that of its list', () => {
  const bytes = writeManifest([entry(ADDED, 0)], context, seededRandom(1))
  const row = readContainer(bytes, 'm').rows[0] as { sequence_number: unknown }
  assert.equal(row.sequence_number, null)
  const [read] = readManifest(bytes, from, context)
  assert.equal(read!.sequence, 9)
  assert.equal(read!.fileSequence, 9)
})

test('the header names schema, spec and content as readers need them', () => {
  const { meta } = readContainer(writeManifest([], context, seededRandom(1)), 'm')
  assert.equal(meta.get('content'), 'data')
  assert.equal(meta.get('format-version'), '2')
  assert.equal(meta.get('partition-spec-id'), '2')
  assert.equal(JSON.parse(meta.get('schema')!)['schema-id'], 3)
  assert.equal(JSON.parse(meta.get('partition-spec')!)[0].transform, 'identity')
})

test('a list describes its manifests: counts, least sequence, range of each partition field', () => {
  const entries = [entry(ADDED, 0), entry(EXISTING, 1), { ...entry(DELETED, null), sequence: 1 }]
  const types = partitionTypes(spec, [schema])
  const written = { path: from.path, sizeBytes: 100, specId: 2, content: 0, sequence: 9, snapshotId: 2n ** 61n }
  const manifest = describeManifest(entries, written, { names: spec.fields.map((field) => field.name), types })
  assert.deepEqual(manifest.files, { added: 1, existing: 1, deleted: 1 })
  assert.deepEqual(manifest.rows, { added: 5, existing: 5, deleted: 5 })
  assert.equal(manifest.minSequence, 7, 'a deleted entry does not count')
  const ranges = manifest.partitions!.map((summary, i) => [decodeValue(types[i]!, summary.lower!), decodeValue(types[i]!, summary.upper!)])
  for (const [i, field] of spec.fields.entries()) {
    const [a, b] = [partition(0)[field.name]!, partition(1)[field.name]!]
    assert.deepEqual(ranges[i], a < b ? [a, b] : [b, a], types[i])
    assert.equal(manifest.partitions![i]!.containsNull, true)
  }
  const bytes = writeManifestList([manifest], { id: 5n, parentId: null, sequence: 9 }, seededRandom(1))
  const [read] = readManifestList(bytes, 'l')
  const plain = (summary: { lower: Uint8Array | null; upper: Uint8Array | null }) => [[...summary.lower!], [...summary.upper!]]
  assert.deepEqual(read!.partitions!.map(plain), manifest.partitions!.map(plain))
  assert.deepEqual({ ...read, partitions: null }, { ...manifest, partitions: null })
  assert.equal(readContainer(bytes, 'l').meta.get('parent-snapshot-id'), 'null')
})

test('delete files and damage are refused by name; files of other formats stay what they are', () => {
  const avro = manifestSchema(spec, partitionTypes(spec, [schema]), 2)
  const [row] = readContainer(writeManifest([entry(ADDED, 0)], context, seededRandom(1)), 'm').rows as [{ data_file: object }]
  const changed = (change: object) =>
    writeContainer(avro, compileWriter(avro), [{ ...row, data_file: { ...row.data_file, ...change } }], {}, seededRandom(1))
  assert.equal(readManifest(changed({}), from, context).length, 1)
  assert.throws(() => readManifest(changed({ content: 1 }), from, context), { code: 'MR_LAKE_VERSION', message: /m\.avro.*0\.parquet/ })
  const orc = readManifest(changed({ file_format: 'orc' }), from, context)
  assert.deepEqual(readManifest(writeManifest(orc, context, seededRandom(1)), from, context), orc)
  assert.equal(orc[0]!.file.format, 'ORC')
  assert.throws(() => readManifest(Buffer.from('junk'), from, context), { code: 'MR_LAKE_CORRUPT', message: /m\.avro/ })
})

test('partition values that are not of their type, or missing, are refused', () => {
  const day: LakeSpec = { id: 0, fields: [{ sourceId: 6, fieldId: 1000, name: 'd', transform: 'day' }] }
  assert.deepEqual(partitionFromText(context, day, { d: '2024-02-29' }), { d: 19_782 })
  assert.deepEqual(partitionFromText(context, day, { d: '19782' }), { d: 19_782 })
  assert.deepEqual(partitionFromText(context, day, { d: null }), { d: null })
  for (const texts of [{}, { d: 'soon' }, { d: 'infinity' }] as Record<string, string>[]) {
    assert.throws(() => partitionFromText(context, day, texts), { code: 'MR_LAKE_SPEC' })
  }
})

test('names that Avro does not allow are written as other writers do', () => {
  assert.equal(avroName('a.b'), 'a_x2Eb')
  assert.equal(avroName('9a'), '_9a')
  assert.equal(avroName('plain_1'), 'plain_1')
})
