// From DuckDB's syntax tree of one SELECT to the logical operators of a live model: a closed list of shapes. Where the rows
// come from is `read-source.ts`, expressions are `read-expression.ts`; here the clauses are put in their order:
// WHERE, windows and groups, HAVING, QUALIFY, the output columns, DISTINCT.
import { MillraceError } from '../../core/errors.ts'
import type { Shape } from '../../schema/type.ts'
import type { Node } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import { type Expression, LONG, replaceColumns, sameExpression } from './expression.ts'
import { readAggregate } from './read-aggregate.ts'
import { readCondition, readExpression, type Scope } from './read-expression.ts'
import { knownColumns, readSource, type Source, tumbleBounds } from './read-source.ts'
import { refuse } from './refuse.ts'
import type { Aggregate, LiveQuery, NamedExpression, OrderBy, Relation, TopRelation } from './relation.ts'

const nodes = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : [])

/** The rank that QUALIFY compares, as the operators name it. */
const RANK = '#rank'

const AS_VIEW = 'put it into a view over the live model'

/** `tree` is the SELECT node of the statement. @throws MR_PLAN_LIVE_SHAPE naming the construct, MR_PLAN_UNKNOWN. */
export function compileLive(tree: unknown, shapeOf: (stream: string) => Shape | undefined): LiveQuery {
  const select = tree as Node
  checkClauses(select)
  const source = readSource(select['from_table'] as Node, shapeOf)
  const reader = new SelectReader(select, source)
  return reader.read()
}

function checkClauses(select: Node): void {
  if (select.type !== 'SELECT_NODE') refuse('a set operation or recursive query', select)
  if ((select['cte_map'] as { map: unknown[] }).map.length > 0) refuse('WITH', select)
  if (select['sample']) refuse('SAMPLE', select)
  for (const modifier of nodes(select['modifiers'])) {
    if (modifier.type !== 'DISTINCT_MODIFIER') refuse('ORDER BY or LIMIT', select, AS_VIEW)
    if (nodes(modifier['distinct_on_targets']).length > 0) refuse('DISTINCT ON', select, 'QUALIFY row_number() OVER (PARTITION BY ...) = 1')
  }
}

class SelectReader {
  readonly #select: Node
  readonly #source: Source
  readonly #scope: Scope
  readonly #aggregates: Aggregate[] = []
  #ranking: { readonly node: Node; readonly function: 'row_number' | 'rank' } | null = null

  constructor(select: Node, source: Source) {
    this.#select = select
    this.#source = source
    const known = knownColumns(select['where_clause'] as Node | null)
    this.#scope = {
      column: (names, node) => source.column(names, node, known),
      special: (node) => this.#special(node),
    }
  }

  read(): LiveQuery {
    const { window } = this.#source
    const input = this.#filtered()
    const outputs = this.#outputs()
    const having = this.#select['having'] ? readCondition(this.#select['having'] as Node, this.#scope) : null
    const qualify = this.#select['qualify'] as Node | null
    const limit = qualify ? this.#limit(qualify) : null
    const groups = this.#groups(outputs)
    if (groups) return this.#grouped(input, groups, outputs, having, limit)
    if (having) refuse('HAVING without GROUP BY', this.#select)
    if (limit) return this.#topped(input, outputs, limit)
    if (this.#isDistinct) return this.#distinct(input, outputs)
    if (window && window.kind !== 'tumble') refuse(`${window.kind}(...) without GROUP BY`, this.#select)
    const columns = outputs.map(({ name, value }) => ({ name, value: this.#beforeGroup(value) }))
    return this.#result({ op: 'project', input, columns }, 'append')
  }

  #special(node: Node): Expression | undefined {
    if (node.class === 'WINDOW') return this.#rankOf(node)
    const aggregate = readAggregate(node, this.#scope, this.#aggregates.length)
    if (!aggregate) return undefined
    const same = this.#aggregates.find((known) => sameAggregate(known, aggregate))
    if (!same) this.#aggregates.push(aggregate)
    const { name, type, function: called } = same ?? aggregate
    return { op: 'column', name, type, optional: called !== 'count' && called !== 'approx_count_distinct' }
  }

  #rankOf(node: Node): Expression {
    const called = String(node['function_name'])
    if (called !== 'row_number' && called !== 'rank') refuse(`the window function ${called}`, node, 'row_number() or rank() with QUALIFY')
    if (!this.#select['qualify']) refuse(`${called}() without QUALIFY`, node, `add QUALIFY ${called}() OVER (...) <= 3`)
    const isOther = this.#ranking !== null && JSON.stringify(withoutPlaces(this.#ranking.node)) !== JSON.stringify(withoutPlaces(node))
    if (isOther) refuse('a second window function', node)
    this.#ranking = { node, function: called }
    return { op: 'column', name: RANK, type: LONG, optional: false }
  }

  #filtered(): Relation {
    const { relation } = this.#source
    const where = this.#select['where_clause'] as Node | null
    if (!where) return relation
    const condition = readCondition(where, this.#scope)
    if (this.#aggregates.length > 0) refuse('an aggregate in WHERE', where, 'write it in HAVING')
    this.#source.checkBeforeWindow(condition, where)
    return { op: 'filter', input: relation, where: condition }
  }

  #outputs(): NamedExpression[] {
    const list = nodes(this.#select['select_list'])
    return list.flatMap((node, index) => {
      if (node.class === 'STAR') return this.#source.star(node)
      const value = readExpression(node, this.#scope)
      if (value.op === 'interval') refuse('an interval as a column', node)
      return [{ name: nameOf(node, index), value }]
    })
  }

  get #isDistinct(): boolean {
    return nodes(this.#select['modifiers']).length > 0
  }

  /** What is grouped by; null when nothing is. */
  #groups(outputs: readonly NamedExpression[]): readonly Expression[] | null {
    const listed = nodes(this.#select['group_expressions'])
    if (nodes(this.#select['group_sets']).length > 1) refuse('GROUPING SETS, ROLLUP or CUBE', this.#select)
    if (this.#select['aggregate_handling'] === 'FORCE_AGGREGATES')
      return outputs.map(({ value }) => value).filter((value) => !this.#isOfGroup(value) && value.op !== 'constant')
    if (listed.length === 0 && this.#aggregates.length === 0) return null
    return listed.map((node) => this.#groupOf(node, outputs))
  }

  #groupOf(node: Node, outputs: readonly NamedExpression[]): Expression {
    const position = node.class === 'CONSTANT' ? Number(literalValue(node['value'] as Literal)) : Number.NaN
    if (outputs[position - 1]) return outputs[position - 1]!.value
    const names = node.class === 'COLUMN_REF' ? (node['column_names'] as string[]) : []
    const alias = names.length === 1 ? outputs.find(({ name }) => name === names[0]) : undefined
    if (alias && !this.#source.has(names[0]!)) return alias.value
    return readExpression(node, this.#scope)
  }

  #isOfGroup(value: Expression): boolean {
    const names = new Set([RANK, ...this.#aggregates.map(({ name }) => name)])
    const reads = (expression: Expression): boolean => {
      if (expression.op === 'column') return names.has(expression.name)
      if (expression.op === 'call') return expression.of.some(reads)
      if (expression.op === 'cast') return reads(expression.of)
      if (expression.op === 'case')
        return reads(expression.else) || expression.when.some(({ test, value: then }) => reads(test) || reads(then))
      return false
    }
    return reads(value)
  }

  #grouped(
    input: Relation,
    groups: readonly Expression[],
    outputs: readonly NamedExpression[],
    having: Expression | null,
    limit: number | null,
  ): LiveQuery {
    const { window } = this.#source
    const free = groups.filter((value) => !this.#source.isBound(value))
    const keys = free.map((value, i) => ({ name: `#k${i}`, value: this.#beforeGroup(value) }))
    if (window) this.#checkWindowKeys(groups, keys)
    if (this.#isDistinct) refuse('DISTINCT beside GROUP BY', this.#select, 'every group is one row already')
    const over = (value: Expression): Expression => this.#overGroup(value, keys)
    const aggregates = this.#aggregates.map((aggregate) => ({
      ...aggregate,
      of: aggregate.of.map((value) => this.#beforeGroup(value)),
      where: aggregate.where && this.#beforeGroup(aggregate.where),
    }))
    let relation: Relation = { op: 'group', input, window, keys, aggregates }
    if (!window && keys.length === 0) refuse('an aggregate over a whole stream', this.#select)
    if (having && !window)
      refuse('HAVING without a window, where rows would have to leave the table again', this.#select['having'] as Node, AS_VIEW)
    if (having) relation = { op: 'filter', input: relation, where: over(having) }
    if (limit !== null) {
      if (!window || window.kind === 'session') refuse('QUALIFY over groups without tumble or hop', this.#select['qualify'] as Node)
      relation = this.#top(relation, limit, over, true)
    }
    const columns = outputs.map(({ name, value }) => ({ name, value: over(value) }))
    const root: Relation = { op: 'project', input: relation, columns }
    if (window) return this.#result(root, 'closing')
    return this.#result(
      root,
      'keyed',
      this.#keyNames(
        keys.map(({ value }) => value),
        outputs,
      ),
    )
  }

  /** Bounds of a tumbling window by the row's own time. */
  #beforeGroup(value: Expression): Expression {
    const { window } = this.#source
    if (!window) return value
    const bounds = window.kind === 'tumble' ? tumbleBounds(window) : undefined
    return replaceColumns(value, (name) => {
      if (name !== 'window_start' && name !== 'window_end') return undefined
      return bounds?.[name] ?? refuse(`an expression over ${name} of ${window.kind}(...) before the groups`, this.#select)
    })
  }

  /** Groups of a window stay apart by its start; those of a session by its key and nothing else. */
  #checkWindowKeys(groups: readonly Expression[], keys: readonly NamedExpression[]): void {
    const { window } = this.#source
    if (!groups.some((value) => this.#source.isBound(value))) refuse(`${window!.kind}(...) without grouping by window_start`, this.#select)
    if (window!.kind !== 'session') return
    const isKey = (value: Expression): boolean => sameExpression(value, window!.by)
    if (keys.length !== 1 || !keys.every(({ value }) => isKey(value)))
      refuse('a session that is not grouped by its key, window_start and window_end', this.#select)
  }

  /** Over the result of the group: keys and aggregates are its columns. */
  #overGroup(value: Expression, keys: readonly NamedExpression[]): Expression {
    const key = keys.find((candidate) => sameExpression(candidate.value, value))
    if (key) return { op: 'column', name: key.name, type: value.type, optional: optionalOf(key.value) }
    if (value.op === 'column') {
      if (value.name === RANK || this.#source.isBound(value) || this.#aggregates.some(({ name }) => name === value.name)) return value
      return refuse(
        `"${value.name}", which is neither grouped by nor in an aggregate,`,
        this.#select,
        'GROUP BY ALL groups by every plain column',
      )
    }
    const over = (inner: Expression): Expression => this.#overGroup(inner, keys)
    if (value.op === 'call') return { ...value, of: value.of.map(over) }
    if (value.op === 'cast') return { ...value, of: over(value.of) }
    if (value.op === 'case')
      return {
        ...value,
        when: value.when.map(({ test, value: then }) => ({ test: over(test), value: over(then) })),
        else: over(value.else),
      }
    return value
  }

  /** `QUALIFY row_number() OVER (...) <= n`: n. */
  #limit(qualify: Node): number {
    const shape = 'write QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) <= 3'
    const [left, right] = [qualify['left'] as Node | undefined, qualify['right'] as Node | undefined]
    if (qualify.class !== 'COMPARISON' || !left || right?.class !== 'CONSTANT') return refuse('this QUALIFY', qualify, shape)
    const value = literalValue(right['value'] as Literal)
    const aliased = left.class === 'COLUMN_REF' ? this.#aliased(left) : left
    if (typeof value !== 'bigint' || aliased?.class !== 'WINDOW') return refuse('this QUALIFY', qualify, shape)
    this.#rankOf(aliased)
    const limit = Number(value) - (qualify.type === 'COMPARE_LESSTHAN' ? 1 : 0)
    const isFirst = qualify.type === 'COMPARE_EQUAL' && limit === 1
    const isUpTo = qualify.type === 'COMPARE_LESSTHAN' || qualify.type === 'COMPARE_LESSTHANOREQUALTO'
    return limit >= 1 && limit <= 1_000 && (isFirst || isUpTo) ? limit : refuse('this QUALIFY', qualify, shape)
  }

  #aliased(node: Node): Node | undefined {
    const name = (node['column_names'] as string[]).at(-1)
    return nodes(this.#select['select_list']).find((candidate) => candidate.alias === name)
  }

  #top(input: Relation, limit: number, over: (value: Expression) => Expression, isWindowed: boolean): TopRelation {
    const { node, function: called } = this.#ranking!
    const partition = nodes(node['partitions']).map((child) => over(readExpression(child, this.#scope)))
    const isByWindow = partition.some((value) => this.#source.isBound(value))
    if (isWindowed && !isByWindow)
      refuse('QUALIFY of a window that is not partitioned by window_start', node, 'add PARTITION BY window_start')
    const order = nodes(node['orders']).map((item) => readOrder(item, (child) => over(readExpression(child, this.#scope))))
    if (order.length === 0) refuse(`${called}() without ORDER BY`, node)
    return {
      op: 'top',
      input,
      window: null,
      partition: partition.filter((value) => !this.#source.isBound(value)),
      order,
      function: called,
      limit,
      name: RANK,
    }
  }

  /** Rows of the stream themselves, the first of each partition: for each window, or for good. */
  #topped(input: Relation, outputs: readonly NamedExpression[], limit: number): LiveQuery {
    const { window } = this.#source
    const qualify = this.#select['qualify'] as Node
    if (this.#isDistinct) refuse('DISTINCT beside QUALIFY', this.#select)
    if (window?.kind === 'session') refuse('QUALIFY over sessions', qualify)
    const top = { ...this.#top(input, limit, (value) => value, window !== null), window }
    const root: Relation = { op: 'project', input: top, columns: outputs }
    if (window) return this.#result(root, 'closing')
    if (top.function === 'rank')
      refuse('rank() without a window, where rows would have to leave the table again', qualify, 'use row_number()')
    if (top.partition.length === 0) refuse('QUALIFY without PARTITION BY', qualify)
    const rank = outputs.find(({ value }) => value.op === 'column' && value.name === RANK)
    if (limit > 1 && !rank) refuse('a top of several rows without its rank as a column', qualify, 'select row_number() OVER (...) AS rank')
    const key = this.#keyNames(top.partition, outputs)
    return this.#result(root, 'keyed', limit > 1 ? [...key, rank!.name] : key)
  }

  #distinct(input: Relation, outputs: readonly NamedExpression[]): LiveQuery {
    const { window } = this.#source
    const bound = outputs.filter(({ value }) => this.#source.isBound(value))
    const keys = outputs.filter(({ value }) => !this.#source.isBound(value)).map(({ value }, i) => ({ name: `#k${i}`, value }))
    if (window && (window.kind === 'session' || bound.length === 0))
      refuse(`DISTINCT over ${window.kind}(...) without window_start`, this.#select)
    const group: Relation = { op: 'group', input, window, keys, aggregates: [] }
    const columns = outputs.map(({ name, value }) => ({ name, value: this.#overGroup(value, keys) }))
    const root: Relation = { op: 'project', input: group, columns }
    if (window) return this.#result(root, 'closing')
    return this.#result(
      root,
      'keyed',
      this.#keyNames(
        keys.map(({ value }) => value),
        outputs,
      ),
    )
  }

  /** The output columns that are the key of a keyed result. */
  #keyNames(key: readonly Expression[], outputs: readonly NamedExpression[]): string[] {
    return key.map((value) => {
      const output = outputs.find((candidate) => sameExpression(candidate.value, value))
      if (!output) return refuse('grouping or partitioning by what is not selected', this.#select, 'select every column of the key')
      if (optionalOf(value))
        return refuse(
          `"${output.name}", which may be null, as part of the key`,
          this.#select,
          `add WHERE ... IS NOT NULL, or coalesce(...) AS ${output.name}`,
        )
      return output.name
    })
  }

  #result(root: Relation, result: LiveQuery['result'], key: readonly string[] = []): LiveQuery {
    return { root, stream: this.#source.stream, result, key }
  }
}

const optionalOf = (value: Expression): boolean =>
  value.op === 'constant' ? value.value === null : value.op === 'interval' ? false : value.optional

const sameAggregate = ({ name: _a, ...a }: Aggregate, { name: _b, ...b }: Aggregate): boolean => JSON.stringify(a) === JSON.stringify(b)

const withoutPlaces = (node: Node): unknown =>
  JSON.parse(JSON.stringify(node, (key, value) => (key === 'query_location' || key === 'alias' ? undefined : value)))

/** As DuckDB names a column without an alias, where that is simple. */
function nameOf(node: Node, index: number): string {
  if (node.alias) return node.alias
  if (node.class === 'COLUMN_REF') return (node['column_names'] as string[]).at(-1)!
  if (node['function_name'] === 'count_star') return 'count_star()'
  const of = nodes(node['children'])
  if (node.class === 'FUNCTION' && of.length === 1 && of[0]!.class === 'COLUMN_REF' && !node['distinct'] && !node['filter'])
    return `${String(node['function_name'])}(${(of[0]!['column_names'] as string[]).map(quoteIfNeeded).join('.')})`
  if (index < 0) throw new MillraceError('MR_ASSERT', 'cannot be: a column without a place')
  return `#${index + 1}`
}

const quoteIfNeeded = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name}"`)

function readOrder(item: Node, read: (node: Node) => Expression): OrderBy {
  const descending = item.type === 'DESCENDING'
  const nulls = String(item['null_order'])
  return { value: read(item['expression'] as Node), descending, nullsFirst: nulls === 'NULLS FIRST' || nulls === 'NULLS_FIRST' }
}
