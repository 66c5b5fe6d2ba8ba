// Whatever was done to a table, the updates between its two states do it again: carried out on the first they give the second.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printJson } from '../../core/json.ts'
import type { TableMetadata } from '../table-metadata.ts'
import { applyUpdates } from './apply-updates.ts'
import { checkRequirements } from './check-requirements.ts'
import { newTable } from './new-table.ts'
import { readRequirements, readUpdates, TABLE_REQUIREMENTS, TABLE_UPDATES, type Update } from './update.ts'
import { updatesBetween } from './updates-between.ts'

const UUID = '01977420-dc00-7000-8000-000000000000'
const field = (id: number, name: string, type = 'long') => ({ id, name, required: false, type })
const begun = (formatVersion: number): TableMetadata =>
  newTable(
    {
      schema: { type: 'struct', 'schema-id': 0, fields: [field(1, 'id'), field(2, 'at', 'timestamptz')] },
      properties: { 'format-version': String(formatVersion) },
    },
    { uuid: UUID, location: 'file:///lake/t', nowMs: 1 },
  )

/** A change by two numbers: which kind, and about what. */
type Change = readonly [kind: number, about: number]
const CHANGES = fc.array(fc.tuple(fc.nat(13), fc.nat(3)) as fc.Arbitrary<Change>, { maxLength: 12 })

const snapshot = (table: TableMetadata): Update => {
  const id = BigInt(table['last-sequence-number'] + 1) * 4_611_686_018_427_387n
  const parent = table['current-snapshot-id']
  return {
    action: 'add-snapshot',
    snapshot: {
      'snapshot-id': id,
      ...(parent === -1n ? {} : { 'parent-snapshot-id': parent }),
      'sequence-number': table['last-sequence-number'] + 1,
      'timestamp-ms': 100 + table['last-sequence-number'],
      'manifest-list': `file:///lake/t/metadata/${id}.avro`,
      summary: { operation: 'append' },
      'schema-id': table['current-schema-id'],
      ...(table['format-version'] >= 3 ? { 'first-row-id': table['next-row-id'] ?? 0, 'added-rows': 3 } : {}),
    },
  }
}

/** What a change is on the table as it is; nothing where it is not possible. */
function updatesOf(table: TableMetadata, [kind, about]: Change): Update[] {
  const ids = table.snapshots.map((one) => one['snapshot-id'])
  const id = ids[about % Math.max(1, ids.length)]
  const add = snapshot(table)
  const added = (add['snapshot'] as { 'snapshot-id': bigint })['snapshot-id']
  const ref = (name: string, of: bigint, type = 'branch'): Update => ({
    action: 'set-snapshot-ref',
    'ref-name': name,
    type,
    'snapshot-id': of,
  })
  const schema = table.schemas.find((one) => one['schema-id'] === table['current-schema-id'])!
  const last = (action: string, member: string): Update => ({ action, [member]: -1 })
  const direction = about % 2 ? 'asc' : 'desc'
  switch (kind) {
    case 0:
    case 1:
      return [add, ref('main', added)]
    case 2:
      return [add, ref(`b${about}`, added)]
    case 3:
      return id === undefined ? [] : [ref(`t${about}`, id, 'tag')]
    case 4:
      return [{ action: 'remove-snapshot-ref', 'ref-name': `t${about}` }]
    case 5:
      return id === undefined || id === table['current-snapshot-id'] ? [] : [{ action: 'remove-snapshots', 'snapshot-ids': [id] }]
    case 6:
      return [
        {
          action: 'add-schema',
          schema: { ...schema, fields: [...schema.fields, field(table['last-column-id'] + 1, `c${table['last-column-id']}`)] },
        },
        last('set-current-schema', 'schema-id'),
      ]
    case 7:
      return [
        {
          action: 'add-spec',
          spec: { fields: [{ 'source-id': 2, name: `p${about}`, transform: ['day', 'hour', 'month', 'year'][about] }] },
        },
        last('set-default-spec', 'spec-id'),
      ]
    case 8:
      return [
        {
          action: 'add-sort-order',
          'sort-order': { fields: [{ 'source-id': 1, transform: 'identity', direction, 'null-order': 'nulls-first' }] },
        },
        last('set-default-sort-order', 'sort-order-id'),
      ]
    case 9:
      return [{ action: 'set-properties', updates: { [`k${about}`]: String(ids.length) } }]
    case 10:
      return [{ action: 'remove-properties', removals: [`k${about}`] }]
    case 11:
      return id === undefined
        ? []
        : [{ action: 'set-statistics', statistics: { 'snapshot-id': id, 'statistics-path': `file:///lake/t/s${about}` } }]
    case 12:
      return id === undefined ? [] : [{ action: 'remove-statistics', 'snapshot-id': id }]
    default:
      return [{ action: 'set-location', location: `file:///lake/t${about}` }]
  }
}

const changed = (table: TableMetadata, changes: readonly Change[]): TableMetadata =>
  changes.reduce((now, change) => applyUpdates(now, updatesOf(now, change), 1_000), table)

/** What counts up: it may have counted what came and went between the two states. */
const COUNTERS = ['last-sequence-number', 'last-column-id', 'last-partition-id', 'next-row-id'] as const
const UNSEEN: readonly string[] = [...COUNTERS, 'last-updated-ms', 'snapshot-log', 'metadata-log', 'partition-statistics']

/** Without counters, times and logs; the order of members and of statistics says nothing. */
function essence(table: TableMetadata): unknown {
  const { refs, properties, statistics, ...rest } = table
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
  const stats = (statistics ?? []).map((file) => printJson(file)).sort()
  const seen = Object.fromEntries(Object.entries(rest).filter(([member]) => !UNSEEN.includes(member)))
  return JSON.parse(printJson({ ...seen, refs: sorted(refs), properties: sorted(properties), stats }))
}

const wire = ({ updates, requirements }: ReturnType<typeof updatesBetween>) => ({
  updates: readUpdates(updates, TABLE_UPDATES),
  requirements: readRequirements(requirements, TABLE_REQUIREMENTS),
})

test('the updates between two states make the second of the first, and hold on the first', () => {
  fc.assert(
    fc.property(fc.constantFrom(2, 3), CHANGES, CHANGES, (version, earlier, later) => {
      const before = changed(begun(version), earlier)
      const after = changed(before, later)
      const { updates, requirements } = wire(updatesBetween(before, after))
      checkRequirements('t', before, requirements)
      const made = applyUpdates(before, updates, 2_000)
      assert.deepEqual(essence(made), essence(after))
      const isWhole = !later.some(([kind]) => kind === 5)
      for (const counter of COUNTERS)
        assert.ok(isWhole ? made[counter] === after[counter] : (made[counter] ?? 0) <= (after[counter] ?? 0), counter)
      if (updates.length === 0) assert.deepEqual(essence(before), essence(after))
    }),
    { numRuns: 2_000 },
  )
})

test('a table is created by its updates alone', () => {
  fc.assert(
    fc.property(fc.constantFrom(2, 3), (version) => {
      const after = begun(version)
      const { updates, requirements } = wire(updatesBetween(undefined, after))
      assert.deepEqual(requirements, [{ type: 'assert-create' }])
      assert.deepEqual(essence(applyUpdates(undefined, updates, 2_000)), essence(after))
    }),
  )
})

test('the requirements refuse a table whose branch, schema, spec or order was moved, and an expiry of what got a name', () => {
  const refusedAfter = (mine: readonly Change[], theirs: readonly Change[]) => {
    const before = changed(begun(2), [
      [0, 0],
      [0, 1],
    ])
    const { requirements } = updatesBetween(before, changed(before, mine))
    const now = changed(before, theirs)
    return assert.throws(() => checkRequirements('t', now, requirements), { code: 'MR_LAKE_CONFLICT' })
  }
  refusedAfter([[0, 0]], [[0, 1]])
  refusedAfter([[6, 0]], [[6, 1]])
  refusedAfter([[7, 0]], [[7, 1]])
  refusedAfter([[8, 0]], [[8, 1]])
  refusedAfter([[5, 0]], [[0, 0]])
})
