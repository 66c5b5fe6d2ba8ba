// Runs the checks of one relation and gives verdicts. It reads, it never stops anything: who runs it decides what a failed
// `block` means.
import { formatAge } from '../core/duration.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { CheckManifest, CheckSetManifest } from '../define/manifest.ts'
import type { Session } from '../engine/duckdb.ts'
import type { Shape } from '../schema/type.ts'
import { judgeAnomaly } from './anomaly.ts'
import { type CompiledCheck, compileCheck, sharedScan } from './compile.ts'

export interface CheckOutcome {
  readonly set: string
  readonly check: CheckManifest
  /** `error`: it could not run. */
  readonly status: 'pass' | 'fail' | 'error'
  readonly failedRows: number | null
  readonly totalRows: number | null
  /** What it measured, where that is not a count of failing rows. */
  readonly measured: string | null
  /** The number that later runs compare with. */
  readonly value: number | null
}

export interface CheckContext {
  readonly nowMs: number
  /** Earlier values of a check, oldest first, for anomaly detection. */
  history(check: string): Promise<readonly number[]>
}

/** `session` knows `relation` and everything that the checks name. */
export async function runChecks(
  session: Session,
  sets: readonly CheckSetManifest[],
  shape: Shape,
  relation: string,
  context: CheckContext,
): Promise<CheckOutcome[]> {
  const all = sets.flatMap((set) => set.checks.map((check) => ({ set: set.name, compiled: compileCheck(check, shape, relation) })))
  if (all.length === 0) return []
  const values = await scanValues(
    session,
    all.map(({ compiled }) => compiled),
    relation,
  )
  const outcomes: CheckOutcome[] = []
  for (const [index, { set, compiled }] of all.entries()) outcomes.push(await judge(session, set, compiled, values, index, context))
  return outcomes
}

interface ScanValues {
  readonly total: number | null
  /** By index of the check; an error where it could not be computed. */
  readonly byIndex: ReadonlyMap<number, number | null | MillraceError>
}

/** One pass over the relation; when it fails, one for each check, so that only those fail that are to blame. */
async function scanValues(session: Session, compiled: readonly CompiledCheck[], relation: string): Promise<ScanValues> {
  try {
    return await scanOnce(session, compiled, relation)
  } catch (error) {
    const byIndex = new Map<number, number | null | MillraceError>()
    let total: number | null = null
    for (const [index, check] of compiled.entries()) {
      if (check.aggregate === null) continue
      const own = await scanOnce(session, [check], relation).catch(asMillraceError)
      byIndex.set(index, own instanceof MillraceError ? own : own.byIndex.get(0)!)
      if (!(own instanceof MillraceError)) total = own.total
    }
    if (byIndex.size === 0) throw error
    return { total, byIndex }
  }
}

async function scanOnce(session: Session, compiled: readonly CompiledCheck[], relation: string): Promise<ScanValues> {
  const { rows } = await session.rows(sharedScan(compiled, relation))
  const row = rows[0]!
  const byIndex = new Map<number, number | null>()
  let position = 1
  for (const [index, { aggregate }] of compiled.entries()) if (aggregate !== null) byIndex.set(index, toNumber(row[position++]))
  return { total: toNumber(row[0]), byIndex }
}

const toNumber = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))

async function judge(
  session: Session,
  set: string,
  { check, query }: CompiledCheck,
  values: ScanValues,
  index: number,
  context: CheckContext,
): Promise<CheckOutcome> {
  const base = { set, check, totalRows: values.total, measured: null, failedRows: null, value: null }
  try {
    const value = query === null ? (values.byIndex.get(index) ?? null) : toNumber((await session.rows(query)).rows[0]?.[0])
    if (value instanceof MillraceError) throw value
    return { ...base, ...(await verdict(check, value, context)) }
  } catch (error) {
    return { ...base, status: 'error', measured: asMillraceError(error).message }
  }
}

type Verdict = Pick<CheckOutcome, 'status' | 'failedRows' | 'measured' | 'value'>

async function verdict(check: CheckManifest, value: number | null, context: CheckContext): Promise<Verdict> {
  const { rule } = check
  if (rule.kind === 'fresh') {
    if (value === null) return { status: 'fail', failedRows: null, measured: 'no rows', value: null }
    const ageMs = context.nowMs - value
    return {
      status: ageMs <= rule.withinMs ? 'pass' : 'fail',
      failedRows: null,
      measured: `${formatAge(ageMs)} old, target ${formatAge(rule.withinMs)}`,
      value: ageMs,
    }
  }
  if (rule.kind === 'row_count') {
    const isWithin = value! >= (rule.min ?? 0) && value! <= (rule.max ?? Number.POSITIVE_INFINITY)
    return { status: isWithin ? 'pass' : 'fail', failedRows: null, measured: `${value} rows`, value }
  }
  if (rule.kind === 'row_count_anomaly') {
    const { isAnomaly, text } = judgeAnomaly(await context.history(check.name), value!, rule.sigma)
    return { status: isAnomaly ? 'fail' : 'pass', failedRows: null, measured: text, value }
  }
  return { status: value === 0 ? 'pass' : 'fail', failedRows: value, measured: null, value }
}
