// Answers in the words of the question: columns that the engine would name after an expression keep the name that the user's
// own text gives, and errors say neither names of our views nor places in text that nobody wrote.
import { MillraceError } from '../core/errors.ts'
import { type Node, type SqlParser, type Statement, walk } from '../engine/ast.ts'
import type { Session } from '../engine/duckdb.ts'

/** Gives every unnamed result column with a subquery its name, before relations are replaced in it. */
export async function nameColumns(parser: SqlParser, statement: Statement): Promise<void> {
  const unnamed: Node[] = []
  walk(statement.node, (node) => {
    if (node.type === 'SELECT_NODE') unnamed.push(...(node['select_list'] as Node[]).filter((item) => !item.alias && readsTable(item)))
  })
  // Names of inner columns are in the text of outer ones: all are taken before any is set.
  const names: string[] = []
  for (const item of unnamed) names.push(await textOf(parser, item))
  for (const [index, item] of unnamed.entries()) item.alias = names[index]!
}

/** A star stands for many columns, which have names already. */
function readsTable(item: Node): boolean {
  let [isRead, isStar] = [false, false]
  walk(item, (node) => {
    if (node.type === 'BASE_TABLE') isRead = true
    if (node.class === 'STAR') isStar = true
  })
  return isRead && (!isStar || item.class === 'SUBQUERY')
}

async function textOf(parser: SqlParser, expression: Node): Promise<string> {
  const { node } = await parser.parse('SELECT 1')
  node['select_list'] = [expression]
  return (await parser.print({ node, named_param_map: [] })).slice('SELECT '.length)
}

const PLACE = / \(line \d+(, column \d+)?\)/g

/** `names`: our names in the text that runs -> those of the user. */
export function inOwnWords(session: Session, names: ReadonlyMap<string, string>): Session {
  const translated = (error: unknown): unknown => {
    if (!(error instanceof MillraceError)) return error
    let message = error.message.replace(PLACE, '')
    for (const [ours, theirs] of names) message = message.replaceAll(ours, theirs)
    return new MillraceError(error.code, message, { ...(error.fix === undefined ? {} : { fix: error.fix }), cause: error.cause })
  }
  const rethrow = (error: unknown): never => {
    throw translated(error)
  }
  return {
    ...session,
    run: (sql, values) => session.run(sql, values).catch(rethrow),
    rows: (sql, values, options) => session.rows(sql, values, options).catch(rethrow),
    async *stream(sql, values, options) {
      try {
        yield* session.stream(sql, values, options)
      } catch (error) {
        throw translated(error)
      }
    },
    async *pages(sql, values, options) {
      try {
        yield* session.pages(sql, values, options)
      } catch (error) {
        throw translated(error)
      }
    },
  }
}
