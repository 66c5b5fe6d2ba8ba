// What a caller is told when a question fails. To somebody from whom a policy hides something, an error of the engine while
// it reads rows could tell about them: such errors get constant words, and only so many in ten minutes, since each still
// tells one bit. The true message belongs into the audit trail.
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'

const BUDGET = 20
const WINDOW_MS = 600_000

/** Codes of what fails while rows are read: the message can hold a value, be it in the path of a partition. */
const SAYS_VALUES: ReadonlySet<string> = new Set(['MR_SQL_RUNTIME', 'MR_ENGINE', 'MR_INTERNAL', 'MR_LAKE_CORRUPT'])

/** Whether the failure counts against the budget: it happened while rows were read. */
export const tellsOneBit = (error: MillraceError): boolean => SAYS_VALUES.has(error.code) || error.code === 'MR_SQL_MEMORY'

/**
 * The error as a restricted caller may see it: never the engine's own text, the same words whatever the rows hold. `id` finds
 * the record in the audit trail.
 */
export function withoutValues(error: MillraceError, id: string): MillraceError {
  if (SAYS_VALUES.has(error.code))
    return new MillraceError('MR_SQL_RUNTIME', `the query failed while running (${id}); the audit trail has the details`, {
      fix: 'check casts and arithmetic, use TRY_CAST, or ask an administrator for the details',
    })
  const isOurs = error.cause === undefined
  if (isOurs || (error.code !== 'MR_SQL_UNKNOWN' && error.code !== 'MR_SQL_TYPE')) return error
  const message = error.code === 'MR_SQL_UNKNOWN' ? unknownName(error.message) : wrongTypes(error.message)
  return new MillraceError(error.code, message, error.fix === undefined ? {} : { fix: error.fix })
}

/** As a run keeps it whose rows are encrypted: the engine's text could hold some of them. */
export function withoutRows(error: MillraceError, relation: string): MillraceError {
  if (!SAYS_VALUES.has(error.code)) return error
  return new MillraceError(
    error.code,
    `${relation} failed while rows were read; it is encrypted, so what the engine says of them is not kept`,
    {
      fix: 'ask the same by `millrace query`, which tells all of it and keeps none',
    },
  )
}

/** The name that is not there, and those of visible columns that the engine found near it. */
function unknownName(message: string): string {
  const name = /(column|table|Table|Column)\b[^"]*"([^"]+)"/.exec(message)
  const near = /Candidate \w+: (.+)$/s.exec(message)?.[1]?.match(/"[^"]+"/g) ?? []
  const what = name ? `there is no ${name[1]!.toLowerCase()} "${name[2]}"` : 'a name in the query does not exist, or means several things'
  return near.length === 0 ? what : `${what}; near it are ${near.join(', ')}`
}

function wrongTypes(message: string): string {
  const call = /argument types '([^']+)'/.exec(message)
  return call ? `there is no function for ${call[1]}` : 'the types of an expression do not fit'
}

/** Failures of each restricted caller in the last ten minutes, in the memory of one process. */
export class FailureBudget {
  readonly #clock: Clock
  readonly #failures = new Map<string, number[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  #recent(caller: string): number[] {
    const recent = (this.#failures.get(caller) ?? []).filter((atMs) => this.#clock.nowMs() - atMs < WINDOW_MS)
    if (recent.length === 0) this.#failures.delete(caller)
    else this.#failures.set(caller, recent)
    return recent
  }

  /** @throws MR_ACCESS_BUDGET when the caller has used it up. */
  check(caller: string): void {
    if (this.#recent(caller).length < BUDGET) return
    throw new MillraceError('MR_ACCESS_BUDGET', `${BUDGET} queries failed within ten minutes; wait some minutes`, {
      fix: 'correct the query before asking again',
    })
  }

  spend(caller: string): void {
    this.#failures.set(caller, [...this.#recent(caller), this.#clock.nowMs()])
  }
}
