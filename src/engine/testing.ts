// An engine for tests: in a directory of its own that goes with it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../core/clock.ts'
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
