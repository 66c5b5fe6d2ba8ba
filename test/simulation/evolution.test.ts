// Evolution over random histories: columns are added, dropped, renamed, moved, widened and come back under old names, the
// partition spec and the sort order change, files are rewritten. Every snapshot keeps the rows and columns that it had, and
// what is pruned by files of several specs and schemas loses no row. One seed alone: MILLRACE_TEST_SEED=17.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { PartitionRule } from '../../src/define/manifest.ts'
import { duckTypeOfIceberg, parquetSql } from '../../src/engine/parquet.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { literal, quoteName, quoteText } from '../../src/engine/sql-text.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { writeParquet } from '../../src/engine/write.ts'
import { schemaOf } from '../../src/lake/list-files.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { DataFile, LakeSnapshot, LakeTable, PruneTerm, TableChange } from '../../src/lake/types.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import type { Field, Type } from '../../src/schema/type.ts'
import { modelCatalog } from './model-catalog.ts'

const SEEDS = process.env['MILLRACE_TEST_SEED']
  ? [Number(process.env['MILLRACE_TEST_SEED'])]
  : Array.from({ length: process.env['MILLRACE_TEST_ALL'] ? 100 : 8 }, (_, seed) => seed + 1)
const STEPS = 20

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

const pick = <T>(random: Random, choices: readonly T[]): T => choices[integer(random, choices.length)]!

/** A column of the model: its identity is the object, whatever it is called. */
interface Column {
  field: Field
}

/** Values as the engine prints them; a column that is missing is null. */
type Row = ReadonlyMap<Column, string | null>

const TYPES: Type[] = [
  { kind: 'int' },
  { kind: 'float' },
  { kind: 'decimal', precision: 6, scale: 2 },
  { kind: 'string' },
  { kind: 'date' },
  { kind: 'timestamp' },
  { kind: 'long' },
  { kind: 'uuid' },
]

function wider(type: Type): Type | null {
  if (type.kind === 'int') return { kind: 'long' }
  if (type.kind === 'float') return { kind: 'double' }
  return type.kind === 'decimal' && type.precision < 30 ? { ...type, precision: type.precision + 8 } : null
}

/** A value that is the same text in every type that its column may widen to. */
function someValue(random: Random, { kind }: Type): string | null {
  const n = integer(random, 30)
  if (n > 26) return null
  switch (kind) {
    case 'int':
    case 'long':
      return String(n - 10)
    case 'float':
    case 'double':
      return `${n - 10}.5`
    case 'decimal':
      return `${n}.25`
    case 'string':
      return `text ${n}`
    case 'date':
      return `2024-0${1 + (n % 9)}-1${n % 10}`
    case 'timestamp':
      return `2024-0${1 + (n % 9)}-01 ${10 + (n % 10)}:00:00+00`
    default:
      return `00000000-0000-0000-0000-0000000000${10 + n}`
  }
}

class History {
  readonly random: Random
  readonly lake: Lake
  readonly #name: string
  #columns: Column[] = [{ field: { name: 'id', type: { kind: 'long' }, optional: false } }]
  #rows: Row[] = []
  #next = 0
  /** What each snapshot has: columns by name, and rows. */
  readonly #then = new Map<bigint, string[]>()
  counts = { pruned: 0, specs: 0, schemas: 0, sorts: 0, sorted: 0 }

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.#name = `t${seed}`
    const directory = `${parts.directory}/lake`
    this.lake = openLake({ disk: nodeDisk, clock: systemClock, random: this.random, catalog: modelCatalog(), directory })
  }

  async run(): Promise<void> {
    for (const type of TYPES) this.#columns.push({ field: { name: `c_${type.kind}`, type, optional: true } })
    await this.lake.create({ name: this.#name, shape: this.#shape(), partition: [], cluster: [], key: [] })
    for (let step = 0; step < STEPS; step++) {
      await this.#step(await this.lake.table(this.#name))
      await this.#compare()
    }
    const table = await this.lake.table(this.#name)
    for (const snapshot of table.snapshots) await this.#travel(table, snapshot)
    Object.assign(this.counts, { specs: table.specs.length, schemas: table.schemas.length })
  }

  #shape = () => ({ fields: this.#columns.map(({ field }) => field) })

  #commit = async (change: Partial<TableChange>): Promise<LakeTable> =>
    (await this.lake.commit([{ table: this.#name, operation: 'append', add: [], remove: [], ...change }])).tables[0]!

  /** A column that neither is the key nor is in use by partition or order. */
  #free(table: LakeTable): Column | undefined {
    const used = new Set([...table.spec.fields.map((field) => field.sourceId), ...table.sort])
    const names = new Set(table.schema.fields.filter((field) => used.has(field.id)).map((field) => field.name))
    return pick(
      this.random,
      this.#columns.filter(({ field }) => field.name !== 'id' && !names.has(field.name)),
    )
  }

  async #step(table: LakeTable): Promise<void> {
    const column = pick(
      this.random,
      this.#columns.filter(({ field }) => field.name !== 'id'),
    ) as Column | undefined
    switch (integer(this.random, 10)) {
      case 0: {
        // Names come back, as other columns.
        const name = `n${integer(this.random, 4)}`
        if (this.#columns.some(({ field }) => field.name === name)) return
        this.#columns.splice(integer(this.random, this.#columns.length + 1), 0, {
          field: { name, type: pick(this.random, TYPES), optional: true },
        })
        return void (await this.#commit({ shape: this.#shape() }))
      }
      case 1: {
        const free = this.#free(table)
        if (!free || this.#columns.length < 4) return
        this.#columns = this.#columns.filter((other) => other !== free)
        return void (await this.#commit({ shape: this.#shape() }))
      }
      case 2: {
        const name = `r${this.#next++}`
        if (!column) return
        const renames = { [column.field.name]: name }
        column.field = { ...column.field, name }
        return void (await this.#commit({ shape: this.#shape(), renames }))
      }
      case 3: {
        const type = column && wider(column.field.type)
        if (!type) return
        column.field = { ...column.field, type }
        return void (await this.#commit({ shape: this.#shape() }))
      }
      case 4: {
        const rules = this.#rules()
        return void (await this.#commit({ partition: rules }))
      }
      case 5: {
        this.#columns.reverse()
        const cluster = [...new Set([pick(this.random, this.#columns).field.name, 'id'])]
        this.counts.sorts++
        return void (await this.#commit({ shape: this.#shape(), cluster }))
      }
      case 6:
        return this.#rewrite(table)
      default:
        return this.#append(table)
    }
  }

  #rules(): PartitionRule[] {
    const rules = this.#columns.flatMap(({ field }): PartitionRule[] => {
      const { name, type } = field
      if (integer(this.random, 4) > 0) return []
      if (type.kind === 'timestamp') return [{ transform: pick(this.random, ['year', 'month', 'day', 'hour']), column: name }]
      if (type.kind === 'date') return [{ transform: pick(this.random, ['year', 'month', 'day', 'identity']), column: name }]
      if (type.kind === 'float' || type.kind === 'double') return []
      return [
        pick<PartitionRule>(this.random, [
          { transform: 'identity', column: name },
          { transform: 'bucket', column: name, buckets: 3 },
        ]),
      ]
    })
    return rules.slice(0, 2)
  }

  async #append(table: LakeTable): Promise<void> {
    const rows = Array.from({ length: 1 + integer(this.random, 6) }, () => {
      const values = this.#columns.map((column): [Column, string | null] => [
        column,
        column.field.name === 'id' ? String(this.#next++) : someValue(this.random, column.field.type),
      ])
      return new Map(values)
    })
    const selects = rows.map((row) => {
      const list = this.#columns.map(
        (column) => `CAST(${literal(row.get(column)!)} AS ${toDuckType(column.field.type)}) AS ${quoteName(column.field.name)}`,
      )
      return `SELECT ${list.join(', ')}`
    })
    const add = await this.#write(table, selects.join(' UNION ALL '))
    await this.#commit({ add })
    await this.#checkOrder(table, add)
    this.#rows.push(...rows)
  }

  /** Each file is in the order that the table has now, nulls last. */
  async #checkOrder(table: LakeTable, files: readonly DataFile[]): Promise<void> {
    const field = table.schema.fields.find(({ id }) => id === table.sort[0])
    for (const file of field ? files : []) {
      const column = { id: field!.id, name: 'v', type: duckTypeOfIceberg(field!.type) }
      const lists = 'list(v ORDER BY file_row_number) IS NOT DISTINCT FROM list(v ORDER BY v NULLS LAST)'
      assert.deepEqual((await parts.session.rows(`SELECT ${lists} FROM ${parquetSql([file], [column])}`)).rows, [[true]], field!.name)
      this.counts.sorted++
    }
  }

  #write = (table: LakeTable, select: string) => writeParquet(parts.session, { select, table, directory: this.lake.dataDirectory(table) })

  /** Some files become files of the present spec, schema and order, without their rows of even ids. */
  async #rewrite(table: LakeTable): Promise<void> {
    const files = (await this.lake.files(table)).filter(() => integer(this.random, 2) === 0)
    if (files.length === 0) return
    const scan = scanSql({ table, files, tails: [] })
    const gone = new Set((await parts.session.rows(`SELECT id::VARCHAR FROM (${scan}) WHERE id % 2 = 0`)).rows.map(([id]) => id))
    const add = await this.#write(table, `SELECT * FROM (${scan}) WHERE id % 2 <> 0`)
    await this.#commit({ operation: 'overwrite', add, remove: files.map((file) => file.path), validateFrom: table.current!.id })
    const id = (row: Row) => [...row].find(([column]) => column.field.name === 'id')![1]
    this.#rows = this.#rows.filter((row) => !gone.has(id(row)))
  }

  async #compare(): Promise<void> {
    const table = await this.lake.table(this.#name)
    if (!table.current) return
    const now = this.#rows.map((row) => JSON.stringify(this.#columns.map((column) => row.get(column) ?? null))).sort()
    assert.deepEqual(
      table.schema.fields.map((field) => field.name),
      this.#columns.map(({ field }) => field.name),
    )
    assert.deepEqual(await this.#read(table, table), now)
    await this.#travel(table, pick(this.random, table.snapshots))
    const byThen = schemaOf(table, { ...table.current, id: -1n })
    this.#then.set(table.current.id, await this.#read(table, { ...table, schema: byThen }))
    await this.#prune(table)
  }

  /** By the columns of then, whatever they are called now. */
  async #travel(table: LakeTable, snapshot: LakeSnapshot): Promise<void> {
    if (snapshot.id === table.current!.id) return
    const then = { ...table, schema: schemaOf(table, snapshot), current: snapshot }
    assert.deepEqual(await this.#read(table, then), this.#then.get(snapshot.id), `snapshot ${snapshot.sequence}`)
  }

  async #read(table: LakeTable, then: LakeTable, where: readonly PruneTerm[] = [], sql = 'true'): Promise<string[]> {
    const files = await this.lake.files(table, then.current, where)
    const list = then.schema.fields.map(({ name }) => `CAST(${quoteName(name)} AS VARCHAR)`).join(', ')
    const { rows } = await parts.session.rows(`SELECT ${list} FROM (${scanSql({ table: then, files, tails: [] })}) WHERE ${sql}`)
    return rows.map((row) => JSON.stringify(row)).sort()
  }

  async #prune(table: LakeTable): Promise<void> {
    const { field } = pick(this.random, this.#columns)
    const value = someValue(this.random, field.type)
    if (value === null) return
    const op = pick(this.random, ['=', '<', '>='] as const)
    const numeric = ['int', 'long', 'float', 'double'].includes(field.type.kind)
    const term = { column: field.name, op, values: [numeric ? Number(value) : value] }
    const sql = `${quoteName(field.name)} ${op} CAST(${quoteText(value)} AS ${toDuckType(field.type)})`
    assert.deepEqual(await this.#read(table, table, [term], sql), await this.#read(table, table, [], sql), sql)
    const all = await this.lake.files(table)
    const left = await this.lake.files(table, undefined, [term])
    this.counts.pruned += all.length - left.length
  }
}

test(`${SEEDS.length} random histories of columns, partitions and orders`, async () => {
  const all = { pruned: 0, specs: 0, schemas: 0, sorts: 0, sorted: 0 }
  for (const seed of SEEDS) {
    const history = new History(seed)
    await history.run().catch((error: Error) => {
      error.message = `seed ${seed}: ${error.message}`
      throw error
    })
    for (const key of Object.keys(all) as (keyof typeof all)[]) all[key] += history.counts[key]
  }
  const many = SEEDS.length
  if (many > 1)
    assert.ok(
      all.pruned > 10 * many && all.specs > 2 * many && all.schemas > 4 * many && all.sorts > many && all.sorted > many,
      JSON.stringify(all),
    )
})
