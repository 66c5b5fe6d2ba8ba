// `tumble`, `hop` and `session` where SQL is asked and not followed: each call in FROM becomes a subquery over its relation with
// the columns `window_start` and `window_end`, written as the batch twin of a live model has them (`print-query.ts`), so that
// both give the same rows. Any timestamp column is a time here; nothing waits for a watermark.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type ColumnExpression, type IntervalExpression, TIMESTAMP } from './algebra/expression.ts'
import { OWN_COLUMNS, printSessions, withBounds } from './algebra/print-query.ts'
import { fixedMicros, readExpression } from './algebra/read-expression.ts'
import { type Node, nodes, type SqlParser, type Statement, walk } from './ast.ts'
import { placeOf } from './engine-error.ts'
import { quoteName } from './sql-text.ts'

const FORMS = {
  tumble: 'tumble(relation, time, INTERVAL 1 MINUTE)',
  hop: 'hop(relation, time, slide, width)',
  session: 'session(relation, time, gap, key := expression)',
} as const

type Name = keyof typeof FORMS

/** Replaces the calls in the tree of `text`. @throws MR_SQL_SYNTAX with the position for a call of another form. */
export async function expandWindows(parser: SqlParser, statement: Statement, text: string): Promise<void> {
  const calls: Node[] = []
  walk(statement.node, (node) => {
    if (node.type === 'TABLE_FUNCTION' && Object.hasOwn(FORMS, nameOf(node))) calls.push(node)
  })
  for (const node of calls) {
    const called = node['function'] as Node
    const { relation, select, key } = selectOf({ name: nameOf(node) as Name, given: nodes(called['children']), node: called, text })
    const { alias = '', query_location = 0, sample = null } = node
    const subquery = await parser.parse(select)
    if (key) putKey(subquery, key)
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

interface Call {
  readonly name: Name
  readonly given: readonly Node[]
  readonly node: Node
  readonly text: string
}

/** `key`: an expression, for which `KEY_GIVEN` stands in the text. */
function selectOf(call: Call): { readonly relation: string; readonly select: string; readonly key?: Node } {
  const { name, given } = call
  const [relation, time] = [pathOf(given[0]), pathOf(given[1])]
  if (given[0] && !relation) throw wrong(call, unnamed(name), given[0], UNNAMED_FIX)
  if (given.length !== (name === 'tumble' ? 3 : 4) || relation === undefined || time === undefined)
    throw wrong(call, `${name} does not take these arguments`)
  const from = `SELECT * FROM ${relation.map(quoteName).join('.')}`
  const of = { relation: relation.at(-1)!, select: boundsSql(call, columnOf(time), from) }
  return name === 'session' && !pathOf(given[3]) ? { ...of, key: given[3]! } : of
}

function boundsSql(call: Call, time: ColumnExpression, from: string): string {
  const { name, given } = call
  const length = (index: number): number => lengthOf(call, given[index]!)
  if (name === 'session') {
    const by = pathOf(given[3])
    // An expression is computed where the relation goes by its own name.
    return by ? sessionsSql(time, length(2), columnOf(by), from) : sessionsSql(time, length(2), KEY, from.replace('*', KEYED))
  }
  const window = name === 'tumble' ? { kind: name, time, widthUs: length(2) } : { kind: name, time, slideUs: length(2), widthUs: length(3) }
  if (window.kind === 'hop' && window.widthUs % window.slideUs !== 0)
    throw wrong(call, `${name} has a width that is no multiple of its slide`, given[3])
  return withBounds(window, from)
}

function sessionsSql(time: ColumnExpression, gapUs: number, by: ColumnExpression, from: string): string {
  const over = `OVER (PARTITION BY ${quoteName(by.name)}, "#session")`
  const [first, last] = ['min', 'max'].map((name) => `${name}(${quoteName(time.name)}) ${over}`)
  const bounds = `${first} AS window_start, ${last} + to_microseconds(${gapUs}) AS window_end`
  const rows = printSessions({ kind: 'session', time, gapUs, by }, from)
  return `SELECT * EXCLUDE ("#session") FROM (SELECT ${OWN_COLUMNS}, ${bounds} FROM (${rows}))`
}

function putKey(query: Statement, key: Node): void {
  walk(query.node, (node) => {
    if (pathOf(node)?.[0] !== KEY_GIVEN) return
    for (const member of Object.keys(node)) delete node[member]
    Object.assign(node, key, { alias: KEY.name })
  })
}

const pathOf = (node: Node | undefined): readonly string[] | undefined =>
  node?.class === 'COLUMN_REF' ? (node['column_names'] as string[]) : undefined

const columnOf = (path: readonly string[]): ColumnExpression => ({ op: 'column', name: path.at(-1)!, type: TIMESTAMP, optional: false })

const KEY = columnOf(['#key'])
const KEY_GIVEN = '#key given'
const KEYED = `*, ${quoteName(KEY_GIVEN)} AS ${quoteName(KEY.name)}`

function lengthOf(call: Call, node: Node): number {
  const micros = fixedLength(call, node)
  if (micros === undefined || micros <= 0) throw wrong(call, `${call.name} has a length that is no INTERVAL of fixed length`, node)
  return micros
}

function fixedLength(call: Call, node: Node): number | undefined {
  const noColumn = (): never => {
    throw wrong(call, `${call.name} has a length that is not constant`, node)
  }
  try {
    const value = readExpression(node, { column: noColumn, special: () => undefined })
    return value.op === 'interval' ? fixedMicros(value as IntervalExpression) : undefined
  } catch (cause) {
    if (asMillraceError(cause).code === 'MR_PLAN_LIVE_SHAPE') return undefined
    throw cause
  }
}

/** What is said of a window over something that has no name, which is no relation of any name either. */
export const unnamed = (name: string): string => `the first argument of ${name} is the name of a relation`
export const UNNAMED_FIX = 'put the query into WITH, and write the name that it has there'

const wrong = ({ name, node, text }: Call, what: string, at = node, fix = `write ${FORMS[name]}`): MillraceError =>
  new MillraceError('MR_SQL_SYNTAX', `${what}${placeOf(text, Number(at.query_location), 'bytes')}`, { fix })
