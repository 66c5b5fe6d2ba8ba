// Results of checks: one row each time a check ran, with a sample of the rows that failed.
import type { Store } from './open-store.ts'
import type { CheckResultRow } from './tables.ts'

export interface CheckResult {
  readonly id: string
  readonly set: string
  readonly check: string
  readonly relation: string
  readonly severity: 'warn' | 'block' | 'quarantine'
  readonly status: 'pass' | 'fail' | 'error'
  readonly failedRows: number | null
  readonly totalRows: number | null
  /** What was measured, for checks of a number. */
  readonly value: number | null
  /** Some failed rows, or the error's text. */
  readonly sample: unknown
  readonly runId: string | null
  readonly snapshotId: string | null
  readonly ranMs: number
}

type Database = Pick<Store, 'read' | 'write'>

export const insertCheckResults = (store: Database, results: readonly CheckResult[]): Promise<void> =>
  store.write(async (tx) => {
    for (const result of results) await tx.insertInto('checkResults').values(toRow(result)).execute()
  })

export interface CheckResultFilter {
  readonly check?: string
  readonly relation?: string
  readonly runId?: string
  readonly sinceMs?: number
  readonly limit?: number
}

/** Newest first. */
export async function listCheckResults(store: Database, filter: CheckResultFilter = {}): Promise<CheckResult[]> {
  let query = store.read.selectFrom('checkResults').selectAll()
  if (filter.check !== undefined) query = query.where('checkName', '=', filter.check)
  if (filter.relation !== undefined) query = query.where('relation', '=', filter.relation)
  if (filter.runId !== undefined) query = query.where('runId', '=', filter.runId)
  if (filter.sinceMs !== undefined) query = query.where('ranMs', '>=', filter.sinceMs)
  const rows = await query
    .orderBy('ranMs', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit ?? 100)
    .execute()
  return rows.map(fromRow)
}

/** The last result of every check, by name. */
export async function latestCheckResults(store: Database): Promise<CheckResult[]> {
  const rows = await store.read
    .selectFrom('checkResults as result')
    .selectAll('result')
    .where('result.id', '=', (eb) =>
      eb
        .selectFrom('checkResults as other')
        .select('other.id')
        .whereRef('other.checkName', '=', 'result.checkName')
        .orderBy('other.ranMs', 'desc')
        .orderBy('other.id', 'desc')
        .limit(1),
    )
    .orderBy('result.checkName')
    .execute()
  return rows.map(fromRow)
}

/** Removes results from before a time, except the last of each check; answers how many. */
export const removeCheckResults = (store: Database, beforeMs: number): Promise<number> =>
  store.write(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('checkResults')
      .where('ranMs', '<', beforeMs)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('checkResults as newer')
            .select('newer.id')
            .whereRef('newer.checkName', '=', 'checkResults.checkName')
            .whereRef('newer.ranMs', '>', 'checkResults.ranMs'),
        ),
      )
      .executeTakeFirst()
    return Number(numDeletedRows)
  })

function toRow({ set, check, sample, ...rest }: CheckResult): CheckResultRow {
  return { ...rest, setName: set, checkName: check, sample: JSON.stringify(sample ?? null) }
}

function fromRow({ setName, checkName, sample, ...rest }: CheckResultRow): CheckResult {
  return {
    ...rest,
    set: setName,
    check: checkName,
    sample: JSON.parse(sample) as unknown,
    severity: rest.severity as CheckResult['severity'],
    status: rest.status as CheckResult['status'],
  }
}
