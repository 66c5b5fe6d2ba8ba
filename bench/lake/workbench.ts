// What the cases of bench/lake.ts work with: engine, control database and lake as the program opens them, in a directory of
// their own, and the table that most cases write.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { type Engine, openEngine, type Session } from '../../src/engine/duckdb.ts'
import { RelationStore } from '../../src/engine/relations.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { DataFile, LakeTable } from '../../src/lake/types.ts'
import type { Shape } from '../../src/schema/type.ts'
import { openStore } from '../../src/store/open-store.ts'

export interface Workbench {
  readonly directory: string
  readonly engine: Engine
  readonly parser: SqlParser
  readonly session: Session
  readonly lake: Lake
  readonly relations: RelationStore
  /** The same tables with nothing in memory. */
  coldLake(): Lake
  /** An empty table of `SHAPE`, clustered by id; keyed by it when asked. */
  table(name: string, options?: { readonly isKeyed?: boolean; readonly formatVersion?: 2 | 3 }): Promise<LakeTable>
  append(table: string, add: readonly DataFile[]): Promise<LakeTable>
  close(): Promise<void>
}

export const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'customer', type: { kind: 'int' }, optional: false },
    { name: 'amount', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: false },
    { name: 'note', type: { kind: 'string' }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
  ],
}

/** Rows of `SHAPE` with the ids that `ids` selects as `id`. */
export const rowsOf = (ids: string, note = 'first'): string => `SELECT id, (hash(id) % 100000)::INTEGER AS customer,
  ((hash(id + 1) % 100000) / 100)::DECIMAL(12, 2) AS amount, '${note} ' || id AS note, make_timestamptz(1767225600000000 + id * 1000) AS seen FROM (${ids})`

/** Rows of `SHAPE` with ids from `from` to before `to`. */
export const rangeSql = (from: number, to: number): string => rowsOf(`SELECT range AS id FROM range(${from}, ${to})`)

export async function openWorkbench(directory: string): Promise<Workbench> {
  const data = join(directory, 'lake')
  mkdirSync(data, { recursive: true })
  const engine = await openEngine({ clock: systemClock, directories: [directory], tempDirectory: join(directory, 'spill') })
  const store = openStore(join(directory, 'control.db'))
  const coldLake = (): Lake =>
    openLake({ disk: nodeDisk, clock: systemClock, random: systemRandom, catalog: store.catalog, directory: data })
  const lake = coldLake()
  const parser = await openParser(engine)
  const session = await engine.session()
  return {
    directory,
    engine,
    parser,
    session,
    lake,
    relations: new RelationStore(engine, lake),
    coldLake,
    table: (name, { isKeyed = false, formatVersion = 2 } = {}) =>
      lake.create({ name, shape: SHAPE, partition: [], cluster: ['id'], key: isKeyed ? ['id'] : [], formatVersion }),
    append: async (table, add) => (await lake.commit([{ table, operation: 'append', add, remove: [] }])).tables[0]!,
    async close() {
      session.close()
      parser.close()
      engine.close()
      await store.close()
    },
  }
}
