// Updates of table metadata: every kind of the specification does what it says or is refused, and whatever a client sends,
// what comes out is a table.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseMetadata, printMetadata, type TableMetadata } from '../table-metadata.ts'
import { applyUpdates } from './apply-updates.ts'
import { checkRequirements } from './check-requirements.ts'
import { newTable } from './new-table.ts'
import { readRequirements, readUpdates, TABLE_REQUIREMENTS, TABLE_UPDATES, type Update } from './update.ts'

const NOW = 1_000
const UUID = '01977420-dc00-7000-8000-000000000000'
const field = (id: number, name: string, type: unknown = 'long') => ({ id, name, required: false, type })
const schema = (...fields: ReturnType<typeof field>[]) => ({ type: 'struct' as const, 'schema-id': 0, fields })

const table = newTable(
  { schema: schema(field(7, 'id'), field(9, 'at', 'timestamptz')) },
  { uuid: UUID, location: 'file:///lake/t', nowMs: 1 },
)
const apply = (...updates: Update[]): TableMetadata => applyUpdates(table, updates, NOW)
const snapshot = (id: number | bigint, more: object = {}): Update => ({
  action: 'add-snapshot',
  snapshot: {
    'snapshot-id': id,
    'sequence-number': Number(id),
    'timestamp-ms': 500 + Number(id),
    'manifest-list': 'file:///lake/t/metadata/l.avro',
    summary: { operation: 'append' },
    ...more,
  },
})
const ref = (name: string, id: number | bigint, more: object = {}): Update => ({
  action: 'set-snapshot-ref',
  'ref-name': name,
  type: 'branch',
  'snapshot-id': id,
  ...more,
})
const refused = (code: string, ...updates: Update[]) => assert.throws(() => apply(...updates), { code })

test('columns are numbered anew, nested ones after those beside them, and what names them follows', () => {
  const inner = {
    type: 'struct',
    fields: [
      field(30, 'x'),
      { ...field(31, 'tags'), type: { type: 'list', 'element-id': 40, element: 'string', 'element-required': false } },
    ],
  }
  const made = newTable(
    {
      schema: { ...schema(field(3, 'id'), field(20, 'place', inner), field(5, 'day', 'date')), 'identifier-field-ids': [3] },
      'partition-spec': { 'spec-id': 4, fields: [{ 'source-id': 5, 'field-id': 2000, name: 'day', transform: 'identity' }] },
      'write-order': { 'order-id': 3, fields: [{ 'source-id': 30, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }] },
      properties: { 'format-version': '3', owner: 'x' },
    },
    { uuid: UUID, location: 'file:///lake/t/', nowMs: 1 },
  )
  assert.deepEqual(
    made.schemas[0]!.fields.map(({ id }) => id),
    [1, 2, 3],
  )
  assert.deepEqual(made.schemas[0]!.fields[1]!.type, {
    type: 'struct',
    fields: [field(4, 'x'), { ...field(5, 'tags'), type: { type: 'list', 'element-id': 6, element: 'string', 'element-required': false } }],
  })
  assert.equal(made['last-column-id'], 6)
  assert.deepEqual(made.schemas[0]!['identifier-field-ids'], [1])
  assert.deepEqual(made['partition-specs'], [
    { 'spec-id': 0, fields: [{ 'source-id': 3, name: 'day', transform: 'identity', 'field-id': 1000 }] },
  ])
  assert.equal(made['sort-orders'][0]!.fields[0]!['source-id'], 4)
  assert.deepEqual([made['format-version'], made['next-row-id'], made.properties], [3, 0, { owner: 'x' }])
  assert.equal(made.location, 'file:///lake/t')
})

test('schemas: a new one gets the next id, an equal one is found again, -1 is the last that was added', () => {
  const wider = { action: 'add-schema', schema: schema(field(1, 'id'), field(2, 'at', 'timestamptz'), field(5, 'x', 'string')) }
  const made = apply(wider, { action: 'set-current-schema', 'schema-id': -1 })
  assert.deepEqual([made['current-schema-id'], made['last-column-id'], made.schemas.length], [1, 5, 2])
  const back = applyUpdates(
    made,
    [
      { action: 'add-schema', schema: table.schemas[0] },
      { action: 'set-current-schema', 'schema-id': -1 },
    ],
    NOW,
  )
  assert.deepEqual([back['current-schema-id'], back['last-column-id'], back.schemas.length], [0, 5, 2])
  assert.equal(applyUpdates(made, [{ action: 'remove-schemas', 'schema-ids': [0] }], NOW).schemas.length, 1)
  refused('MR_LAKE_UPDATE', { action: 'set-current-schema', 'schema-id': -1 })
  refused('MR_LAKE_UPDATE', { action: 'set-current-schema', 'schema-id': 4 })
  refused('MR_LAKE_UPDATE', { action: 'remove-schemas', 'schema-ids': [0] })
  for (const fields of [
    [field(1, 'a'), field(1, 'b')],
    [field(1, 'a'), field(2, 'a')],
    [field(1, 'a', 'money')],
    [field(1, 'a', 'variant')],
    [field(1, 'a', { type: 'list' })],
  ])
    refused('MR_LAKE_UPDATE', { action: 'add-schema', schema: schema(...fields) })
})

test('partition specs and sort orders: ids go up, equal ones are found again, their columns exist', () => {
  const day = { action: 'add-spec', spec: { fields: [{ 'source-id': 2, name: 'at_day', transform: 'day' }] } }
  const made = apply(day, { action: 'set-default-spec', 'spec-id': -1 }, day, { action: 'set-default-spec', 'spec-id': -1 })
  assert.deepEqual([made['default-spec-id'], made['last-partition-id'], made['partition-specs'].length], [1, 1000, 2])
  assert.equal(made['partition-specs'][1]!.fields[0]!['field-id'], 1000)
  const again = applyUpdates(
    made,
    [
      { action: 'set-default-spec', 'spec-id': 0 },
      { action: 'remove-partition-specs', 'spec-ids': [1] },
    ],
    NOW,
  )
  assert.deepEqual([again['partition-specs'].length, again['last-partition-id']], [1, 1000])
  refused('MR_LAKE_UPDATE', { action: 'remove-partition-specs', 'spec-ids': [0] })
  const wrong = { action: 'add-spec', spec: { fields: [{ 'source-id': 8, name: 'x', transform: 'day' }] } }
  refused('MR_LAKE_UPDATE', wrong, { action: 'set-default-spec', 'spec-id': -1 })
  refused('MR_LAKE_UPDATE', { action: 'set-default-spec', 'spec-id': -1 })
  refused(
    'MR_LAKE_UPDATE',
    { ...day, spec: { fields: [{ 'source-id': 2, name: 'x', transform: 'week' }] } },
    { action: 'set-default-spec', 'spec-id': -1 },
  )
  const order = {
    action: 'add-sort-order',
    'sort-order': { fields: [{ 'source-id': 1, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }] },
  }
  const sorted = apply(order, { action: 'set-default-sort-order', 'sort-order-id': -1 }, order)
  assert.deepEqual([sorted['default-sort-order-id'], sorted['sort-orders'].length], [1, 2])
  refused('MR_LAKE_UPDATE', { action: 'set-default-sort-order', 'sort-order-id': 5 })
  const drop = [
    { action: 'add-schema', schema: schema(field(1, 'id')) },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  assert.throws(() => applyUpdates(made, drop, NOW), { code: 'MR_LAKE_UPDATE', message: /at_day/ })
})

test('snapshots and refs: the log says what was current and when', () => {
  const first = apply(snapshot(1), ref('main', 1))
  assert.deepEqual([first['current-snapshot-id'], first['last-sequence-number'], first['last-updated-ms']], [1n, 1, NOW])
  assert.deepEqual(first['snapshot-log'], [{ 'snapshot-id': 1n, 'timestamp-ms': 501 }])
  const three = applyUpdates(
    first,
    [snapshot(2, { 'parent-snapshot-id': 1 }), ref('main', 2), snapshot(3, { 'parent-snapshot-id': 2 }), ref('main', 3)],
    NOW,
  )
  assert.deepEqual(
    three['snapshot-log'].map((entry) => entry['snapshot-id']),
    [1n, 3n],
    'what was current on the way only is not in it',
  )
  assert.equal(apply(snapshot(1, { 'timestamp-ms': 9_999 }), ref('main', 1))['last-updated-ms'], 9_999, 'a clock that is ahead')
  const back = applyUpdates(three, [ref('main', 1), ref('old', 2, { type: 'tag', 'max-ref-age-ms': 5 })], 2_000)
  assert.deepEqual(back['snapshot-log'].at(-1), { 'snapshot-id': 1n, 'timestamp-ms': 2_000 })
  assert.deepEqual(back.refs['old'], { type: 'tag', 'snapshot-id': 2n, 'max-ref-age-ms': 5 })
  const shorter = applyUpdates(back, [{ action: 'remove-snapshots', 'snapshot-ids': [3, 2n] }], 3_000)
  assert.deepEqual([shorter.snapshots.length, Object.keys(shorter.refs)], [1, ['main']])
  assert.deepEqual(shorter['snapshot-log'], [{ 'snapshot-id': 1n, 'timestamp-ms': 2_000 }], 'nothing before a gap')
  const empty = applyUpdates(shorter, [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }], 3_000)
  assert.deepEqual([empty['current-snapshot-id'], empty.refs], [-1n, {}])
  refused('MR_LAKE_UPDATE', ref('main', 9))
  refused('MR_LAKE_UPDATE', snapshot(1), snapshot(1))
  refused('MR_LAKE_UPDATE', snapshot(1), ref('main', 1, { type: 'tag' }))
  refused('MR_LAKE_CONFLICT', snapshot(5), snapshot(6, { 'sequence-number': 5, 'parent-snapshot-id': 5 }))
})

test('version 3 counts rows, and says so when a client is behind', () => {
  const version3 = apply({ action: 'upgrade-format-version', 'format-version': 3 })
  const rows = (id: number, first: number, added: number) => snapshot(id, { 'first-row-id': first, 'added-rows': added })
  const one = applyUpdates(version3, [rows(1, 0, 10), ref('main', 1)], NOW)
  assert.equal(one['next-row-id'], 10)
  assert.equal(applyUpdates(one, [rows(2, 10, 5)], NOW)['next-row-id'], 15)
  assert.throws(() => applyUpdates(one, [rows(2, 9, 5)], NOW), { code: 'MR_LAKE_CONFLICT' })
  assert.throws(() => applyUpdates(one, [snapshot(2)], NOW), { code: 'MR_LAKE_UPDATE' })
  assert.throws(() => applyUpdates(one, [{ action: 'upgrade-format-version', 'format-version': 2 }], NOW), { code: 'MR_LAKE_UPDATE' })
  refused('MR_LAKE_UPDATE', { action: 'upgrade-format-version', 'format-version': 4 })
})

test('properties, statistics, keys, location, uuid', () => {
  const made = apply(
    { action: 'set-properties', updates: { a: '1', b: '2' } },
    { action: 'remove-properties', removals: ['a', 'none'] },
    { action: 'set-location', location: 'file:///lake/u/' },
    { action: 'set-statistics', statistics: { 'snapshot-id': 1, 'statistics-path': 'p' } },
    { action: 'set-statistics', statistics: { 'snapshot-id': 1, 'statistics-path': 'q' } },
    { action: 'set-partition-statistics', 'partition-statistics': { 'snapshot-id': 2, 'statistics-path': 'r' } },
    { action: 'add-encryption-key', 'encryption-key': { 'key-id': 'k' } },
    { action: 'add-encryption-key', 'encryption-key': { 'key-id': 'k' } },
    { action: 'assign-uuid', uuid: UUID.toUpperCase() },
  )
  assert.deepEqual([made.properties, made.location], [{ b: '2' }, 'file:///lake/u'])
  assert.deepEqual(made.statistics, [{ 'snapshot-id': 1n, 'statistics-path': 'q' }])
  assert.deepEqual(made['partition-statistics'], [{ 'snapshot-id': 2n, 'statistics-path': 'r' }])
  assert.deepEqual(made['encryption-keys'], [{ 'key-id': 'k' }])
  const less = applyUpdates(
    made,
    [
      { action: 'remove-statistics', 'snapshot-id': 1 },
      { action: 'remove-partition-statistics', 'snapshot-id': 2 },
      { action: 'remove-encryption-key', 'key-id': 'k' },
    ],
    NOW,
  )
  assert.deepEqual([less.statistics, less['partition-statistics'], less['encryption-keys']], [[], [], []])
  refused('MR_LAKE_UPDATE', { action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' })
  refused('MR_LAKE_UPDATE', { action: 'set-properties', updates: { a: 1 } })
})

test('what changes nothing gives the same metadata back, so that nothing is written', () => {
  assert.equal(apply(), table)
  assert.equal(apply({ action: 'set-current-schema', 'schema-id': 0 }, { action: 'set-properties', updates: {} }), table)
})

test('each requirement holds or tells what has changed', () => {
  const made = apply(snapshot(1), ref('main', 1))
  const check = (base: TableMetadata | undefined, ...requirements: object[]) =>
    checkRequirements('n.t', base, readRequirements(requirements, TABLE_REQUIREMENTS))
  check(
    made,
    { type: 'assert-table-uuid', uuid: UUID.toUpperCase() },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1 },
    { type: 'assert-ref-snapshot-id', ref: 'other', 'snapshot-id': null },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 2 },
    { type: 'assert-current-schema-id', 'current-schema-id': 0 },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 },
    { type: 'assert-default-spec-id', 'default-spec-id': 0 },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': 0 },
  )
  check(undefined, { type: 'assert-create' })
  for (const wrong of [
    { type: 'assert-table-uuid', uuid: 'x' },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 2 },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
    { type: 'assert-ref-snapshot-id', ref: 'constructor', 'snapshot-id': 1 },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 3 },
    { type: 'assert-current-schema-id', 'current-schema-id': 1 },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 1000 },
    { type: 'assert-default-spec-id', 'default-spec-id': 1 },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': 1 },
  ])
    assert.throws(() => check(made, wrong), { code: 'MR_LAKE_CONFLICT', message: /^Requirement failed/ }, wrong.type)
  assert.throws(() => check(made, { type: 'assert-create' }), { code: 'MR_LAKE_TABLE_EXISTS' })
  assert.throws(() => check(undefined, { type: 'assert-table-uuid', uuid: UUID }), { code: 'MR_LAKE_TABLE_UNKNOWN' })
})

test('whatever the updates are, they are refused or what comes out is a table that says the same when read again', () => {
  const small = fc.integer({ min: -1, max: 4 })
  const one = fc.oneof(
    fc.record({
      action: fc.constantFrom(...Object.keys(TABLE_UPDATES)),
      uuid: fc.constant(UUID),
      location: fc.constantFrom('file:///lake/a', 'file:///lake/b'),
    }),
    small.map((id) => ({ action: 'set-current-schema', 'schema-id': id })),
    small.map((id) => ({ action: 'set-default-spec', 'spec-id': id })),
    small.map((id) => snapshot(id)),
    fc.tuple(fc.constantFrom('main', 'b', '__proto__'), small).map(([name, id]) => ref(name, id)),
    fc.array(small).map((ids) => ({ action: 'remove-snapshots', 'snapshot-ids': ids })),
    fc.constantFrom('main', 'b').map((name) => ({ action: 'remove-snapshot-ref', 'ref-name': name })),
    fc
      .constantFrom('a', 'b')
      .map((name) => ({ action: 'add-schema', schema: schema(field(1, 'id'), field(2, 'at', 'timestamptz'), field(3, name)) })),
    fc
      .constantFrom('day', 'hour')
      .map((transform) => ({ action: 'add-spec', spec: { fields: [{ 'source-id': 2, name: transform, transform }] } })),
  )
  let applied = 0
  fc.assert(
    fc.property(fc.array(one, { maxLength: 8 }), (updates) => {
      let made: TableMetadata
      try {
        made = applyUpdates(table, readUpdates(updates, TABLE_UPDATES), NOW)
      } catch (error) {
        assert.match((error as { code?: string }).code ?? String(error), /^MR_LAKE_(UPDATE|CONFLICT)$/)
        return
      }
      applied++
      assert.deepEqual(JSON.parse(JSON.stringify(parseMetadata(printMetadata(made), 'm'), text)), JSON.parse(JSON.stringify(made, text)))
      const ids = made.snapshots.map((one) => one['snapshot-id'])
      for (const { 'snapshot-id': id } of [...Object.values(made.refs), ...made['snapshot-log']]) assert.ok(ids.includes(id))
      assert.equal(made.refs['main']?.['snapshot-id'] ?? -1n, made['current-snapshot-id'])
    }),
    { numRuns: 2_000 },
  )
  assert.ok(applied > 100, `only ${applied} were applied`)
})

const text = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
