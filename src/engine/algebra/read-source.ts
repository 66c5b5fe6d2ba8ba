// The FROM clause of a live model: a stream, a subquery or a name of WITH, plain or through tumble, hop or session, and joins
// of them (`read-join.ts`).
import { MillraceError } from '../../core/errors.ts'
import { type Node, nodes } from '../ast.ts'
import { boundTimes } from './closing-window.ts'
import { valueTypeOf } from './coerce.ts'
import type { Expression, IntervalExpression } from './expression.ts'
import type { Known } from './read-computed.ts'
import { fixedMicros, readExpression, type Scope } from './read-expression.ts'
import { joinRows, type Wanted } from './read-join.ts'
import { refuse, within } from './refuse.ts'
import type { NamedExpression, Window } from './relation.ts'
import type { Around } from './rewrite-select.ts'
import { asFinal, type NamedColumn, type Rows, type ShapeOf, type Source, type StreamShape, sourceOf, tumbleBounds } from './source.ts'
import { isUnnest, unnestRows, withUnnestFirst } from './unnest.ts'

const NEAREST =
  'write FROM stream, tumble(stream, time, INTERVAL 1 MINUTE), hop(stream, time, slide, width) or session(stream, time, gap, key := expression)'

export interface NamedQuery {
  readonly node: Node
  readonly named: Reading['named']
  /** The live model whose query it is. */
  readonly model?: string
}

/** What a query is read with. */
export interface Reading {
  readonly shapeOf: ShapeOf
  /** Streams that were met. */
  readonly streams: Set<string>
  /** Queries by their names in WITH and of other live models, with the names that they may use themselves. */
  readonly named: ReadonlyMap<string, NamedQuery>
  /** Expressions that DuckDB computes; null where it computes none. */
  readonly known: Known | null
  /** The rows are those of the model, whose key must be whole and never null. */
  readonly isModel: boolean
  /** Subqueries hand on when a row came: a table is looked up in. */
  readonly isLookup?: boolean
  /** Of the SELECT that a subquery stands in. */
  readonly around?: Around | undefined
  /** Reads a query; columns are called by the names that it gives them, `from` is empty. */
  query(node: Node, reading: Reading): Rows
}

export function readSource(from: Node, reading: Reading, wanted: Wanted): Source {
  const unnesting = from.type === 'JOIN' ? withUnnestFirst(from) : null
  if (unnesting) return readSource(unnesting, reading, wanted)
  if (from.type === 'JOIN' && isUnnest(from['right'] as Node)) {
    const left = from['left'] as Node
    return sourceOf(unnestRows(from, asFinal(rowByRow(readSource(left, reading, wanted), left)), reading.known), null)
  }
  if (from.type === 'JOIN') {
    // Conditions on rows that an outer join may fill with nulls hold after it, not before.
    const kind = String(from['join_type'])
    const isLookup = reading.isLookup || ['left', 'right'].some((name) => isTable(from[name] as Node, reading))
    const inner = { ...reading, isLookup }
    const side = (name: 'left' | 'right', isFree: boolean): Rows => {
      const node = from[name] as Node
      const read = readSource(node, inner, isFree ? wanted : { ...wanted, where: [] })
      return asFinal(rowByRow(read, node))
    }
    const [left, right] = [side('left', kind !== 'RIGHT' && kind !== 'FULL'), side('right', kind === 'INNER')]
    return sourceOf(joinRows(from, left, right, { ...wanted, isLookup: reading.isLookup }), null)
  }
  if (from.type === 'BASE_TABLE') {
    const name = relationName(from)
    return sourceOf(named(from, name, { ...reading, around: { alias: from.alias || name, where: wanted.where } }), null)
  }
  if (from.type === 'SUBQUERY') {
    const inner = { ...reading, isModel: false, around: { alias: String(from.alias), where: wanted.where } }
    return sourceOf(called(reading.query((from['subquery'] as { node: Node }).node, inner), from), null)
  }
  if (from.type !== 'TABLE_FUNCTION') return refuse('this FROM', from, NEAREST)
  const call = from['function'] as Node
  const name = String(call['function_name'])
  const [relation, ...rest] = nodes(call['children'])
  if (name !== 'tumble' && name !== 'hop' && name !== 'session') return refuse(`${name}(...)`, call, NEAREST)
  const stream = (relation?.['column_names'] as string[] | undefined)?.join('.')
  if (!stream) return refuse(`the first argument of ${name}, which is no stream and no name of WITH,`, relation ?? call, NEAREST)
  const rows = asFinal(named(from, stream, reading))
  if (rows.table)
    return refuse(
      `${name}(...) over the table "${rows.table.name}"`,
      from,
      'window a stream, or GROUP BY time_bucket(INTERVAL 1 HOUR, time) over the table',
    )
  if (rows.result === 'keyed') return refuse(`${name}(...) over rows that are replaced`, from, 'window the stream itself')
  // Within the call the stream goes by its own name; the alias is of what comes out.
  const given = sourceOf({ ...rows, columns: rows.columns.map((column) => ({ ...column, from: stream })) }, null)
  return sourceOf(rows, readWindow(name, call, rest, given))
}

function isTable(from: Node, { named, shapeOf }: Reading): boolean {
  if (from.type !== 'BASE_TABLE') return false
  const name = relationName(from)
  return !named.has(name.toLowerCase()) && shapeOf(name)?.tableKey !== undefined
}

function relationName(from: Node): string {
  const schema = String(from['schema_name'] ?? '')
  return schema === '' || schema === 'main' ? String(from['table_name']) : `${schema}.${String(from['table_name'])}`
}

/** Rows under the alias of the FROM clause. */
function called(rows: Rows, from: Node, name = ''): Rows {
  if (nodes(from['column_name_alias']).length > 0) refuse('column names behind an alias', from, 'name the columns in the subquery')
  const alias = from.alias || name
  const final = rows.final && called(rows.final, from, name)
  return { ...rows, columns: rows.columns.map((column) => ({ ...column, from: alias })), final }
}

function named(from: Node, name: string, reading: Reading): Rows {
  const query = reading.named.get(name.toLowerCase())
  if (query) {
    const read = (): Rows => reading.query(query.node, { ...reading, named: query.named, isModel: false })
    return called(query.model === undefined ? read() : within(query.model, read), from, name)
  }
  const shape = reading.shapeOf(name)
  if (!shape) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no stream "${name}"`, { fix: 'read a stream of the project' })
  reading.streams.add(name)
  return called(streamRows(name, shape), from, name)
}

function streamRows(stream: string, shape: StreamShape): Rows {
  const columns = shape.fields.map((field): NamedColumn => {
    const column = { op: 'column', name: field.name, type: valueTypeOf(field.type), optional: field.optional } as const
    return { from: stream, name: field.name, column }
  })
  const isTime = ({ column: { name, type, optional } }: NamedColumn): boolean =>
    type.kind === 'timestamp' && !optional && (shape.time === undefined || shape.time === name)
  return {
    relation: { op: 'scan', stream },
    columns,
    // A table does not move the watermark: nothing in it is late.
    times: new Map(shape.tableKey ? [] : columns.filter(isTime).map(({ name }) => [name, 0])),
    result: 'append',
    key: [],
    isRetracted: false,
    unique: shape.unique ?? [],
    isLogged: true,
    ...(shape.tableKey ? { table: { name: stream, key: shape.tableKey } } : { arrival: '_ingested_at' }),
  }
}

function readWindow(kind: 'tumble' | 'hop' | 'session', called: Node, of: readonly Node[], source: Source): Window {
  const scope: Scope = { column: (path, node) => source.column(path, node), special: () => undefined }
  const time = of[0] ? readExpression(of[0], scope) : refuse(`${kind} without a time`, called, NEAREST)
  if (time.op !== 'column') return refuse('a time that is no plain column', of[0], NEAREST)
  if (time.type.kind !== 'timestamp') return refuse(`the window over "${time.name}", which is no timestamp,`, of[0], NEAREST)
  const delayUs = source.times.get(time.name)
  if (delayUs === undefined) {
    const times = [...source.times.keys()].join(' or ')
    return refuse(`the window over "${time.name}", which the watermark does not follow,`, of[0], times ? `take ${times}` : NEAREST)
  }
  if (of.length !== (kind === 'tumble' ? 2 : 3)) return refuse(`${kind} with ${of.length + 1} arguments`, called, NEAREST)
  const length = (node: Node): number => {
    const value = readExpression(node, scope)
    const micros = value.op === 'interval' ? fixedMicros(value as IntervalExpression) : undefined
    return micros !== undefined && micros > 0 ? micros : refuse('a length that is no INTERVAL of fixed length', node, NEAREST)
  }
  const timed = { time, ...(delayUs === 0 ? {} : { delayUs }) }
  if (kind === 'tumble') return { kind, ...timed, widthUs: length(of[1]!) }
  if (kind === 'session') return { kind, ...timed, gapUs: length(of[1]!), by: readExpression(of[2]!, scope) }
  const [slideUs, widthUs] = [length(of[1]!), length(of[2]!)]
  if (widthUs % slideUs !== 0) return refuse('a width that is no multiple of the slide', of[2], NEAREST)
  return { kind, ...timed, widthUs, slideUs }
}

/** What is joined has the bounds of its windows as columns of its rows. */
export function rowByRow(source: Source, from: Node): Rows {
  const { window, relation, columns } = source
  if (!window) return source
  if (window.kind === 'session' || window.kind === 'instant')
    return refuse(`a join of ${window.kind}(...)`, from, 'group the sessions in a subquery and join on window_end')
  const times = new Map([...source.times, ...boundTimes(window)])
  if (window.kind === 'hop') return { ...source, relation: { op: 'expand', input: relation, window }, times, isLogged: false }
  const bounds: Record<string, Expression> = tumbleBounds(window)
  const projected = columns.map(({ name, column }): NamedExpression => ({ name: column.name, value: bounds[name] ?? column }))
  return { ...source, relation: { op: 'project', input: relation, columns: projected }, times }
}
