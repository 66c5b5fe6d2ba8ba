// A live query with the expressions that DuckDB computes for it: reads the tree (`read-query.ts`), and asks DuckDB for the type of
// what the expression compiler does not have, until nothing is left to ask.

import { fromDuckType, toDuckType } from '../../schema/duckdb.ts'
import { holdsDatetime, isNested, type Type } from '../../schema/type.ts'
import type { Node, SqlParser } from '../ast.ts'
import { quoteName } from '../sql-text.ts'
import { valueTypeOf } from './coerce.ts'
import type { ValueType } from './expression.ts'
import { printType } from './print-expression.ts'
import { argName, type Described, Known, Question } from './read-computed.ts'
import { compileLive, type Models } from './read-query.ts'
import type { LiveQuery } from './relation.ts'
import type { ShapeOf } from './source.ts'

export interface Describing {
  readonly parser: Pick<SqlParser, 'parse' | 'print'>
  /** DuckDB's name of the type of the one column of a SELECT that reads no table. @throws when it does not bind. */
  typeOf(select: string): Promise<string>
  /** Other live models that it may read. */
  readonly models?: Models
}

/** As `compileLive`, whose refusals these are where DuckDB does not take an expression either. */
export async function readLive(tree: unknown, shapeOf: ShapeOf, describing: Describing): Promise<LiveQuery> {
  const known = new Known()
  for (;;) {
    try {
      return compileLive(tree, shapeOf, known, describing.models)
    } catch (question) {
      if (!(question instanceof Question)) throw question
      known.learn(question, await describe(question, describing))
    }
  }
}

async function describe({ node, columns }: Question, { parser, typeOf }: Describing): Promise<Described | null> {
  try {
    const statement = await parser.parse('SELECT 1')
    const select: Node = { ...statement.node, select_list: [node] }
    const text = (await parser.print({ ...statement, node: select })).replace(/^SELECT\s+/, '').replace(/;\s*$/, '')
    const args = columns.map(({ type }, i) => `CAST(NULL AS ${printType(type)}) AS ${quoteName(argName(i))}`)
    const found = await typeOf(`SELECT ${text} AS v${args.length > 0 ? ` FROM (SELECT ${args.join(', ')})` : ''}`)
    const isClock = columns.some((column) => isDatetime(column.type))
    const type = fromDuckType(found, isClock ? 'datetime' : 'timestamp')
    const kept = type && keptAs(type)
    if (!kept) return null
    const cast = printType(kept) === found ? text : `CAST(${text} AS ${toDuckType(kept.kind === 'list' ? kept : type)})`
    const pieces = cast.split(/"#millrace_arg_(\d+)"/)
    return { text: pieces.filter((_, i) => i % 2 === 0), of: pieces.filter((_, i) => i % 2 === 1).map(Number), type: kept }
  } catch {
    return null
  }
}

/** In operators, where they take values of the type; of lists those whose elements are the same as JSON. */
function keptAs(type: Type): ValueType | null {
  if (!isNested(type)) return valueTypeOf(type)
  if (type.kind !== 'list') return null
  const element = valueTypeOf(type.element.type)
  return AS_JSON.has(element.kind) ? { kind: 'list', element: { type: element as Type, optional: true } } : null
}

const AS_JSON: ReadonlySet<string> = new Set(['string', 'int', 'long', 'boolean'])

const isDatetime = (type: ValueType): boolean =>
  type.kind !== 'huge' && type.kind !== 'null' && type.kind !== 'interval' && holdsDatetime(type)
