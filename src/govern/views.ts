// The views that questions read, in catalogs that hold nothing else. A view is named after its own text, so a name can
// never show anything but what it was made for; it is made when first needed and goes when many are and nobody uses it.
import { createHash } from 'node:crypto'
import type { Session } from '../engine/duckdb.ts'
import { quoteName } from '../engine/sql-text.ts'

/** What questions see: the default catalog of their sessions. */
export const SECURED = 'secured'
/** Inputs of models, without a policy: reached by the text of our own views only. */
export const DEFINER = 'definer'

interface View {
  users: number
  readonly made: Promise<void>
}

export class Views {
  readonly #session: Session
  readonly #max: number
  readonly #views = new Map<string, View>()
  #last: Promise<void> = Promise.resolve()

  /** `max`: how many may stay that nobody uses. */
  constructor(session: Session, max: number) {
    this.#session = session
    this.#max = max
  }

  get size(): number {
    return this.#views.size
  }

  async open(): Promise<void> {
    for (const catalog of [SECURED, DEFINER]) await this.#session.run(`ATTACH ':memory:' AS ${catalog}`)
  }

  /** The name of a view of `select` that stays until `release`. @throws MR_SQL_* when the text does not bind. */
  async use(catalog: typeof SECURED | typeof DEFINER, relation: string, select: string): Promise<{ name: string; release(): void }> {
    const name = `${relation}#${createHash('sha256').update(select).digest('hex').slice(0, 24)}`
    const key = `${catalog}.main.${quoteName(name)}`
    let view = this.#views.get(key)
    if (!view) view = { users: 0, made: this.#inOrder(`CREATE OR REPLACE VIEW ${key} AS ${select}`) }
    this.#views.delete(key)
    this.#views.set(key, view)
    view.users++
    try {
      await view.made
    } catch (error) {
      if (this.#views.get(key) === view) this.#views.delete(key)
      throw error
    }
    if (this.#views.size > this.#max) this.#dropIdle()
    return { name, release: () => void view.users-- }
  }

  /** The least recently used half of what is allowed. */
  #dropIdle(): void {
    for (const [key, view] of this.#views) {
      if (this.#views.size <= this.#max / 2) return
      if (view.users > 0) continue
      this.#views.delete(key)
      this.#inOrder(`DROP VIEW IF EXISTS ${key}`).catch(() => {})
    }
  }

  /** One change at a time, so that dropping a view and making it again cannot change places. */
  #inOrder(statement: string): Promise<void> {
    const done = this.#last.then(() => this.#session.run(statement))
    this.#last = done.catch(() => {})
    return done
  }
}
