// Where rows of a tail are shown from: tables, of which empty ones are made ahead of need, since each word with the engine costs a
// turn of a thread; and batches, which statements ask for as they are. Names come back, so that what is kept by the text of a
// question stays in use.
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { addSmallRows, type SmallRows } from './batch-rows.ts'
import { createSql, tableName } from './batch-table.ts'
import type { Session } from './duckdb.ts'

/** So many tables wait to be used; more are dropped. */
const SPARE_MAX = 4

let places = 0

export interface Place {
  /** Of a table in `tail`, or of a batch. */
  readonly name: string
  /** For FROM. */
  readonly from: string
  /** Absent: it is a table. */
  readonly rows?: SmallRows
}

export class Places {
  readonly #name: string
  readonly #shape: Shape
  /** Of its own: never within a transaction of the writer's. */
  readonly #session: Session
  readonly #tables: Place[] = []
  readonly #openRows: (() => SmallRows) | null
  readonly #batches: { readonly name: string; readonly rows: SmallRows }[] = []
  #making = 0

  /** Of rows of the shape; names begin with `name`. The session has nothing else to do. */
  constructor(name: string, shape: Shape, session: Session, hasBatches: boolean) {
    this.#name = name
    this.#shape = shape
    this.#session = session
    this.#openRows = hasBatches ? addSmallRows(session.connection, shape) : null
  }

  /** An empty table. */
  async ofTable(): Promise<Place> {
    const ready = this.#tables.pop()
    if (ready) return ready
    const name = `${this.#name}#${places++}`
    await this.#session.run(createSql(this.#shape, name))
    return { name, from: tableName(name) }
  }

  /** Of up to `SMALL_ROWS` rows, where there are batches. */
  ofBatch(batch: ColumnBatch): Place {
    const { name, rows } = this.#batches.pop() ?? { name: `${this.#name}#${places++}`, rows: this.#openRows!() }
    rows.batch = batch
    return { name, from: rows.sql, rows }
  }

  /** Nobody reads it any more. What fails here fails only when the engine is closed, and then the table is gone. */
  giveBack(place: Place): void {
    const { name, rows } = place
    if (rows) {
      rows.batch = null
      this.#batches.push({ name, rows })
    } else if (this.#tables.length + this.#making >= SPARE_MAX) {
      this.#session.run(`DROP TABLE IF EXISTS ${tableName(name)}`).catch(() => {})
    } else {
      this.#making++
      this.#session
        .run(createSql(this.#shape, name))
        .then(() => void this.#tables.push(place))
        .catch(() => {})
        .finally(() => this.#making--)
    }
  }
}
