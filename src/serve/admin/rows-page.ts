// The rows of a relation as the console shows them: one page, filtered and ordered as the caller asks. Relies on the answerer for
// what the caller may see: the question is his own, and so are its refusals.
import { MillraceError } from '../../core/errors.ts'
import { storedShape } from '../../define/system-columns.ts'
import { flatCell } from '../../engine/cell.ts'
import { literal, quoteName, quoteRelation } from '../../engine/sql-text.ts'
import { toDuckType } from '../../schema/duckdb.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import type { Caller } from '../answer.ts'
import type { RowsPage } from '../answers/rows.ts'
import type { AdminParts } from './parts.ts'
import { findRelation } from './relations.ts'

export interface RowsQuery {
  readonly snapshot?: string
  readonly limit?: string
  readonly order?: string
  readonly desc?: string
  readonly filter?: string | readonly string[]
}

const OPERATORS: Record<string, string> = { eq: '=', ne: '<>', lt: '<', le: '<=', gt: '>', ge: '>=', like: 'ILIKE' }

export async function rowsPage(parts: AdminParts, caller: Caller, name: string, query: RowsQuery): Promise<RowsPage> {
  const relation = findRelation(parts, caller, name)
  const shape = storedShape(relation)
  const known = (column: string): string => {
    if (!fieldOf(shape, column))
      throw new MillraceError('MR_SQL_UNKNOWN', `${name} has no column "${column}"`, {
        fix: `it has ${shape.fields.map((field) => field.name).join(', ')}`,
      })
    return quoteName(column)
  }
  const limit = Math.min(1_000, Math.max(1, Number(query.limit ?? 100) || 100))
  const at = query.snapshot ? ` AT (VERSION => ${literal(query.snapshot)})` : ''
  const filters = (query.filter === undefined ? [] : [query.filter].flat()).map((text) => filterSql(text, shape, known))
  const where = filters.length > 0 ? ` WHERE ${filters.join(' AND ')}` : ''
  const order = query.order
    ? ` ORDER BY ${known(query.order)}${query.desc === '1' ? ' DESC' : ''} NULLS LAST`
    : fieldOf(shape, '_ingested_at')
      ? ' ORDER BY _ingested_at DESC, _partition, _offset DESC'
      : ''
  const from = `${quoteRelation(name)}${at}`
  const answer = await parts.answerer.ask(caller, {
    sql: `SELECT * FROM ${from}${where}${order} LIMIT ${limit}`,
    surface: 'console',
    rowMax: limit,
  })
  const counted = await parts.answerer.ask(caller, {
    sql: `SELECT count(*) FILTER (WHERE ${filters.length > 0 ? filters.join(' AND ') : 'true'}), count(*) FROM ${from}`,
    surface: 'console',
  })
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const snapshot = table?.snapshots.find((candidate) => candidate.id.toString() === (query.snapshot ?? answer.snapshots[name]))
  return {
    nowMs: parts.clock.nowMs(),
    columns: answer.columns.map((column) => {
      const unit = fieldOf(shape, column.name)?.unit
      return { name: column.name, type: column.type, ...(unit ? { unit } : {}) }
    }),
    rows: answer.rows.map((row) => row.map((value, index) => flatCell(value, answer.columns[index]!.type))),
    matched: Number(counted.rows[0]![0]),
    total: Number(counted.rows[0]![1]),
    snapshot: snapshot ? { id: snapshot.id.toString(), sequence: snapshot.sequence } : null,
    tail: answer.tail,
    durationMs: answer.durationMs,
    policy: { rowFilter: answer.rowFilter, masked: answer.masked },
  }
}

/** Compares as values of the column's type; what is no such value matches nothing. */
function filterSql(text: string, shape: Shape, known: (column: string) => string): string {
  const match = /^([^:]+):(\w+):(.*)$/s.exec(text)
  if (!match) throw new MillraceError('MR_USAGE', `"${text}" is not a filter`, { fix: 'write column:eq:value' })
  const [, column, operator, value] = match
  if (operator === 'null') return `${known(column!)} IS NULL`
  const symbol = OPERATORS[operator!]
  if (!symbol)
    throw new MillraceError('MR_USAGE', `"${operator}" is not an operator`, { fix: `use ${Object.keys(OPERATORS).join(', ')} or null` })
  const name = known(column!)
  return symbol === 'ILIKE'
    ? `CAST(${name} AS VARCHAR) ILIKE ${literal(`%${value}%`)}`
    : `${name} ${symbol} TRY_CAST(${literal(value!)} AS ${toDuckType(fieldOf(shape, column!)!.type)})`
}
