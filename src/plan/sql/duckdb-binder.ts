// The binder that asks DuckDB: an in-memory database of empty tables. SQL is parsed by json_serialize_sql and bound by
// DESCRIBE, so nothing is ever computed. Errors arrive as JSON (errors_as_json) with a position.
import { MillraceError } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { printLive } from '../../engine/algebra/print-query.ts'
import { readLive } from '../../engine/algebra/read-live.ts'
import { treesOf, walk } from '../../engine/ast.ts'
import { quoteName, quoteRelation, quoteText } from '../../engine/sql-text.ts'
import { fromDuckType, toDuckType } from '../../schema/duckdb.ts'
import { fieldOf, holdsDatetime, type Shape } from '../../schema/type.ts'
import type { Binder, Bound, BoundColumn, ColumnUse, Inspected, Refused, SqlProblem } from '../binder.ts'
import { applyEdits, callEnd, type Edit, parameterSpans } from './edits.ts'
import { type Lineage, lineageOf } from './lineage.ts'
import { charAt, inspectTree, type Node, unnamedWindow, windowCall } from './tree.ts'

/** Runs one statement in a database that nobody else uses; rows by column name. Rejects with the engine's message. */
export type Ask = (statement: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

const DESCRIBE = 'DESCRIBE '
const WINDOW_COLUMNS = 'CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS window_start, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS window_end'

/** A binder over `ask`. Prepares the session: errors as JSON, UTC. */
export async function duckdbBinder(ask: Ask): Promise<Binder> {
  const shapes = new Map<string, Shape>()
  const trees = new Map<string, Node>()
  const pending: string[] = []
  const parser = treesOf(async (sql) => Object.values((await ask(sql))[0]!).map(String))
  let reserved: Promise<ReadonlySet<string>> | undefined
  await ask('SET errors_as_json = true')
  await ask("SET TimeZone = 'UTC'")
  return {
    reservedNames: () => (reserved ??= readReserved(ask)),
    async inspect(text) {
      const parsed = await parse(ask, text)
      if (!('tree' in parsed)) return parsed
      const unnamed = unnamedWindow(parsed.tree, charAt(text))
      if (unnamed) return refused(unnamed)
      trees.set(text, parsed.tree)
      return inspectTree(parsed.tree, charAt(text))
    },
    async define(name, shape) {
      pending.push(...createStatements(name, shape))
      shapes.set(name, shape)
    },
    async bind(text) {
      // One round trip for all relations since the last question.
      if (pending.length > 0) await ask(pending.splice(0).join('; '))
      const parsed = trees.has(text) ? { tree: trees.get(text)! } : await parse(ask, text)
      return 'tree' in parsed ? describe(ask, text, parsed.tree, shapes) : parsed
    },
    async checkLive(text, models) {
      try {
        if (!trees.has(text)) return undefined
        const { node } = await parser.parse(text)
        const read = new Map<string, Node>()
        for (const [name, sql] of models) read.set(name, (await parser.parse(sql)).node)
        const query = await readLive(node, (stream) => shapes.get(stream), {
          parser,
          typeOf: (select) => typeOf(ask, select),
          models: read,
        })
        return { result: query.result, key: query.key, batchSql: printLive(query, quoteRelation), query }
      } catch (error) {
        if (error instanceof MillraceError) return error
        throw error
      }
    },
  }
}

/** Of the one column of a SELECT. */
const typeOf = async (ask: Ask, select: string): Promise<string> => String((await ask(DESCRIBE + select))[0]!['column_type'])

/** An empty table. Two columns of one name were reported already; the first stands for both. */
function createStatements(name: string, shape: Shape): readonly string[] {
  const columns = new Map(
    shape.fields.toReversed().map((field) => [field.name.toLowerCase(), `${quoteName(field.name)} ${toDuckType(field.type)}`]),
  )
  const list = columns.size === 0 ? '"_" INTEGER' : [...columns.values()].toReversed().join(', ')
  const schema = name.includes('.') ? [`CREATE SCHEMA IF NOT EXISTS ${quoteName(name.slice(0, name.indexOf('.')))}`] : []
  return [...schema, `CREATE OR REPLACE TABLE ${quoteRelation(name)} (${list})`]
}

/** Words that must be quoted where a column is created or named. */
async function readReserved(ask: Ask): Promise<ReadonlySet<string>> {
  const rows = await ask("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')")
  return new Set(rows.map((row) => String(row['keyword_name'])))
}

async function parse(ask: Ask, text: string): Promise<{ readonly tree: Node } | Refused> {
  const [row] = await ask(`SELECT json_serialize_sql(${quoteText(text)}) AS tree`)
  const answer = parseJson(String(row!['tree'])) as {
    readonly error: boolean
    readonly statements?: readonly { readonly node: Node }[]
  } & Node
  if (answer.error) return refused(parseProblem(answer))
  const [statement, ...more] = answer.statements ?? []
  if (!statement || more.length > 0) return refused({ kind: 'syntax', message: 'this is not one SELECT', candidates: [] })
  return { tree: statement.node }
}

const refused = (problem: SqlProblem): Refused => ({ ok: false, problem })

function parseProblem(answer: Node): SqlProblem {
  if (answer['error_type'] !== 'parser') return { kind: 'syntax', message: 'only a SELECT is allowed here', candidates: [] }
  return {
    kind: 'syntax',
    message: String(answer['error_message']),
    candidates: [],
    ...(answer['position'] === undefined ? {} : { position: Number(answer['position']) }),
  }
}

async function describe(ask: Ask, text: string, tree: Node, shapes: ReadonlyMap<string, Shape>): Promise<Bound | Refused> {
  const edits = [...parameterSpans(text).map((span): Edit => ({ ...span, text: 'NULL' })), ...windowEdits(tree, text)]
  const edited = applyEdits(text, edits)
  try {
    const rows = await ask(DESCRIBE + edited.text)
    return { ok: true, columns: columnsOf(rows, lineageOf(tree, shapes), tree, shapes) }
  } catch (error) {
    const problem = problemOf(error)
    if (problem.position === undefined) return refused(problem)
    const inText = charAt(DESCRIBE + edited.text)(problem.position) - DESCRIBE.length
    return refused({ ...problem, position: edited.original(Math.max(0, inText)) })
  }
}

/** `tumble(clicks, ...)` is, for binding, clicks with the columns of the window. */
function windowEdits(tree: Node, text: string): readonly Edit[] {
  const edits: Edit[] = []
  const toChar = charAt(text)
  walk(tree, (node) => {
    const call = windowCall(node)
    if (!call) return
    const start = toChar(Number(node.query_location))
    const alias = node.alias ? '' : ` AS ${quoteName(call.relation.split('.').at(-1)!)}`
    edits.push({ start, end: callEnd(text, start), text: `(SELECT *, ${WINDOW_COLUMNS} FROM ${quoteRelation(call.relation)})${alias}` })
  })
  return edits
}

function columnsOf(
  rows: Awaited<ReturnType<Ask>>,
  lineage: readonly Lineage[] | undefined,
  tree: Node,
  shapes: ReadonlyMap<string, Shape>,
): readonly BoundColumn[] {
  const known = lineage?.length === rows.length ? lineage : undefined
  const everything = known ? [] : allColumns(tree, shapes)
  return rows.map((row, i) => {
    const sqlType = String(row['column_type'])
    const from = known?.[i]
    const read = [...(from?.origins ?? []), ...(from?.uses ?? everything)]
    const isClock = read.some(({ relation, column }) => {
      const field = shapes.get(relation) && fieldOf(shapes.get(relation)!, column)
      return field !== undefined && holdsDatetime(field.type)
    })
    return {
      name: String(row['column_name']),
      type: fromDuckType(sqlType, isClock ? 'datetime' : 'timestamp') ?? null,
      sqlType,
      optional: from?.optional ?? true,
      origins: from?.origins ?? [],
      exact: from?.exact ?? false,
      uses: from?.uses ?? everything,
    }
  })
}

/** Where a query cannot be followed, each of its columns may come from any column of its inputs. */
function allColumns(tree: Node, shapes: ReadonlyMap<string, Shape>): readonly ColumnUse[] {
  const inspected: Inspected = inspectTree(tree, (byte) => byte)
  return inspected.relations.flatMap(({ name }) =>
    (shapes.get(name)?.fields ?? []).map((field) => ({ relation: name, column: field.name })),
  )
}

/** The JSON that DuckDB throws, wherever it was wrapped. */
function problemOf(error: unknown): SqlProblem {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const start = at.message.indexOf('{"exception_type"')
    if (start >= 0) return engineProblem(parseJson(at.message.slice(start)) as Readonly<Record<string, string>>)
  }
  return { kind: 'other', message: error instanceof Error ? error.message : String(error), candidates: [] }
}

function engineProblem(thrown: Readonly<Record<string, string>>): SqlProblem {
  const message = thrown['exception_message'] ?? ''
  const position = thrown['position'] === undefined ? undefined : Number(thrown['position'])
  return {
    kind: kindOf(thrown),
    message: plain(message),
    candidates: candidatesOf(thrown, message),
    ...(position === undefined ? {} : { position }),
  }
}

function kindOf(thrown: Readonly<Record<string, string>>): SqlProblem['kind'] {
  const message = thrown['exception_message'] ?? ''
  if (thrown['exception_type'] === 'Parser') return 'syntax'
  if (/not found in FROM|does not have a column|does not exist|no such/i.test(message)) return 'unknown'
  if (thrown['error_subtype'] === 'NO_MATCHING_FUNCTION' || /cast|type/i.test(message)) return 'type'
  return 'other'
}

/** The first sentence, without the engine's own advice. */
const plain = (message: string): string =>
  message
    .split(/\n\s*(?:Candidate|Did you mean|Either add)/)[0]!
    .replace(/^Referenced column ("[^"]*") not found in FROM clause!?/, 'there is no column $1')
    .replace(/^Table "([^"]*)" does not have a column named ("[^"]*")/, '"$1" has no column $2')
    .replace(/^(?:Scalar |Table |Aggregate )?Function with name (\S+) does not exist!?/, 'there is no function "$1"')
    .replaceAll(/\s+/g, ' ')
    .trim()

function candidatesOf(thrown: Readonly<Record<string, string>>, message: string): readonly string[] {
  if (thrown['error_subtype'] === 'NO_MATCHING_FUNCTION') return []
  const listed = /Candidate bindings: :? ?(.*)/.exec(message)?.[1] ?? thrown['candidates'] ?? ''
  return listed
    .split(',')
    .map((name) => name.trim().replaceAll('"', ''))
    .filter((name) => name !== '')
    .slice(0, 3)
}
