// Pruning never drops a row that matches. The oracle compares rows as DuckDB does: it casts both sides of a comparison, has
// NaN above everything and equal to itself, and orders text by bytes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pruner } from './prune.ts'
import type { ColumnStats, DataFile, LakeSchema, LakeSpec, PartitionValue, PruneTerm } from './types.ts'
import { encodeBound } from './value/bound.ts'
import { encodeValue } from './value/single-value.ts'
import { applyTransform } from './value/transform.ts'

interface Domain {
  readonly type: string
  /** A value as it is stored; numbers of a float column are floats. */
  readonly value: fc.Arbitrary<Exclude<PartitionValue, null>>
  /** A literal of a question. */
  readonly literal: fc.Arbitrary<string | number | bigint | boolean>
  /** As DuckDB prints it. */
  readonly print: (value: Exclude<PartitionValue, null>) => string
  /** The two sides as the engine compares them. */
  readonly order: (value: Exclude<PartitionValue, null>, literal: string | number | bigint | boolean) => number
  readonly transforms: readonly string[]
}

const order = (a: number | bigint, b: number | bigint): number => (a < b ? -1 : a > b ? 1 : 0)
const orderText = (a: unknown, b: unknown): number => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))
const dateText = (days: number): string => new Date(days * 86_400_000).toISOString().slice(0, 10)
const instantText = (micros: bigint): string =>
  `${new Date(Number(micros / 1000n)).toISOString().slice(0, 19).replace('T', ' ')}.${String(((micros % 1_000_000n) + 1_000_000n) % 1_000_000n).padStart(6, '0')}+00`
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 25 }),
  fc.constantFrom('', 'a', 'ab', `${'ab'.repeat(8)}x`, `${'ab'.repeat(8)}y`),
)
const near = fc.integer({ min: -4, max: 4 })
const wide = fc.oneof(near, fc.integer(), fc.constantFrom(2 ** 53, -(2 ** 53)))
const long = fc.oneof(near.map(BigInt), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom(2n ** 53n, 2n ** 53n + 1n))
const micros = fc.oneof(
  near.map((n) => BigInt(n) * 3_600_000_000n),
  fc.integer({ min: -4e9, max: 4e9 }).map((seconds) => BigInt(seconds) * 1_000_000n + 1n),
)

const DOMAINS: readonly Domain[] = [
  {
    type: 'int',
    value: fc.oneof(near, fc.integer()),
    literal: fc.oneof(near, fc.integer(), near.map(BigInt), fc.double({ min: -5, max: 5, noNaN: true }), wide.map(String)),
    print: String,
    order: (value, literal) => order(Number(value), Number(literal)),
    transforms: ['identity', 'bucket[3]'],
  },
  {
    type: 'long',
    value: long,
    literal: fc.oneof(near, long, wide),
    print: String,
    // A bigint stays exact, a number is a double or an integer.
    order: (value, literal) => (typeof literal === 'number' ? order(Number(value), literal) : order(BigInt(value), BigInt(literal))),
    transforms: ['identity', 'bucket[5]'],
  },
  {
    type: 'double',
    value: fc.oneof(near, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0.1, 2 ** 53)),
    literal: fc.oneof(near, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('0.1', 2n ** 53n + 1n)),
    print: String,
    order: (value, literal) => order(Number(value), Number(literal)),
    transforms: [],
  },
  {
    type: 'float',
    value: fc.oneof(near, fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constant(Math.fround(0.1))),
    literal: fc.oneof(near, fc.constantFrom(0.1, '0.1', 0.2), fc.float({ noNaN: true, noDefaultInfinity: true })),
    print: String,
    order: (value, literal) => order(Number(value), Math.fround(Number(literal))),
    transforms: [],
  },
  {
    type: 'decimal(9, 2)',
    value: fc.oneof(near.map(BigInt), fc.integer({ min: -1e8, max: 1e8 }).map(BigInt)),
    literal: fc.oneof(near, fc.constantFrom('0.015', '0.02', '-0.005', 0.02, 0.03, 2n), fc.double({ min: -5, max: 5, noNaN: true })),
    print: (value) => `${BigInt(value) < 0n ? '-' : ''}${String(Number(BigInt(value) < 0n ? -BigInt(value) : value) / 100)}`,
    order: (value, literal) => order(Number(value) / 100, Number(literal)),
    transforms: ['identity', 'bucket[4]'],
  },
  {
    type: 'string',
    value: text.filter((value) => value.isWellFormed()),
    literal: text.filter((value) => value.isWellFormed()),
    print: String,
    order: orderText,
    transforms: ['identity', 'bucket[4]'],
  },
  {
    type: 'date',
    value: fc.oneof(near, fc.integer({ min: -700_000, max: 2_900_000 })),
    literal: fc.oneof(near, near.map(dateText), near.map(BigInt)),
    print: (value) => dateText(Number(value)),
    order: (value, literal) => order(Number(value), typeof literal === 'string' ? Date.parse(literal) / 86_400_000 : Number(literal)),
    transforms: ['identity', 'year', 'month', 'day', 'bucket[3]'],
  },
  {
    type: 'timestamptz',
    value: micros,
    literal: fc.oneof(micros, micros.map(instantText)),
    print: (value) => instantText(BigInt(value)),
    order: (value, literal) =>
      order(
        BigInt(value),
        typeof literal === 'string'
          ? BigInt(Date.parse(`${literal.slice(0, 19).replace(' ', 'T')}Z`)) * 1000n + BigInt(literal.slice(20, 26))
          : BigInt(literal),
      ),
    transforms: ['year', 'month', 'day', 'hour', 'bucket[7]'],
  },
  {
    type: 'timestamp',
    value: micros,
    literal: fc.oneof(
      micros,
      micros.map((value) => instantText(value).slice(0, 26)),
    ),
    print: (value) => instantText(BigInt(value)).slice(0, 26),
    order: (value, literal) =>
      order(
        BigInt(value),
        typeof literal === 'string'
          ? BigInt(Date.parse(`${literal.slice(0, 19).replace(' ', 'T')}Z`)) * 1000n + BigInt(literal.slice(20, 26))
          : BigInt(literal),
      ),
    transforms: ['identity', 'year', 'month', 'day', 'hour', 'bucket[7]'],
  },
  {
    type: 'uuid',
    value: fc.uuid(),
    literal: fc.uuid(),
    print: String,
    order: orderText,
    transforms: ['identity', 'bucket[4]'],
  },
  {
    type: 'boolean',
    value: fc.boolean(),
    literal: fc.boolean(),
    print: String,
    order: (a, b) => order(Number(a), Number(b)),
    transforms: ['identity'],
  },
]

type Row = Exclude<PartitionValue, null> | null

function matches(domain: Domain, row: Row, term: PruneTerm): boolean {
  if (term.op === 'is null') return row === null
  if (row === null) return false
  if (term.op === 'is not null') return true
  const sides = term.values.map((literal) => domain.order(row, literal))
  switch (term.op) {
    case 'in':
      return sides.includes(0)
    case '=':
      return sides[0] === 0
    case '<':
      return sides[0]! < 0
    case '<=':
      return sides[0]! <= 0
    case '>':
      return sides[0]! > 0
    case '>=':
      return sides[0]! >= 0
  }
}

const schemaOf = (type: string): LakeSchema => ({ id: 0, fields: [{ id: 1, name: 'c', type, required: false }], identifierIds: [] })
const specOf = (transform: string | null): LakeSpec => ({
  id: 0,
  fields: transform === null ? [] : [{ sourceId: 1, fieldId: 1000, name: 'p', transform }],
})

/** A file as the engine would describe it. */
function fileOf(domain: Domain, rows: readonly Row[], partition: Readonly<Record<string, PartitionValue>>): DataFile {
  const values = rows.filter((row): row is Exclude<Row, null> => row !== null).sort((a, b) => storedOrder(domain, a, b))
  const [min, max] = [values[0], values.at(-1)]
  const lower = min === undefined ? undefined : encodeBound(domain.type, domain.print(min), 'lower')
  const upper = max === undefined ? undefined : encodeBound(domain.type, domain.print(max), 'upper')
  const stats: ColumnStats = {
    sizeBytes: 1,
    values: rows.length,
    nulls: rows.length - values.length,
    nans: 0,
    ...(lower ? { lower } : {}),
    ...(upper ? { upper } : {}),
  }
  return { path: '/f', rows: rows.length, sizeBytes: 1, specId: 0, partition, columns: new Map([[1, stats]]) }
}

const storedOrder = (domain: Domain, a: Exclude<Row, null>, b: Exclude<Row, null>): number =>
  domain.type === 'string' || domain.type === 'uuid' ? orderText(a, b) : order(a as number | bigint, b as number | bigint)

const termsOf = (domain: Domain): fc.Arbitrary<PruneTerm> =>
  fc.oneof(
    fc.record({
      column: fc.constant('c'),
      op: fc.constantFrom('=' as const, '<', '<=', '>', '>='),
      values: domain.literal.map((value) => [value]),
    }),
    fc.record({
      column: fc.constant('c'),
      op: fc.constant('in' as const),
      values: fc.array(domain.literal, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ column: fc.constant('c'), op: fc.constantFrom('is null' as const, 'is not null'), values: fc.constant([]) }),
  )

const rowsOf = (domain: Domain): fc.Arbitrary<Row[]> => fc.array(fc.option(domain.value, { freq: 6 }), { minLength: 1, maxLength: 6 })

for (const domain of DOMAINS) {
  test(`${domain.type}: a file with a matching row is never pruned by its bounds`, () => {
    let pruned = 0
    fc.assert(
      fc.property(rowsOf(domain), fc.array(termsOf(domain), { minLength: 1, maxLength: 2 }), (rows, terms) => {
        const schema = schemaOf(domain.type)
        const isKept = pruner(terms, schema, [specOf(null)], [schema]).file(fileOf(domain, rows, {}))
        if (!isKept) pruned++
        if (rows.some((row) => terms.every((term) => matches(domain, row, term)))) assert.ok(isKept)
      }),
      { numRuns: 1_000 },
    )
    assert.ok(pruned > 50, `only ${pruned} files were pruned at all`)
  })

  test(`${domain.type}: the files of a manifest are skipped together only if each would be`, () => {
    let skipped = 0
    const files = fc.array(rowsOf(domain), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(files, fc.array(termsOf(domain), { minLength: 1, maxLength: 2 }), fc.boolean(), (all, terms, isBare) => {
        const schema = schemaOf(domain.type)
        const keep = pruner(terms, schema, [specOf(null)], [schema])
        const entries = all.map((rows) => ({ file: fileOf(domain, rows, {}) }))
        if (isBare) entries.push({ file: { ...entries[0]!.file, columns: new Map() } })
        const mayMatch = keep.any(entries)
        if (!mayMatch) skipped++
        if (entries.some(({ file }) => keep.file(file))) assert.ok(mayMatch)
        assert.equal(keep.any(entries), mayMatch)
      }),
      { numRuns: 500 },
    )
    assert.ok(skipped > 10, `only ${skipped} manifests were skipped at all`)
  })

  for (const transform of domain.transforms) {
    test(`${domain.type}, ${transform}: nor by its partition`, () => {
      let pruned = 0
      fc.assert(
        fc.property(fc.option(domain.value, { freq: 9 }), fc.array(termsOf(domain), { minLength: 1, maxLength: 2 }), (row, terms) => {
          const schema = schemaOf(domain.type)
          const file = { ...fileOf(domain, [row], { p: applyTransform(transform, domain.type, row) }), columns: new Map() }
          const isKept = pruner(terms, schema, [specOf(transform)], [schema]).file(file)
          if (!isKept) pruned++
          if (terms.every((term) => matches(domain, row, term))) assert.ok(isKept)
        }),
        { numRuns: 300 },
      )
      assert.ok(pruned > 10, `only ${pruned} files were pruned at all`)
    })
  }
}

test('what is not understood prunes nothing: unknown columns, other domains, files without statistics', () => {
  const schema = schemaOf('int')
  const keep = (term: PruneTerm, columns: DataFile['columns'] = fileOf(DOMAINS[0]!, [1, 2], {}).columns) =>
    pruner([term], schema, [specOf(null)], [schema]).file({ ...fileOf(DOMAINS[0]!, [1, 2], {}), columns })
  assert.equal(keep({ column: 'absent', op: '=', values: [99] }), true)
  assert.equal(keep({ column: 'c', op: '=', values: ['ninety'] }), true)
  assert.equal(keep({ column: 'c', op: '=', values: [Number.NaN] }), true)
  assert.equal(keep({ column: 'c', op: 'in', values: [99, 'ninety'] }), true)
  assert.equal(keep({ column: 'c', op: '=', values: [99] }, new Map()), true)
  assert.equal(keep({ column: 'c', op: '=', values: [99] }), false)
})

test('NaN is above every number: only a file known to have none is pruned by >', () => {
  const schema = schemaOf('double')
  const file = fileOf(DOMAINS[2]!, [1, 2], {})
  const { nans: _nans, ...unknown } = file.columns.get(1)!
  const keep = pruner([{ column: 'c', op: '>', values: [5] }], schema, [specOf(null)], [schema])
  assert.equal(keep.file(file), false)
  assert.equal(keep.file({ ...file, columns: new Map([[1, unknown]]) }), true)
})

test('a whole manifest is skipped by the range of its partition values', () => {
  const schema = schemaOf('long')
  const bound = (value: bigint) => encodeBound('long', String(value), 'lower')!
  const manifest = {
    path: '/m',
    sizeBytes: 1,
    specId: 0,
    content: 0,
    sequence: 1,
    minSequence: 1,
    snapshotId: 1n,
    files: { added: 1, existing: 0, deleted: 0 },
    rows: { added: 1, existing: 0, deleted: 0 },
    partitions: [{ containsNull: false, lower: bound(10n), upper: bound(20n) }],
    firstRowId: null,
  }
  const keep = (term: PruneTerm, partitions: typeof manifest.partitions | null = manifest.partitions) =>
    pruner([term], schema, [specOf('identity')], [schema]).manifest({ ...manifest, partitions })
  assert.equal(keep({ column: 'c', op: '=', values: [9] }), false)
  assert.equal(keep({ column: 'c', op: '>', values: [20] }), false)
  assert.equal(keep({ column: 'c', op: '>=', values: [20] }), true)
  assert.equal(keep({ column: 'c', op: 'is null', values: [] }), false)
  assert.equal(keep({ column: 'c', op: '=', values: [9] }, null), true)
})

test('nothing is pruned by a column of nanoseconds, which is compared by its microseconds', () => {
  const schema = schemaOf('timestamp_ns')
  const at = (value: bigint) => encodeValue('timestamp_ns', value)
  const stats: ColumnStats = { sizeBytes: 1, values: 1, nulls: 0, lower: at(123_456_789n), upper: at(123_456_789n) }
  const file: DataFile = { path: '/f', rows: 1, sizeBytes: 1, specId: 0, partition: { p: 123_456_789n }, columns: new Map([[1, stats]]) }
  const { file: keep } = pruner([{ column: 'c', op: '=', values: ['1970-01-01 00:00:00.123456'] }], schema, [specOf('identity')], [schema])
  assert.equal(keep(file), true)
  assert.equal(pruner([{ column: 'c', op: 'is null', values: [] }], schema, [specOf('identity')], [schema]).file(file), false)
})
