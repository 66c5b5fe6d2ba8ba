// The hot tail of a relation: rows that are in the log and not yet in a committed file, in DuckDB tables, visible the moment
// they are appended. It is a cache: after a crash it is filled again from the log. Generations let a flush take what came so
// far while new rows come in; one goes when it is retired and no reader holds it.
import type { ColumnBatch } from '../schema/batch.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Field, Shape, Type } from '../schema/type.ts'
import type { Engine, Session } from './duckdb.ts'
import { appendBatch, appendRows, ingestTypes } from './ingest.ts'
import { LatestRows } from './latest-rows.ts'
import { quoteName } from './sql-text.ts'

export interface TailSpec {
  readonly name: string
  readonly shape: Shape
  /** Latest row of a key wins; empty = every row is kept. */
  readonly key: readonly string[]
  /** Rows can go by their key: batches have the column `GONE` last, which says of which keys nothing but the key is left. */
  readonly canLose?: boolean
}

/** Up to so many keys the rows of a generation are replaced as a whole. */
const WHOLE_KEYS_MAX = 4_096

/** Marks what stands in a tail for a key whose row has gone: it hides older rows, and is none itself. */
export const GONE: Field = { name: '#gone', type: { kind: 'boolean' }, optional: false }

const shapeIn = ({ shape, canLose }: TailSpec): Shape => (canLose ? { fields: [...shape.fields, GONE] } : shape)

let generations = 0

/** One table of the tail. */
export class Generation {
  readonly id = generations++
  /** SELECT of its rows with the types of the relation. */
  readonly sql: string
  /** SELECT of the keys whose older rows it hides; absent: those of its rows. */
  readonly keys?: string
  readonly table: string
  /** Of a keyed tail, while it has few keys. */
  latest: LatestRows | null
  readonly #drop: () => void
  #holds = 0
  #isRetired = false
  /** Rows that it took; in keyed tails several may be of one key. Grows with every change. */
  rows = 0
  bytes = 0
  /** Takes rows still. */
  isOpen = true

  constructor(spec: TailSpec, drop: (table: string) => void) {
    this.table = `${spec.name}#${this.id}`
    const rows = typedSql(spec.shape, this.table)
    this.sql = spec.canLose ? `${rows} WHERE NOT ${quoteName(GONE.name)}` : rows
    if (spec.canLose) this.keys = typedSql({ fields: spec.shape.fields.filter(({ name }) => spec.key.includes(name)) }, this.table)
    this.latest = new LatestRows(shapeIn(spec), spec.key, WHOLE_KEYS_MAX)
    this.#drop = () => drop(this.table)
  }

  hold(): void {
    this.#holds++
  }

  letGo(): void {
    this.#holds--
    if (this.#isRetired && this.#holds === 0) this.#drop()
  }

  /** Not part of what new readers see: goes as soon as nobody holds it. */
  retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    if (this.#holds === 0) this.#drop()
  }
}

/** Decimals of more than 18 digits are text in the tail; those of less than 10 are stored wider. */
function isCast(type: Type): boolean {
  switch (type.kind) {
    case 'decimal':
      return type.precision > 18 || type.precision < 10
    case 'struct':
      return type.fields.some((field) => isCast(field.type))
    case 'list':
      return isCast(type.element.type)
    case 'map':
      return isCast(type.key) || isCast(type.value.type)
    default:
      return false
  }
}

/** SELECT of the rows of such a table with the types of the shape: what is compared with stored rows is this and not the table. */
export function typedSql(shape: Shape, table: string): string {
  const columns = shape.fields.map((field) =>
    isCast(field.type) ? `CAST(${quoteName(field.name)} AS ${toDuckType(field.type)}) AS ${quoteName(field.name)}` : quoteName(field.name),
  )
  return `SELECT ${columns.join(', ')} FROM ${tableName(table)}`
}

export const tableName = (table: string): string => `memory.tail.${quoteName(table)}`

/** One writer; calls are done in their order, so that a rotation never splits an append. */
export class HotTail {
  readonly #spec: TailSpec
  readonly #session: Session
  /** Drops happen on a connection of their own: never within a transaction of the writer's. */
  readonly #drops: Session
  #active: Generation
  #last: Promise<unknown> = Promise.resolve()

  private constructor(spec: TailSpec, session: Session, drops: Session, active: Generation) {
    this.#spec = spec
    this.#session = session
    this.#drops = drops
    this.#active = active
  }

  static async open(engine: Engine, spec: TailSpec): Promise<HotTail> {
    const session = await engine.session()
    const drops = await engine.session()
    return new HotTail(spec, session, drops, await createGeneration(spec, session, drops))
  }

  /** Rows that the active generation took. */
  get rows(): number {
    return this.#active.rows
  }

  /** Size of what the active generation took, about. */
  get bytes(): number {
    return this.#active.bytes
  }

  /** Starts empty; answers the new active generation. What there was is not retired: whoever showed it does that. */
  clear(): Promise<Generation> {
    return this.#next(async () => {
      if (this.#active.rows === 0 && this.#active.isOpen) return this.#active
      await this.#renew()
      return this.#active
    })
  }

  /** Rows are visible in the active generation's SQL when it resolves: all of the batch or nothing. */
  append(batch: ColumnBatch): Promise<void> {
    return this.#next(async () => {
      const generation = this.#active
      if (this.#spec.key.length > 0) await this.#upsert(generation, batch)
      else await appendBatch(this.#session.connection, 'tail', generation.table, batch)
      generation.rows += batch.rows
      generation.bytes += sizeOf(batch)
    })
  }

  /**
   * The last row of each key of the batch replaces what the table has; a reader sees before or after, nothing between.
   */
  async #upsert(generation: Generation, batch: ColumnBatch): Promise<void> {
    const { latest } = generation
    generation.latest = null // stays so when it fails: the table has what it had before
    const whole = latest?.take(batch)
    if (!whole) return this.#within(`${this.#spec.name}#incoming`, batch, upsertSql(this.#spec, generation.table))
    await this.#within(generation.table, whole, [])
    generation.latest = latest
  }

  /**
   * Makes `table` anew with the rows and does the rest, in one transaction. Two trips to the engine: each costs a turn of a
   * thread, and a live model does this all the time.
   */
  async #within(table: string, batch: ColumnBatch, rest: readonly string[]): Promise<void> {
    try {
      await this.#session.run(`BEGIN; ${createSql(shapeIn(this.#spec), table)}`)
      await appendRows(this.#session.connection, 'tail', table, batch)
      await this.#session.run([...rest, 'COMMIT'].join('; '))
    } catch (error) {
      await this.#session.run('ROLLBACK').catch(() => {}) // a commit that failed has ended it
      throw error
    }
  }

  /** A generation of its own, beside the active one: for rows that are shown but not final. */
  separate(batch: ColumnBatch): Promise<Generation> {
    return this.#next(async () => {
      const generation = await createGeneration(this.#spec, this.#session, this.#drops)
      await appendBatch(this.#session.connection, 'tail', generation.table, batch)
      generation.rows = batch.rows
      generation.isOpen = false
      return generation
    })
  }

  /** Ends the active generation and opens the next. `swap` runs before any later append begins. */
  rotate(swap: (frozen: Generation, active: Generation) => void): Promise<Generation> {
    return this.#next(async () => {
      const frozen = this.#active
      await this.#renew()
      swap(frozen, this.#active)
      return frozen
    })
  }

  async #renew(): Promise<void> {
    const fresh = await createGeneration(this.#spec, this.#session, this.#drops)
    this.#active.isOpen = false
    this.#active = fresh
  }

  #next<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => {})
    return result
  }
}

async function createGeneration(spec: TailSpec, session: Session, drops: Session): Promise<Generation> {
  const generation = new Generation(spec, (table) => {
    // It can fail only when the engine is closed, and then the table is gone.
    drops.run(`DROP TABLE IF EXISTS ${tableName(table)}`).catch(() => {})
  })
  await session.run(createSql(shapeIn(spec), generation.table))
  return generation
}

/** The rows of `<name>#incoming` into the table. */
function upsertSql({ name, key }: TailSpec, into: string): readonly string[] {
  const [table, source] = [tableName(into), tableName(`${name}#incoming`)]
  const columns = key.map(quoteName)
  const match = columns.map((column) => `t.${column} IS NOT DISTINCT FROM n.${column}`).join(' AND ')
  return [
    `DELETE FROM ${table} AS t USING ${source} AS n WHERE ${match}`,
    `INSERT INTO ${table} SELECT * FROM ${source} QUALIFY row_number() OVER (PARTITION BY ${columns.join(', ')} ORDER BY rowid DESC) = 1`,
  ]
}

/** A table in `tail` that takes batches of the shape, by `appendBatch`. */
export function createSql(shape: Shape, table: string): string {
  const types = ingestTypes({ shape })
  const columns = shape.fields.map((field, index) => `${quoteName(field.name)} ${types[index]!.toString()}`)
  return `CREATE OR REPLACE TABLE ${tableName(table)} (${columns.join(', ')})`
}

function sizeOf(batch: ColumnBatch): number {
  let size = 0
  for (const column of batch.columns) {
    if (column.kind !== 'bytes') size += batch.rows * 8
    else for (let row = 0; row < batch.rows; row++) size += 16 + column.length[row]!
  }
  return size
}
