// Empty tables of one shape, made ahead of need: rows that somebody waits for go into one of them without a word with the engine
// before, each of which costs a turn of a thread. Names come back, so that what is kept by the text of a question stays in use.
import type { Session } from './duckdb.ts'

/** So many wait to be used; more are dropped. */
const SPARE_MAX = 4

let tables = 0

export class SpareTables {
  readonly #name: string
  readonly #createSql: (table: string) => string
  readonly #dropSql: (table: string) => string
  /** Of its own: never within a transaction of the writer's. */
  readonly #session: Session
  readonly #ready: string[] = []
  #making = 0

  constructor(name: string, session: Session, sql: { create(table: string): string; drop(table: string): string }) {
    this.#name = name
    this.#session = session
    this.#createSql = sql.create
    this.#dropSql = sql.drop
  }

  /** The name of an empty one. */
  async take(): Promise<string> {
    const ready = this.#ready.pop()
    if (ready !== undefined) return ready
    const table = `${this.#name}#${tables++}`
    await this.#session.run(this.#createSql(table))
    return table
  }

  /** Nobody reads it any more. What fails here fails only when the engine is closed, and then the table is gone. */
  giveBack(table: string): void {
    if (this.#ready.length + this.#making >= SPARE_MAX) {
      this.#session.run(this.#dropSql(table)).catch(() => {})
      return
    }
    this.#making++
    this.#session
      .run(this.#createSql(table))
      .then(() => void this.#ready.push(table))
      .catch(() => {})
      .finally(() => this.#making--)
  }
}
