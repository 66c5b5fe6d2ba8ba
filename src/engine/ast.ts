// SQL as DuckDB's own syntax tree: parsed by `json_serialize_sql`, printed by `json_deserialize_sql`. One parser means no
// differences between parsers. Numbers pass through verbatim, and what is printed is parsed again and compared, since the
// printer has let unquoted names through before.

import { MillraceError } from '../core/errors.ts'
import { parseJsonVerbatim, printJson } from '../core/json.ts'
import { Recent } from '../core/recent.ts'
import type { Engine } from './duckdb.ts'
import { placeOf } from './engine-error.ts'
import { quoteText } from './sql-text.ts'

/** A node of the tree: `type` and, for expressions, `class`; everything else by DuckDB's names. */
export interface Node {
  type?: string
  class?: string
  alias?: string
  query_location?: unknown
  [key: string]: unknown
}

export interface Statement {
  /** The query node: SELECT_NODE, SET_OPERATION_NODE, ... */
  node: Node
  named_param_map: unknown
}

/** A reference to a relation in a FROM clause that no CTE of its scope defines. */
export interface RelationRef {
  /** The BASE_TABLE node: may be changed in place. */
  readonly node: Node
  readonly catalog: string
  readonly schema: string
  readonly name: string
}

export interface SqlParser {
  /** Exactly one SELECT. @throws MR_SQL_SYNTAX with the position; MR_SQL_STATEMENT for anything else. */
  parse(text: string): Promise<Statement>
  /** Text of a tree. @throws MR_SQL_FORBIDDEN when it does not read back as the same tree. */
  print(statement: Statement): Promise<string>
  close(): void
}

const CACHE_MAX = 1_000
/** Longer texts and trees are not remembered: of those there are many different ones, and each is large. */
const REMEMBERED_MAX = 16_384

export async function openParser(engine: Engine): Promise<SqlParser> {
  const session = await engine.session()
  const parseText = session.prepared('SELECT json_serialize_sql($1::VARCHAR)')
  const printTree = session.prepared(`SELECT text, json_serialize_sql(text) FROM (SELECT json_deserialize_sql($1::JSON) AS text)`)
  const parseOnce = async (text: string): Promise<Statement> => statementOf(text, String((await parseText([text])).rows[0]![0]))
  const printOnce = (tree: Printable): Promise<string> =>
    printChecked(tree, async (json) => (await printTree([json])).rows[0]!.map(String) as [string, string])
  const parsed = new Recent<Statement>(CACHE_MAX)
  const printed = new Recent<string>(CACHE_MAX)
  return {
    async parse(text) {
      if (text.length > REMEMBERED_MAX) return parseOnce(text)
      return copy(await parsed.get(text, () => parseOnce(text)))
    },
    async print(statement) {
      const tree = printable(statement)
      return tree.json.length > REMEMBERED_MAX ? printOnce(tree) : printed.get(tree.json, () => printOnce(tree))
    },
    close: () => session.close(),
  }
}

/** As `openParser`, without a memory, over whoever runs one SELECT of one row and answers its columns as text. */
export function treesOf(ask: (sql: string) => Promise<readonly string[]>): Pick<SqlParser, 'parse' | 'print'> {
  return {
    parse: async (text) => statementOf(text, (await ask(`SELECT json_serialize_sql(${quoteText(text)}) AS tree`))[0]!),
    print: async (statement) =>
      printChecked(printable(statement), async (json) => {
        const [text, again] = await ask(
          `SELECT text, json_serialize_sql(text) AS again FROM (SELECT json_deserialize_sql(CAST(${quoteText(json)} AS JSON)) AS text)`,
        )
        return [text!, again!]
      }),
  }
}

interface Printable {
  readonly tree: Statement
  readonly json: string
}

function printable(statement: Statement): Printable {
  checkParameterNames(statement)
  const tree = copy(statement)
  walk(tree.node, keepDouble)
  return { tree, json: printJson({ error: false, statements: [tree] }) }
}

/** `print`: the text of a tree, and that text as a tree again. */
async function printChecked({ tree, json }: Printable, print: (json: string) => Promise<readonly [string, string]>): Promise<string> {
  const [text, again] = await print(json)
  if (canonical(statementOf(text, again)) !== canonical(tree))
    throw new MillraceError('MR_SQL_FORBIDDEN', 'the query uses a form that cannot be printed safely', {
      fix: 'write it in a simpler way',
    })
  return text
}

/** A copy that the caller may change; verbatim numbers are frozen and shared. */
function copy<T>(value: T): T {
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return value
  if (Array.isArray(value)) return value.map(copy) as T
  const target: Record<string, unknown> = {}
  for (const key in value) target[key] = copy(value[key])
  return target as T
}

interface Serialized {
  error: boolean
  error_message?: string
  position?: string
  statements?: Statement[]
}

/** The one statement of a text that the engine has parsed as `json`. */
function statementOf(text: string, json: string): Statement {
  const parsed = readTree(json)
  if (parsed.error) throw parseError(text, parsed)
  if (parsed.statements?.length !== 1)
    throw new MillraceError('MR_SQL_STATEMENT', `one SELECT is allowed, this is ${parsed.statements?.length ?? 0} statements`, {
      fix: 'send one statement at a time',
    })
  return parsed.statements[0]!
}

function readTree(json: string): Serialized {
  try {
    return parseJsonVerbatim(json) as Serialized
  } catch (cause) {
    // The one thing that DuckDB writes and JSON does not have is Infinity, which only such a literal becomes.
    throw new MillraceError('MR_SQL_SYNTAX', 'a number is larger than a double can be', {
      cause,
      fix: "write 'inf'::DOUBLE if infinity is meant",
    })
  }
}

function parseError(text: string, { error_message: message = '', position }: Serialized): MillraceError {
  if (/^Only SELECT statements/.test(message))
    return new MillraceError('MR_SQL_STATEMENT', 'only SELECT, and INSERT, UPDATE, DELETE and MERGE of rows, are taken', {
      fix: 'ask with SELECT; definitions change in code',
    })
  const place = position === undefined ? '' : placeOf(text, Number(position), 'characters')
  return new MillraceError('MR_SQL_SYNTAX', `${message.split('\n')[0]}${place}`, { fix: 'check the SQL near that place' })
}

/** A member that is a list of nodes; empty where there is none. */
export const nodes = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : [])

/** Calls `visit` for every object of the tree, parents first. */
export function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const inner of value) walk(inner, visit)
  else if (value !== null && typeof value === 'object' && !JSON.isRawJSON(value)) {
    visit(value as Node)
    for (const inner of Object.values(value)) walk(inner, visit)
  }
}

/** The same call, wherever it stands. */
export const isSameNode = (a: Node, b: Node): boolean => JSON.stringify(withoutPlaces(a)) === JSON.stringify(withoutPlaces(b))

const withoutPlaces = (node: Node): unknown =>
  JSON.parse(JSON.stringify(node, (key, value) => (key === 'query_location' || key === 'alias' ? undefined : value)))

/** Whether any node in there is so. */
export function someNode(value: unknown, test: (node: Node) => boolean): boolean {
  let found = false
  walk(value, (node) => {
    found ||= test(node)
  })
  return found
}

declare global {
  interface JSON {
    isRawJSON(value: unknown): boolean
  }
}

/** `1e3` is printed as `1000.0`, which reads back as a decimal: doubles without an exponent become casts of text. */
function keepDouble(node: Node): void {
  const value = node['value'] as { type: { id: string }; is_null: boolean; value: unknown } | undefined
  if (node.class !== 'CONSTANT' || value?.type.id !== 'DOUBLE' || value.is_null) return
  const text = JSON.stringify(value.value)
  if (text.includes('e')) return
  delete node['value']
  const { alias = '', query_location = 0 } = node
  Object.assign(node, {
    class: 'CAST',
    type: 'OPERATOR_CAST',
    child: {
      class: 'CONSTANT',
      type: 'VALUE_CONSTANT',
      alias: '',
      query_location,
      value: { type: { id: 'VARCHAR', type_info: null }, is_null: false, value: text },
    },
    cast_type: { id: 'DOUBLE', type_info: null },
    try_cast: false,
    alias,
  })
}

/** The printer writes names of parameters unquoted: only plain ones pass. */
function checkParameterNames(statement: Statement): void {
  walk(statement, (node) => {
    if (node.class !== 'PARAMETER') return
    if (!/^[A-Za-z0-9_]+$/.test(String(node['identifier'])))
      throw new MillraceError('MR_SQL_FORBIDDEN', 'a parameter has a name that is not plain', {
        fix: 'use letters, digits and underscores',
      })
  })
}

const IGNORED = new Set(['query_location', 'named_param_map'])

/**
 * Equal for trees that mean the same. Left out: places, the order in which parameters were met (they are bound by name), and
 * the subquery that the printer puts around VALUES.
 */
function canonical(statement: Statement): string {
  return JSON.stringify(statement, (key, value) => (IGNORED.has(key) ? undefined : (valuesInside(value) ?? value)))
}

/** The VALUES of `(SELECT * FROM (VALUES ...) AS name) AS name`. */
function valuesInside(value: unknown): Node | undefined {
  const outer = value as Node | null
  if (outer?.type !== 'SUBQUERY' || outer.class !== undefined || outer['sample'] || (outer['column_name_alias'] as unknown[]).length > 0)
    return undefined
  const { from_table: inner, ...rest } = (outer['subquery'] as Statement).node as Node & { from_table?: Node }
  if (inner?.type !== 'EXPRESSION_LIST' || inner.alias !== outer.alias) return undefined
  return JSON.stringify(rest, (key, member) => (key === 'query_location' ? undefined : member)) === SELECT_ALL_TEXT ? inner : undefined
}

/** `SELECT *` from what takes the place of its `from_table`. */
export const SELECT_ALL: Node = {
  type: 'SELECT_NODE',
  modifiers: [],
  cte_map: { map: [] },
  select_list: [
    {
      class: 'STAR',
      type: 'STAR',
      alias: '',
      relation_name: '',
      exclude_list: [],
      replace_list: [],
      columns: false,
      expr: null,
      qualified_exclude_list: [],
      rename_list: [],
    },
  ],
  where_clause: null,
  group_expressions: [],
  group_sets: [],
  aggregate_handling: 'STANDARD_HANDLING',
  having: null,
  sample: null,
  qualify: null,
}

const SELECT_ALL_TEXT = JSON.stringify(SELECT_ALL)

/** Base tables that are not names of CTEs in scope, with DuckDB's scoping: a CTE sees those before it, not itself. */
export function relationsOf(statement: Statement): RelationRef[] {
  const found: RelationRef[] = []
  visitQuery(statement.node, new Set(), found)
  return found
}

type Scope = ReadonlySet<string>

function visitQuery(node: Node, outer: Scope, found: RelationRef[]): void {
  let scope = outer
  const ctes = (node['cte_map'] as { map?: { key: string; value: Node }[] } | undefined)?.map ?? []
  for (const { key, value } of ctes) {
    const query = (value['query'] as Statement).node
    const isRecursive = query.type === 'RECURSIVE_CTE_NODE'
    visitQuery(query, isRecursive ? with_(scope, key) : scope, found)
    scope = with_(scope, key)
  }
  if (node.type === 'RECURSIVE_CTE_NODE' || node.type === 'CTE_NODE') {
    const inner = with_(scope, String(node['cte_name']))
    if (node.type === 'CTE_NODE') {
      visitQuery(node['query'] as Node, scope, found)
      visitQuery(node['child'] as Node, inner, found)
      return
    }
    scope = inner
  }
  for (const [key, value] of Object.entries(node)) if (key !== 'cte_map') visitValue(value, scope, found)
}

const with_ = (scope: Scope, name: string): Scope => new Set([...scope, name.toLowerCase()])

function visitValue(value: unknown, scope: Scope, found: RelationRef[]): void {
  if (Array.isArray(value)) {
    for (const inner of value) visitValue(inner, scope, found)
    return
  }
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return
  const node = value as Node
  if (node.type === 'BASE_TABLE') {
    const [catalog, schema, name] = [String(node['catalog_name'] ?? ''), String(node['schema_name'] ?? ''), String(node['table_name'])]
    if (catalog !== '' || schema !== '' || !scope.has(name.toLowerCase())) found.push({ node, catalog, schema, name })
    for (const [key, inner] of Object.entries(node)) if (key !== 'table_name') visitValue(inner, scope, found)
    return
  }
  if (typeof node.type === 'string' && node.type.endsWith('_NODE') && 'modifiers' in node) visitQuery(node, scope, found)
  else for (const inner of Object.values(node)) visitValue(inner, scope, found)
}
