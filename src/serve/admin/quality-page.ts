// The checks of a relation as the console shows them: the last results, their history by day, and rows that were set aside.
// What a check says is shown to whom its relation is not narrowed for.
import type { Relation } from '../../define/manifest.ts'
import { rejectedName } from '../../define/system-columns.ts'
import { flatCell } from '../../engine/cell.ts'
import { quoteRelation } from '../../engine/sql-text.ts'
import type { CheckRecord } from '../../quality/history.ts'
import type { Caller } from '../answer.ts'
import type { CheckResult, CheckStatus, QualityPage } from '../answers/quality.ts'
import type { AdminParts } from './parts.ts'
import { findRelation } from './relations.ts'
import { mayCount, mayQuote, shownCheck } from './shown.ts'

const DAY_MS = 86_400_000

const statusOf = (record: CheckRecord): CheckStatus => (record.status === 'fail' ? record.check.severity : record.status)
const WORST: readonly CheckStatus[] = ['never', 'pass', 'warn', 'quarantine', 'block', 'error']

export async function qualityPage(parts: AdminParts, caller: Caller, name: string): Promise<QualityPage> {
  const relation = findRelation(parts, caller, name)
  const nowMs = parts.clock.nowMs()
  const isCounted = mayCount(parts, caller, name)
  const latest = await parts.checks.latest(name)
  const since = await parts.checks.since(name, nowMs - 30 * DAY_MS)
  const sets = parts.manifest().checks.filter((set) => set.on === name)
  return {
    nowMs,
    sets: sets.map(({ checks, ...set }) => ({
      set,
      results: checks.flatMap((check): CheckResult[] => {
        const shown = shownCheck(parts, caller, check)
        if (!shown) return []
        const last = latest.find((record) => record.check.name === check.name)
        return [
          {
            check: shown,
            status: last ? statusOf({ ...last, check }) : 'never',
            atMs: last?.ranMs ?? null,
            runId: last?.runId ?? null,
            found: isCounted ? (last?.failedRows ?? null) : null,
            of: isCounted ? (last?.totalRows ?? null) : null,
            measured: mayQuote(parts, caller, name) ? (last?.measured ?? null) : null,
            history: historyOf(
              since.filter((record) => record.check.name === check.name),
              nowMs,
            ),
          },
        ]
      }),
    })),
    targetMs: relation.freshMs ?? null,
    setAside: await setAsideOf(parts, caller, relation),
  }
}

function historyOf(records: readonly CheckRecord[], nowMs: number): CheckStatus[] {
  const today = Math.floor(nowMs / DAY_MS)
  return Array.from({ length: 30 }, (_, index) => {
    const day = today - 29 + index
    const statuses = records.filter((record) => Math.floor(record.ranMs / DAY_MS) === day).map(statusOf)
    return statuses.reduce<CheckStatus>((worst, status) => (WORST.indexOf(status) > WORST.indexOf(worst) ? status : worst), 'never')
  })
}

async function setAsideOf(parts: AdminParts, caller: Caller, relation: Relation): Promise<QualityPage['setAside']> {
  const rejected = rejectedName(relation.name)
  if (!parts.relations.has(rejected) || !parts.answerer.access(caller, rejected).readable) return null
  const answer = await parts.answerer.ask(caller, {
    sql: `SELECT _ingested_at, code, field, message, raw FROM ${quoteRelation(rejected)} WHERE code = 'MR_ROW_CHECK' ORDER BY _ingested_at DESC LIMIT 100`,
    surface: 'console',
    rowMax: 100,
  })
  if (answer.rows.length === 0) return null
  return {
    check: relation.name,
    rows: {
      nowMs: parts.clock.nowMs(),
      columns: answer.columns,
      rows: answer.rows.map((row) => row.map((value, index) => flatCell(value, answer.columns[index]!.type))),
      matched: answer.rows.length,
      total: answer.rows.length,
      snapshot: null,
      tail: answer.tail,
      durationMs: answer.durationMs,
      policy: { rowFilter: answer.rowFilter, masked: answer.masked },
    },
  }
}
