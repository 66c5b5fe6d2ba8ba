// Read restrictions say exactly what SQL here shows: random rules over all flat types, whose row filters the engine evaluates and whose
// Iceberg predicates an evaluator of this test does, under both logics that readers have for null. And what cannot be said is refused.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { systemClock } from '../../src/core/clock.ts'
import type { MaskKind, PredicateManifest, PredicateValue } from '../../src/define/manifest.ts'
import { type Engine, openEngine, type Session } from '../../src/engine/duckdb.ts'
import { decide } from '../../src/govern/decide.ts'
import { mustLoad, mustRead } from '../../src/govern/outside.ts'
import { restrictionsFor } from '../../src/govern/restrictions.ts'
import type { Predicate } from '../../src/lake/read-restrictions.ts'
import type { TableMetadata } from '../../src/lake/table-metadata.ts'
import type { Field } from '../../src/schema/type.ts'
import { caller, field, manifestOf, tableOf } from './fixture.ts'
import { randomRules } from './random-rules.ts'

const DECIMAL = { kind: 'decimal', precision: 10, scale: 2 } as const
const FIELDS: readonly Field[] = [
  field('i', 'int'),
  field('l', 'long'),
  field('d', DECIMAL),
  field('s', 'string', { pii: 'text' }),
  field('e', { kind: 'enum', values: ['x', 'y'] }),
  field('day', 'date', { pii: 'day' }),
  field('at', 'timestamp', { pii: 'at' }),
  field('u', 'uuid', { pii: 'uuid' }),
  field('b', 'boolean'),
  field('f', 'double'),
  field('raw', 'binary'),
]
const TYPES = ['INTEGER', 'BIGINT', 'DECIMAL(10, 2)', 'VARCHAR', 'VARCHAR', 'DATE', 'TIMESTAMPTZ', 'UUID', 'BOOLEAN', 'DOUBLE', 'BLOB']
const ICEBERG = ['int', 'long', 'decimal(10, 2)', 'string', 'string', 'date', 'timestamptz', 'uuid', 'boolean', 'double', 'binary']
const UUIDS = ['0f8fad5b-d9cb-469f-a165-70867728950e', 'f47ac10b-58cc-4372-a567-0e02b2c3d479']

/** Values as the table has them and, where they differ, as constants may be written that name the same or none at all. */
const VALUES: Readonly<Record<string, readonly (string | null)[]>> = {
  i: ['-2147483648', '0', '5', null],
  l: ['-9007199254740993', '9007199254740993', '5', null],
  d: ['-1.50', '0.00', '12345678.99', null],
  s: ['', 'a', 'Z', 'ü', '\u{1f600}', '\uffff', "it's", null],
  e: ['x', 'y', null],
  day: ['1969-12-31', '2024-02-29', null],
  at: ['1969-12-31T23:59:59.999999Z', '2024-02-29T12:00:00.000000Z', null],
  u: [...UUIDS, null],
  b: ['true', 'false', null],
  f: ['0.5', 'NaN', null],
  raw: ['ab', null],
}
const ODD: Readonly<Record<string, readonly (string | number | boolean)[]>> = {
  i: [5, '5.0', '99999999999', 'no number', -0],
  l: ['9223372036854775808', 5],
  d: ['-1.5', '0', '1.555', '99999999999.00', 0],
  s: [5, true],
  e: ['z'],
  day: ['2024-2-29', '2024-02-30', 'soon', '2024-02-29T00:00:00Z'],
  at: ['2024-02-29T12:00:00Z', '2024-02-29T13:00:00+01:00', '2024-02-29', '2024-02-29 12:00:00'],
  u: [UUIDS[0]!.toUpperCase(), 'no uuid'],
  b: [true, false, 'TRUE'],
  f: [0.5],
  raw: ['ab'],
}

const table = tableOf('one', FIELDS)
const fieldsJson = (required: readonly string[] = []) =>
  FIELDS.map(({ name }, index) => ({ id: index + 1, name, type: ICEBERG[index]!, required: required.includes(name) }))
const metadataOf = (fields: ReturnType<typeof fieldsJson>, former: readonly ReturnType<typeof fieldsJson>[number][] = []): TableMetadata =>
  ({
    'current-schema-id': 1,
    schemas: [
      { type: 'struct', 'schema-id': 0, fields: former },
      { type: 'struct', 'schema-id': 1, fields },
    ],
  }) as unknown as TableMetadata
const METADATA = metadataOf(fieldsJson())

const valueFor = (column: string): fc.Arbitrary<PredicateValue> =>
  fc.oneof(
    fc
      .constantFrom(...VALUES[column]!.filter((value) => value !== null), ...ODD[column]!)
      .map((value): PredicateValue => ({ kind: 'constant', value: value as string, type: '' })),
    fc.constantFrom('mine', 'many', 'missing').map((name): PredicateValue => ({ kind: 'attribute', name })),
  )
const rule = randomRules(
  FIELDS.map(({ name }) => name),
  valueFor,
)

const reads = { name: 'g', at: '', to: ['a', 'b'], on: ['*'], privilege: 'read' as const }
const policyOf = (to: string, rows: PredicateManifest) => ({ name: `p${to}`, at: '', on: 'one', to, rows })
const roles = [
  { name: 'a', at: '', attributes: { fields: [] } },
  { name: 'b', at: '', attributes: { fields: [] } },
  { name: 'engine', at: '', attributes: { fields: [] }, trustedEngine: true as const },
]
const worldOf = (rules: Readonly<Record<string, PredicateManifest>>, by?: Readonly<Record<string, MaskKind>>) => ({
  ...manifestOf([table], {
    grants: [reads],
    policies: Object.entries(rules).map(([to, rows]) => policyOf(to, rows)),
    masks: by ? [{ name: 'm', at: '', by, except: [] }] : [],
  }),
  roles,
})

type Row = Readonly<Record<string, string | null>>
/** Every value of every column, beside random ones of the others. */
const ROWS: readonly Row[] = Array.from({ length: 60 }, (_, n) =>
  Object.fromEntries(FIELDS.map(({ name }, index) => [name, VALUES[name]![(n * (index + 3) + (n >> 2)) % VALUES[name]!.length]!])),
)

let engine: Engine
let session: Session
before(async () => {
  engine = await openEngine({ clock: systemClock, directories: [tmpdir()], tempDirectory: tmpdir() })
  session = await engine.session()
  const text = (value: string | null): string => (value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`)
  const rows = ROWS.map((row) => `(${FIELDS.map(({ name }) => text(row[name]!)).join(', ')})`)
  const columns = FIELDS.map(({ name }, index) => `CAST("${name}" AS ${TYPES[index]}) AS "${name}"`)
  const names = FIELDS.map(({ name }) => `"${name}"`).join(', ')
  await session.run(
    `CREATE TABLE rows AS SELECT row_number() OVER () - 1 AS n, ${columns.join(', ')} FROM (VALUES ${rows.join(', ')}) v(${names})`,
  )
})
after(() => {
  session.close()
  engine.close()
})

/** Two values of a column: below, equal or above zero. */
function order(column: string, stored: string, said: unknown): number {
  const sign = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
  if (column === 'i' || column === 'l') return sign(BigInt(stored), BigInt(said as bigint))
  if (column === 'd') return sign(BigInt(stored.replace('.', '')), BigInt(String(said).replace('.', '')))
  if (column === 'at') return Buffer.compare(Buffer.from(stored), Buffer.from(String(said).replace('+00:00', 'Z')))
  return Buffer.compare(Buffer.from(stored), Buffer.from(String(said)))
}

type Joint = Extract<Predicate, { readonly type: 'and' | 'or' }>
const isJoint = (predicate: Exclude<Predicate, boolean>): predicate is Joint => predicate.type === 'and' || predicate.type === 'or'

/** As Iceberg's own evaluator takes null, below every value and equal to none; or as SQL does. */
function evaluate(predicate: Predicate, row: Row, logic: 'iceberg' | 'sql'): boolean | null {
  if (typeof predicate === 'boolean') return predicate
  if (isJoint(predicate)) {
    const parts = [evaluate(predicate.left, row, logic), evaluate(predicate.right, row, logic)]
    const decisive = predicate.type === 'or'
    return parts.includes(decisive) ? decisive : parts.includes(null) ? null : !decisive
  }
  const { id } = 'child' in predicate ? predicate.child : predicate.left
  const { name } = FIELDS[id - 1]!
  const stored = row[name]!
  if ('child' in predicate && !('values' in predicate)) return (stored === null) === (predicate.type === 'is-null')
  if (stored === null && logic === 'sql') return null
  if ('values' in predicate) {
    const isIn = stored !== null && predicate.values.some((value) => order(name, stored, value) === 0)
    return isIn === (predicate.type === 'in')
  }
  const sign = stored === null ? -1 : order(name, stored, predicate.right.value)
  const { type } = predicate
  if (type === 'eq') return sign === 0
  if (type === 'not-eq') return sign !== 0
  return type === 'lt' ? sign < 0 : type === 'lt-eq' ? sign <= 0 : type === 'gt' ? sign > 0 : sign >= 0
}

test('a row filter shows the rows that SQL shows, under both logics of null', async () => {
  let [said, refused] = [0, 0]
  const attributes = fc.record(
    { mine: fc.constantFrom('5', 'a', 'true', UUIDS[1]!), many: fc.constant(['a', '5', 'x']) },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(rule, fc.option(rule), attributes, async (first, second, held) => {
      const manifest = worldOf(second === null ? { a: first } : { a: first, b: second })
      const who = caller(['a', held], ['engine', {}], ...(second === null ? [] : [['b', held] as [string, Record<string, unknown>]]))
      let filter: Predicate
      try {
        filter = restrictionsFor(manifest, who, 'one', METADATA)['required-row-filter'] ?? true
      } catch (error) {
        assert.equal((error as { code: string }).code, 'MR_ACCESS_DENIED')
        refused++
        return
      }
      said++
      const { rows } = await session.rows(`SELECT n FROM rows WHERE ${decide(manifest, who, 'one').rowFilter} ORDER BY n`)
      const shown = rows.flat().map(Number)
      for (const logic of ['iceberg', 'sql'] as const) {
        const kept = ROWS.flatMap((row, n) => (evaluate(filter, row, logic) === true ? [n] : []))
        assert.deepEqual(
          kept,
          shown,
          `${logic}: ${JSON.stringify(filter, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
        )
      }
    }),
    { numRuns: 600 },
  )
  assert.ok(said > 200 && refused > 50, `${said} said, ${refused} refused`)
})

const constant = (column: string, op: string, value: string | number | boolean): PredicateManifest => ({
  kind: 'compare',
  column,
  op: op as '=',
  value: { kind: 'constant', value, type: '' },
})
const engineOf = () => caller(['a', {}], ['engine', {}])

test('rules and masks in the words of the protocol', () => {
  const rows: PredicateManifest = { kind: 'and', of: [constant('s', '=', 'FR'), { kind: 'not', of: constant('d', '>', '1.5') }] }
  const manifest = worldOf({ a: rows }, { text: 'null', day: 'year', at: 'none', uuid: 'last4' })
  assert.equal(mustRead(manifest, engineOf(), 'one'), 'restricted')
  assert.deepEqual(restrictionsFor(manifest, engineOf(), 'one', METADATA), {
    // The last four of a UUID: null, as in SQL.
    'required-column-projections': [
      { 'field-id': 4, action: 'replace-with-null' },
      { 'field-id': 6, action: 'truncate-to-year' },
      { 'field-id': 8, action: 'replace-with-null' },
    ],
    'required-row-filter': {
      type: 'and',
      left: { type: 'eq', left: { type: 'reference', id: 4 }, right: { type: 'literal', value: 'FR' } },
      right: {
        type: 'and',
        left: { type: 'not-null', child: { type: 'reference', id: 3 } },
        right: { type: 'lt-eq', left: { type: 'reference', id: 3 }, right: { type: 'literal', value: '1.50' } },
      },
    },
  })
})

test('nothing for the caller, nothing to restrict; who is not trusted gets no files', () => {
  const manifest = worldOf({ a: constant('s', '=', 'FR') })
  assert.equal(mustRead(manifest, caller(['b', {}], ['engine', {}]), 'one'), 'whole')
  assert.throws(() => mustRead(manifest, caller(['a', {}]), 'one'), { code: 'MR_ACCESS_DENIED', message: /policy for you/ })
  assert.throws(() => mustRead(manifest, caller(['engine', {}]), 'one'), { code: 'MR_ACCESS_DENIED', message: /may not read/ })
  // Writing to what one sees in part stays refused.
  assert.throws(() => mustLoad(manifest, engineOf(), 'one'), { code: 'MR_ACCESS_DENIED' })
})

test('an encrypted table is handed out to nobody, trusted or not', () => {
  const open = worldOf({ a: constant('s', '=', 'FR') })
  const manifest = { ...open, relations: open.relations.map((relation) => ({ ...relation, encrypted: true as const })) }
  for (const who of [engineOf(), caller(['b', {}])]) assert.throws(() => mustRead(manifest, who, 'one'), { code: 'MR_KEY_SHARED' })
})

test('what cannot be said is refused, and each part is named', () => {
  const refusedFor = (
    rows: PredicateManifest,
    by: Readonly<Record<string, MaskKind>> | undefined,
    metadata = METADATA,
    name = 'one',
  ): string => {
    try {
      restrictionsFor(worldOf({ a: rows }, by), engineOf(), name, metadata)
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  const everything: PredicateManifest = { kind: 'and', of: [] }
  const open = { text: 'none', day: 'none', at: 'none', uuid: 'none' } as const
  for (const mask of ['hash', 'redact', 'last4'] as const)
    assert.match(refusedFor(everything, { ...open, text: mask }), new RegExp(`cannot say: the mask ${mask} of the column "s"$`))
  assert.match(refusedFor(everything, { ...open, uuid: 'hash' }), /the mask hash of the column "u"/)
  assert.match(refusedFor(constant('f', '=', 0.5), undefined), /a comparison of the column "f", a double/)
  assert.match(refusedFor(constant('u', '<', UUIDS[0]!), undefined), /the order of the column "u"/)
  assert.match(refusedFor(constant('day', '=', 'soon'), undefined), /"soon" as a value of the column "day"/)
  assert.match(
    refusedFor(everything, { ...open, text: 'null' }, metadataOf(fieldsJson(['s']))),
    /null in place of the column "s", which is required/,
  )
  const both = refusedFor(constant('f', '=', 0.5), { ...open, text: 'hash' })
  assert.match(both, /the column "f", a double; the mask hash of the column "s"/)
  assert.match(refusedFor(everything, undefined, METADATA, 'one__rejected'), /set aside/)
})

test('columns of former schemas are shown by none', () => {
  const manifest = worldOf({ a: constant('s', '=', 'FR') })
  const former = (required: boolean) => metadataOf(fieldsJson(), [{ id: 40, name: 'mail', type: 'string', required }])
  assert.deepEqual(restrictionsFor(manifest, engineOf(), 'one', former(false))['required-column-projections'], [
    { 'field-id': 40, action: 'replace-with-null' },
  ])
  assert.throws(() => restrictionsFor(manifest, engineOf(), 'one', former(true)), {
    message: /the former column "mail", which is required/,
  })
})
