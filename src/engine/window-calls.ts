// `tumble`, `hop` and `session` where SQL is asked and not followed: each call in FROM becomes a subquery over its relation with
// the columns `window_start` and `window_end`, written as the batch twin of a live model has them (`print-query.ts`), so that
// both give the same rows. Any timestamp column is a time here; nothing waits for a watermark.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type ColumnExpression, type IntervalExpression, TIMESTAMP } from './algebra/expression.ts'
import { boundsOf, printSessions, printWindowed } from './algebra/print-query.ts'
import { fixedMicros, readExpression } from './algebra/read-expression.ts'
import { type Node, nodes, type SqlParser, type Statement, walk } from './ast.ts'
import { quoteName } from './sql-text.ts'

const FORMS = {
  tumble: 'tumble(relation, time, INTERVAL 1 MINUTE)',
  hop: 'hop(relation, time, slide, width)',
  session: 'session(relation, time, gap, key := column)',
} as const

/** What is windowed may be windows, whose own bounds the new ones hide, as in a live model. */
const OWN = `COLUMNS("#name" -> lower("#name") NOT IN ('window_start', 'window_end', '#start', '#n', '#new', '#session'))`

type Name = keyof typeof FORMS

/** Replaces the calls in the tree. @throws MR_SQL_SYNTAX for a call of another form. */
export async function expandWindows(parser: SqlParser, statement: Statement): Promise<void> {
  const calls: Node[] = []
  walk(statement.node, (node) => {
    if (node.type === 'TABLE_FUNCTION' && Object.hasOwn(FORMS, nameOf(node))) calls.push(node)
  })
  for (const node of calls) {
    const { relation, select } = selectOf(nameOf(node) as Name, nodes((node['function'] as Node)['children']))
    const { alias = '', query_location = 0, sample = null } = node
    const subquery = await parser.parse(select)
    const columnAliases = node['column_name_alias'] ?? []
    for (const member of Object.keys(node)) delete node[member]
    Object.assign(node, {
      type: 'SUBQUERY',
      alias: alias || relation,
      sample,
      query_location,
      subquery,
      column_name_alias: columnAliases,
    })
  }
}

const nameOf = (node: Node): string => String((node['function'] as Node | undefined)?.['function_name'] ?? '').toLowerCase()

function selectOf(name: Name, given: readonly Node[]): { relation: string; select: string } {
  const [relation, time] = [pathOf(given[0]), pathOf(given[1])]
  if (given.length !== (name === 'tumble' ? 3 : 4) || relation === undefined || time === undefined)
    throw wrong(name, 'does not take these arguments')
  const select = boundsSql(name, columnOf(time), given, `SELECT * FROM ${relation.map(quoteName).join('.')}`)
  return { relation: relation.at(-1)!, select }
}

function boundsSql(name: Name, time: ColumnExpression, given: readonly Node[], from: string): string {
  const length = (index: number): number => lengthOf(name, given[index]!)
  if (name === 'session') {
    const by = pathOf(given[3])
    if (by === undefined) throw wrong(name, 'has a key that is no column')
    return sessionsSql(time, length(2), columnOf(by), from)
  }
  const window = name === 'tumble' ? { kind: name, time, widthUs: length(2) } : { kind: name, time, slideUs: length(2), widthUs: length(3) }
  if (window.kind === 'hop' && window.widthUs % window.slideUs !== 0) throw wrong(name, 'has a width that is no multiple of its slide')
  return `SELECT ${OWN}, ${boundsOf(window)} FROM (${printWindowed(window, from)})`
}

function sessionsSql(time: ColumnExpression, gapUs: number, by: ColumnExpression, from: string): string {
  const over = `OVER (PARTITION BY ${quoteName(by.name)}, "#session")`
  const [first, last] = ['min', 'max'].map((name) => `${name}(${quoteName(time.name)}) ${over}`)
  const bounds = `${first} AS window_start, ${last} + to_microseconds(${gapUs}) AS window_end`
  return `SELECT ${OWN}, ${bounds} FROM (${printSessions({ kind: 'session', time, gapUs, by }, from)})`
}

const pathOf = (node: Node | undefined): readonly string[] | undefined =>
  node?.class === 'COLUMN_REF' ? (node['column_names'] as string[]) : undefined

const columnOf = (path: readonly string[]): ColumnExpression => ({ op: 'column', name: path.at(-1)!, type: TIMESTAMP, optional: false })

function lengthOf(name: Name, node: Node): number {
  const micros = fixedLength(name, node)
  if (micros === undefined || micros <= 0) throw wrong(name, 'has a length that is no INTERVAL of fixed length')
  return micros
}

function fixedLength(name: Name, node: Node): number | undefined {
  const noColumn = (): never => {
    throw wrong(name, 'has a length that is not constant')
  }
  try {
    const value = readExpression(node, { column: noColumn, special: () => undefined })
    return value.op === 'interval' ? fixedMicros(value as IntervalExpression) : undefined
  } catch (cause) {
    if (asMillraceError(cause).code === 'MR_PLAN_LIVE_SHAPE') return undefined
    throw cause
  }
}

const wrong = (name: Name, what: string): MillraceError =>
  new MillraceError('MR_SQL_SYNTAX', `${name} ${what}`, { fix: `write ${FORMS[name]}` })
