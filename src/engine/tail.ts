// The hot tail of a relation: rows that are in the log and not yet in a committed file, visible the moment they are appended: in DuckDB
// tables, or here until somebody reads them. It is a cache: after a crash it is filled again from the log. Generations let a flush take
// what came so far while new rows come in; one goes when it is retired and no reader holds it.
import { assert } from '../core/errors.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Field, Shape } from '../schema/type.ts'
import { SMALL_ROWS } from './batch-rows.ts'
import { appendBatch, createSql, tableName, typedSql } from './batch-table.ts'
import type { Engine, Session } from './duckdb.ts'
import { LatestRows } from './latest-rows.ts'
import { type Place, Places } from './places.ts'
import type { Layer } from './scan.ts'
import { quoteName } from './sql-text.ts'
import { WaitingRows } from './waiting-rows.ts'

export interface TailSpec {
  readonly name: string
  readonly shape: Shape
  /** Latest row of a key wins; empty = every row is kept. */
  readonly key: readonly string[]
  /** The key is empty, and the latest row is all that there is. */
  readonly isOneRow?: boolean
  /** Rows can go by their key: batches have the column `GONE` last, which says of which keys nothing but the key is left. */
  readonly canLose?: boolean
}

/** Marks what stands in a tail for a key whose row has gone: it hides older rows, and is none itself. */
export const GONE: Field = { name: '#gone', type: { kind: 'boolean' }, optional: false }

const shapeIn = ({ shape, canLose }: TailSpec): Shape => (canLose ? { fields: [...shape.fields, GONE] } : shape)

/** So many rows wait at most: a reader waits for 10 ms then. */
const WAITING_MAX = 16_384

let generations = 0

/** Where rows of a generation are while somebody shows or reads them. */
interface Shown extends Layer {
  readonly place: Place
  holds: number
  isLeft: boolean
}

/** What a reader has of a generation: the rows of when it came, until it lets go. */
export interface Held extends Layer {
  /** Name of the place: equal for equal `sql`. */
  readonly place: string
  letGo(): void
}

/** What a generation asks of its tail. */
interface Keeper {
  readonly places: Places
  /** Shows all that waits. */
  fill(generation: Generation): Promise<void>
}

/** Rows of the tail that are shown as one. */
export class Generation {
  readonly id = generations++
  readonly #spec: TailSpec
  readonly #keeper: Keeper
  #shown: Shown
  /** Of a keyed tail, while it has few keys: all its rows. */
  latest: LatestRows | null
  /** What its table does not have yet. */
  readonly waiting: WaitingRows
  /** There are rows that are not shown yet; they are when somebody comes to read them. */
  isBehind = false
  /** Readers that wait for rows. */
  #coming = 0
  #isRetired = false
  /** Rows that it took; in keyed tails several may be of one key. Grows with every change. */
  rows = 0
  bytes = 0
  /** Takes rows still. */
  isOpen = true

  /** Null: of few keys, until it has a table. */
  constructor(spec: TailSpec, keeper: Keeper, table: Place | null) {
    this.#spec = spec
    this.#keeper = keeper
    this.latest = table ? null : new LatestRows(shapeIn(spec), spec.key, SMALL_ROWS)
    this.waiting = new WaitingRows(shapeIn(spec))
    this.#shown = shownIn(spec, table ?? keeper.places.ofBatch(this.latest!.copy()))
  }

  get place(): string {
    return this.#shown.place.name
  }

  /** The rows of another place instead of those that it has: a reader sees one or the other. */
  show(place: Place): void {
    const before = this.#shown
    this.#shown = shownIn(this.#spec, place)
    this.#leave(before)
    this.isBehind = false
  }

  /** All that it took before; retired meanwhile, it stays for who came before. */
  async hold(): Promise<Held> {
    this.#coming++
    try {
      if (this.isBehind && this.latest) this.show(this.#keeper.places.ofBatch(this.latest.copy()))
      else if (this.isBehind) await this.#keeper.fill(this)
      return this.#hold()
    } finally {
      this.#coming--
      this.#leaveRetired()
    }
  }

  #hold(): Held {
    const shown = this.#shown
    assert(!shown.isLeft, 'what is held is shown')
    shown.holds++
    const { place, sql, keys } = shown
    return {
      place: place.name,
      sql,
      ...(keys === undefined ? {} : { keys }),
      letGo: () => {
        shown.holds--
        this.#giveBackUnused(shown)
      },
    }
  }

  /** Not part of what new readers see: goes as soon as nobody holds it. */
  retire(): void {
    this.#isRetired = true
    this.#leaveRetired()
  }

  #leaveRetired(): void {
    if (this.#isRetired && this.#coming === 0 && !this.#shown.isLeft) this.#leave(this.#shown)
  }

  #leave(shown: Shown): void {
    shown.isLeft = true
    this.#giveBackUnused(shown)
  }

  #giveBackUnused(shown: Shown): void {
    if (shown.isLeft && shown.holds === 0) this.#keeper.places.giveBack(shown.place)
  }
}

function shownIn(spec: TailSpec, place: Place): Shown {
  const { from } = place
  const rows = typedSql(spec.shape, from)
  const unused = { place, holds: 0, isLeft: false }
  if (!spec.canLose) return { ...unused, sql: rows }
  if (spec.isOneRow) return { ...unused, sql: `${rows} WHERE NOT ${quoteName(GONE.name)}`, keys: `SELECT 1 FROM ${from}` }
  const keys = typedSql({ fields: spec.shape.fields.filter(({ name }) => spec.key.includes(name)) }, from)
  return { ...unused, sql: `${rows} WHERE NOT ${quoteName(GONE.name)}`, keys }
}

/** One writer; calls are done in their order, so that a rotation never splits an append. */
export class HotTail {
  readonly #spec: TailSpec
  readonly #session: Session
  readonly #keeper: Keeper
  #active: Generation
  #last: Promise<unknown> = Promise.resolve()

  private constructor(spec: TailSpec, session: Session, places: Places, table: Place | null) {
    this.#spec = spec
    this.#session = session
    this.#keeper = { places, fill: (generation) => this.#next(() => this.#fill(generation)) }
    this.#active = new Generation(spec, this.#keeper, table)
  }

  static async open(engine: Engine, spec: TailSpec): Promise<HotTail> {
    const session = await engine.session()
    const places = new Places(spec.name, shapeIn(spec), await engine.session(), isReplaced(spec))
    return new HotTail(spec, session, places, await firstPlace(spec, places))
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

  /** Who holds the active generation after it resolves has the rows: all of the batch or nothing. */
  append(batch: ColumnBatch): Promise<void> {
    return this.#next(async () => {
      const generation = this.#active
      if (!generation.latest?.take(batch)) await this.#wait(generation, batch)
      generation.isBehind = true
      generation.rows += batch.rows
      generation.bytes += sizeOf(batch)
    })
  }

  async #wait(generation: Generation, batch: ColumnBatch): Promise<void> {
    if (generation.latest) {
      // Many keys: from now on they are in a table.
      generation.show(await this.#filled(generation.latest.copy()))
      generation.latest = null
    }
    if (generation.waiting.rows + batch.rows > WAITING_MAX) await this.#fill(generation)
    generation.waiting.add(batch)
  }

  /** Into the table what waits. By key it replaces what the table has, row by row; a reader sees before or after, nothing between. */
  async #fill(generation: Generation): Promise<void> {
    const { waiting, place } = generation
    if (waiting.rows === 0) return
    if (this.#spec.key.length > 0) await this.#merge(place, waiting.batch)
    else await appendBatch(this.#session, place, waiting.batch)
    waiting.clear()
    generation.isBehind = false
  }

  /** A table with the rows of the batch. */
  async #filled(batch: ColumnBatch): Promise<Place> {
    const { places } = this.#keeper
    const place = await places.ofTable()
    try {
      await appendBatch(this.#session, place.name, batch)
      return place
    } catch (error) {
      places.giveBack(place)
      throw error
    }
  }

  async #merge(into: string, batch: ColumnBatch): Promise<void> {
    const incoming = `${this.#spec.name}#incoming`
    try {
      await this.#session.run(`BEGIN; ${createSql(shapeIn(this.#spec), incoming)}`)
      await appendBatch(this.#session, incoming, batch)
      await this.#session.run([...upsertSql(this.#spec, into), 'COMMIT'].join('; '))
    } catch (error) {
      await this.#session.run('ROLLBACK').catch(() => {}) // a commit that failed has ended it
      throw error
    }
  }

  /** A generation of its own, beside the active one: for rows that are shown but not final. */
  separate(batch: ColumnBatch): Promise<Generation> {
    return this.#next(async () => {
      const generation = new Generation(this.#spec, this.#keeper, await this.#filled(batch))
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
    const fresh = new Generation(this.#spec, this.#keeper, await firstPlace(this.#spec, this.#keeper.places))
    this.#active.isOpen = false
    this.#active = fresh
  }

  #next<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => {})
    return result
  }
}

/** A row takes the place of another; until there are many, they need no table. */
const isReplaced = ({ key, isOneRow }: TailSpec): boolean => key.length > 0 || isOneRow === true

const firstPlace = async (spec: TailSpec, places: Places): Promise<Place | null> => (isReplaced(spec) ? null : places.ofTable())

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

function sizeOf(batch: ColumnBatch): number {
  let size = 0
  for (const column of batch.columns) {
    if (column.kind !== 'bytes') size += batch.rows * 8
    else for (let row = 0; row < batch.rows; row++) size += 16 + column.length[row]!
  }
  return size
}
