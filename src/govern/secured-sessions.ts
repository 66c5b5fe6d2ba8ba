// Sessions for questions: each sees the catalog of secured views and nothing else. Opening one costs two trips to the engine, so
// those of answered questions are kept for later ones. A session remembers nothing of who asked: a question is one SELECT, and
// one that made tables of its own is not given back.
import type { Engine, Session } from '../engine/duckdb.ts'
import { SECURED } from './views.ts'

const IDLE_MAX = 8

export class SecuredSessions {
  readonly #engine: Engine
  readonly #idle: Session[] = []
  #isClosed = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async take(): Promise<Session> {
    const known = this.#idle.pop()
    if (known) return known
    const session = await this.#engine.session()
    try {
      await session.run(`USE ${SECURED}`)
    } catch (error) {
      session.close()
      throw error
    }
    return session
  }

  give(session: Session): void {
    if (this.#isClosed || this.#idle.length >= IDLE_MAX) session.close()
    else this.#idle.push(session)
  }

  close(): void {
    this.#isClosed = true
    for (const session of this.#idle.splice(0)) session.close()
  }
}
