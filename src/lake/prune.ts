// Which files may hold rows that match: by partition ranges of whole manifests, partition values and column bounds of
// files. In doubt a file stays: pruning never drops a matching row. Rows inside files are the engine's to skip.
import type { ManifestFile, PartitionSummary } from './manifest-list.ts'
import { isNestedType } from './nested-type.ts'
import { partitionTypes } from './partition-spec.ts'
import { type Comparable, comparableOf, compare, type Literal, literalOf } from './prune-literal.ts'
import type { ColumnStats, DataFile, LakeField, LakeSchema, LakeSpec, PartitionValue, PruneTerm } from './types.ts'
import { flatType, parseIcebergType } from './value/iceberg-type.ts'
import { decodeValue } from './value/single-value.ts'
import { applyTransform, parseTransform } from './value/transform.ts'

export interface Pruner {
  manifest(manifest: ManifestFile): boolean
  /** Of the files of a manifest, by what their columns hold together; remembered for the array as long as it lives. */
  any(entries: Entries): boolean
  file(file: DataFile): boolean
}

interface Term {
  readonly field: LakeField
  readonly type: string
  readonly op: PruneTerm['op']
  /** Null when a value was not understood; `is null` and `is not null` have none. */
  readonly literals: readonly Literal[] | null
}

/** What is known of the values of a column or partition field in a file; undefined bounds are unknown. */
interface Range {
  readonly lower: Comparable | undefined
  readonly upper: Comparable | undefined
  readonly mayBeNull: boolean
  readonly onlyNull: boolean
  /** NaN is above everything for the engine, but not in bounds. */
  readonly mayBeNan: boolean
}

type Entries = readonly { readonly file: DataFile }[]

type PartitionCheck = (rangeOf: (position: number) => Range | null) => boolean

/** Both answer true for what must be read. Columns are named as in `schema`. */
export function pruner(
  terms: readonly PruneTerm[],
  schema: LakeSchema,
  specs: readonly LakeSpec[],
  schemas: readonly LakeSchema[],
): Pruner {
  const known = terms.flatMap((term) => compileTerm(term, schema))
  const bySpec = new Map(specs.map((spec) => [spec.id, partitionCheck(known, spec)]))
  const namesBySpec = new Map(specs.map((spec) => [spec.id, spec.fields.map((field) => field.name)]))
  const typesBySpec = new Map(specs.map((spec) => [spec.id, partitionTypes(spec, schemas)]))
  return {
    manifest(manifest) {
      const types = typesBySpec.get(manifest.specId) ?? []
      return bySpec.get(manifest.specId)?.((i) => summaryRange(manifest.partitions?.[i], types[i]!)) ?? true
    },
    any: (entries) =>
      known.every((term) => {
        const range = rangeOfAll(term, entries)
        return range === null || mayMatch(term.op, term.literals, range)
      }),
    file(file) {
      const names = namesBySpec.get(file.specId) ?? []
      const fits = bySpec.get(file.specId)?.((i) => valueRange(file.partition[names[i]!])) ?? true
      return fits && known.every((term) => mayMatchColumn(term, file.columns.get(term.field.id)))
    },
  }
}

function compileTerm(term: PruneTerm, schema: LakeSchema): Term[] {
  const field = schema.fields.find((other) => other.name === term.column)
  // Nothing is known of the values of a nested column in a file.
  if (!field || isNestedType(field.type)) return []
  const type = flatType(field.type)
  const literals = term.values.map((value) => literalOf(type, value))
  const understood = literals.every((literal) => literal !== undefined) ? (literals as Literal[]) : null
  return [{ field, type, op: term.op, literals: understood }]
}

// ---- column bounds

const ranges = new WeakMap<ColumnStats, { readonly type: string; readonly range: Range }>()

/** Decoded once a file and column: manifests stay in memory, and questions come again and again. */
function columnRange(type: string, stats: ColumnStats): Range {
  const known = ranges.get(stats)
  if (known?.type === type) return known.range
  const { kind } = parseIcebergType(type)
  const bound = (bytes: Uint8Array | undefined) => (bytes ? comparableBound(type, bytes) : undefined)
  const range: Range = {
    lower: bound(stats.lower),
    upper: bound(stats.upper),
    mayBeNull: stats.nulls > 0,
    onlyNull: stats.nulls >= stats.values,
    mayBeNan: (kind === 'float' || kind === 'double') && stats.nans !== 0,
  }
  ranges.set(stats, { type, range })
  return range
}

function mayMatchColumn(term: Term, stats: ColumnStats | undefined): boolean {
  return stats === undefined || mayMatch(term.op, term.literals, columnRange(term.type, stats))
}

const rangesOfAll = new WeakMap<Entries, Map<string, Range | null>>()

/** Null when nothing is known of the column in one of the files. */
function rangeOfAll({ field, type }: Term, entries: Entries): Range | null {
  const known = rangesOfAll.get(entries) ?? new Map<string, Range | null>()
  rangesOfAll.set(entries, known)
  const key = `${field.id} ${type}`
  let all = known.get(key)
  if (all !== undefined) return all
  all =
    entries.length === 0
      ? null
      : joined(entries.map(({ file }) => file.columns.get(field.id)).map((stats) => stats && columnRange(type, stats)))
  known.set(key, all)
  return all
}

function joined(parts: readonly (Range | undefined)[]): Range | null {
  if (parts.some((part) => part === undefined)) return null
  const all = parts as readonly Range[]
  // Of a file of nulls alone nothing but those counts.
  const valued = all.filter((part) => !part.onlyNull)
  const bound = (side: 'lower' | 'upper', sign: 1 | -1): Comparable | undefined => {
    let outer = valued[0]?.[side]
    for (const { [side]: one } of valued) {
      if (one === undefined || outer === undefined) return undefined
      if (compare(one, outer) * sign > 0) outer = one
    }
    return outer
  }
  return {
    lower: bound('lower', -1),
    upper: bound('upper', 1),
    mayBeNull: all.some((part) => part.mayBeNull),
    onlyNull: valued.length === 0,
    mayBeNan: all.some((part) => part.mayBeNan),
  }
}

// Text and uuid compare as the bytes they are stored in; no need to decode them.
const comparableBound = (type: string, bytes: Uint8Array): Comparable =>
  type === 'string' ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : comparableOf(decodeValue(type, bytes))

// ---- partitions

const valueRange = (value: PartitionValue | undefined): Range | null => {
  if (value === undefined) return null
  const key = value === null ? undefined : comparableOf(value)
  return { lower: key, upper: key, mayBeNull: value === null, onlyNull: value === null, mayBeNan: false }
}

const summaryRange = (summary: PartitionSummary | undefined, type: string): Range | null => {
  if (!summary) return null
  const bound = (bytes: Uint8Array | null) => (bytes ? comparableBound(type, bytes) : undefined)
  return {
    lower: bound(summary.lower),
    upper: bound(summary.upper),
    mayBeNull: summary.containsNull,
    onlyNull: false,
    mayBeNan: type === 'float' || type === 'double',
  }
}

/** Terms on source columns, projected to the spec's fields (inclusive projection: a match of the row is a match here). */
function partitionCheck(terms: readonly Term[], spec: LakeSpec): PartitionCheck {
  const checks = spec.fields.flatMap((field, position) =>
    terms
      .filter((term) => term.field.id === field.sourceId && field.transform !== 'void')
      .map((term) => ({ position, op: projectedOp(term.op, field.transform), literals: project(term, field.transform) })),
  )
  return (rangeOf) =>
    checks.every(({ position, op, literals }) => {
      const range = rangeOf(position)
      return range === null || mayMatch(op, literals, range)
    })
}

// Day, month, ... keep the order but not its strictness: t < noon projects to day(t) <= day(noon).
function projectedOp(op: PruneTerm['op'], transform: string): PruneTerm['op'] {
  if (transform === 'identity') return op
  return op === '<' ? '<=' : op === '>' ? '>=' : op
}

function project(term: Term, transform: string): readonly Literal[] | null {
  const { kind } = parseTransform(transform)
  if (term.op === 'is null' || term.op === 'is not null') return []
  if (kind === 'identity') return term.literals
  if (kind === 'truncate' || !term.literals) return null
  if (kind === 'bucket' && term.op !== '=' && term.op !== 'in') return null
  const projected = term.literals.map((literal): Literal | undefined => {
    if (literal.exact === undefined) return undefined
    const value = applyTransform(transform, term.type, literal.exact) as Exclude<PartitionValue, null>
    const key = comparableOf(value)
    return { low: key, high: key, exact: value }
  })
  return projected.every((literal) => literal !== undefined) ? projected : null
}

// ---- the comparison

function mayMatch(op: PruneTerm['op'], literals: readonly Literal[] | null, range: Range): boolean {
  if (op === 'is null') return range.mayBeNull
  if (range.onlyNull) return false
  if (op === 'is not null' || !literals) return true
  if (op === 'in') return literals.length === 0 || literals.some((literal) => mayCompare('=', literal, range))
  return literals.every((literal) => mayCompare(op, literal, range))
}

// The literal is a range: what is below it is below its high end, what is above it is above its low end.
function mayCompare(op: '=' | '<' | '<=' | '>' | '>=', literal: Literal, { lower, upper, mayBeNan }: Range): boolean {
  const toHigh = lower === undefined ? -1 : compare(lower, literal.high)
  const toLow = upper === undefined ? 1 : compare(upper, literal.low)
  switch (op) {
    case '=':
      return toHigh <= 0 && toLow >= 0
    case '<':
      return toHigh < 0
    case '<=':
      return toHigh <= 0
    case '>':
      return toLow > 0 || mayBeNan
    case '>=':
      return toLow >= 0 || mayBeNan
  }
}
