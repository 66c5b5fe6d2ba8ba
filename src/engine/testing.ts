// For tests of whatever runs SQL: an engine in a directory of its own that goes with it, and batches from plain values.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../core/clock.ts'
import type { LakeTable } from '../lake/types.ts'
import { type Column, type ColumnBatch, laneOf } from '../schema/batch.ts'
import type { Field, Type } from '../schema/type.ts'
import { type Engine, type EngineOptions, openEngine, type Session } from './duckdb.ts'

export interface TestEngine {
  readonly engine: Engine
  readonly session: Session
  /** Where statements may read and write. */
  readonly directory: string
  [Symbol.asyncDispose](): Promise<void>
}

export async function openTestEngine(options: Partial<EngineOptions> = {}): Promise<TestEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-engine-'))
  mkdirSync(join(directory, 'data'))
  const engine = await openEngine({
    clock: systemClock,
    directories: [join(directory, 'data')],
    tempDirectory: join(directory, 'spill'),
    threads: 2,
    ...options,
  })
  const session = await engine.session()
  return {
    engine,
    session,
    directory: join(directory, 'data'),
    async [Symbol.asyncDispose]() {
      session.close()
      engine.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** A value in the form of its lane: number, bigint (integers), bytes (texts). */
export type LaneValue = null | number | bigint | Uint8Array

const field = (name: string, type: Type): Field => ({ name, type, optional: true })

/** A batch from values in the form of their lane: number, bigint or bytes. */
export function batchOf(types: Readonly<Record<string, Type>>, rows: readonly (readonly LaneValue[])[]): ColumnBatch {
  const fields = Object.entries(types).map(([name, type]) => field(name, type))
  return {
    shape: { fields },
    rows: rows.length,
    columns: fields.map(({ type }, index) =>
      columnOf(
        laneOf(type),
        rows.map((row) => row[index]!),
      ),
    ),
  }
}

function columnOf(kind: Column['kind'], values: readonly LaneValue[]): Column {
  const nulls = values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 1 : 0)) : null
  if (kind === 'number') return { kind, values: Float64Array.from(values, (value) => Number(value ?? 0)), nulls }
  if (kind === 'integer') {
    const isSafe = values.every((value) => value === null || Number.isSafeInteger(Number(value)))
    if (isSafe) return { kind, values: Float64Array.from(values, (value) => Number(value ?? 0)), big: null, nulls }
    return { kind, values: new Float64Array(0), big: BigInt64Array.from(values, (value) => BigInt((value as bigint) ?? 0n)), nulls }
  }
  const parts = values.map((value) => (value as Uint8Array | null) ?? new Uint8Array(0))
  const start = new Int32Array(parts.length)
  // A gap before each text, as when texts point into the lines that they came in.
  let at = 3
  for (const [row, part] of parts.entries()) {
    start[row] = at
    at += part.length + 3
  }
  const bytes = new Uint8Array(at)
  for (const [row, part] of parts.entries()) bytes.set(part, start[row]!)
  return { kind, bytes, start, length: Int32Array.from(parts, (part) => part.length), nulls }
}

export interface TestTable {
  /** Iceberg type by column name; ids count from 1. */
  readonly columns: Readonly<Record<string, string>>
  /** `{ seen_day: ['seen', 'day'] }` */
  readonly partitions?: Readonly<Record<string, readonly [column: string, transform: string]>>
  readonly sort?: readonly string[]
}

/** A table that nobody committed, to write files of. */
export function lakeTable({ columns, partitions = {}, sort = [] }: TestTable): LakeTable {
  const fields = Object.entries(columns).map(([name, type], index) => ({ id: index + 1, name, type, required: false }))
  const idOf = (column: string): number => fields.find(({ name }) => name === column)!.id
  const schema = { id: 0, fields, identifierIds: [] }
  const spec = {
    id: 0,
    fields: Object.entries(partitions).map(([name, [column, transform]], index) => ({
      sourceId: idOf(column),
      fieldId: 1000 + index,
      name,
      transform,
    })),
  }
  return {
    formatVersion: 2,
    name: 't',
    uuid: 'u',
    location: 'file:///none',
    metadataLocation: 'file:///none',
    schema,
    schemas: [schema],
    spec,
    specs: [spec],
    sort: sort.map(idOf),
    properties: {},
    snapshots: [],
    current: null,
    refs: {},
    log: [],
  }
}
