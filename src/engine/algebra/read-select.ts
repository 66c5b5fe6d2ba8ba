// One SELECT of a live model: the clauses in their order (WHERE, windows and groups, HAVING, QUALIFY, the output columns,
// DISTINCT). Where the rows come from is `read-source.ts`, expressions are `read-expression.ts`.
import { type Node, nodes } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import {
  allOf,
  BOOLEAN,
  type ColumnExpression,
  call,
  columnsIn,
  conjuncts,
  constant,
  type Expression,
  isOptional,
  LONG,
  mapChildren,
  replaceColumns,
  sameExpression,
} from './expression.ts'
import { nameOf } from './output-names.ts'
import { outputRows } from './output-rows.ts'
import { carryKey, overLatest } from './over-latest.ts'
import { REMOVABLE, readAggregate } from './read-aggregate.ts'
import { readComputed } from './read-computed.ts'
import { readCondition, readExpression, type Scope } from './read-expression.ts'
import { type Reading, readSource, rowByRow } from './read-source.ts'
import {
  calledOf,
  type Framed,
  isSameNode,
  type Lag,
  type Over,
  type Ranking,
  readFramed,
  readLag,
  readLimit,
  readOrder,
  readRanking,
} from './read-window-function.ts'
import { refuse } from './refuse.ts'
import type { Aggregate, GroupRelation, NamedExpression, Relation, TopRelation, Window } from './relation.ts'
import { withoutAliases, withoutDistinctOn, withRankLimit } from './rewrite-select.ts'
import { AS_VIEW, checkClauses, joined, namesIn, partsOf } from './select-clauses.ts'
import { ARRIVAL, isHidden, isNestedValue, knownColumns, LOG_ORDER, type Rows, type Source, sourceOf, tumbleBounds } from './source.ts'

const IN_HAVING = 'write the condition over the time column, or GROUP BY window_start'

/** The rank that QUALIFY compares, as the operators name it. */
const RANK = '#rank'

/** In the key of a subquery, for a column that it does not select: a group above goes without it, rows do not. */
const UNSELECTED = ''

/** Rows of a session that WHERE leaves in it; one without any is none. */
const COUNTED: Aggregate = { name: '#counted', function: 'count', of: [], distinct: false, where: null, type: LONG }
const HAS_ROWS = call('>', [{ op: 'column', name: COUNTED.name, type: LONG, optional: false }, constant('0', LONG)], BOOLEAN, false)

/** @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function readSelect(given: Node, { around, ...reading }: Reading): Rows {
  const select = withRankLimit(withoutDistinctOn(given), around)
  checkClauses(select)
  const clause = select['where_clause'] as Node | null
  // A join takes its own conditions out of the WHERE clause, and so does a subquery with a rank.
  const where = clause ? partsOf(clause) : []
  const from = select['from_table'] as Node
  const read = rowsOfTable(readSource(from, reading, { used: namesIn(select), where }))
  const source = read.window?.kind === 'hop' && isPlain(select) ? sourceOf(rowByRow(read, from), null) : read
  const named = withoutAliases({ ...select, where_clause: joined(where) }, source.has)
  return new SelectReader(named, source, knownColumns(clause, source.column), reading).read()
}

/** Neither grouped nor numbered: a hop is the row once for each of its windows. */
const isPlain = (select: Node): boolean =>
  nodes(select['group_expressions']).length === 0 &&
  select['aggregate_handling'] !== 'FORCE_AGGREGATES' &&
  !select['qualify'] &&
  nodes(select['modifiers']).length === 0

/** A table that is read by itself, not looked up in: its rows are replaced, and go, by its key. */
function rowsOfTable(source: Source): Source {
  const { table, columns } = source
  if (!table) return source
  const { name, key } = table
  const rowKey = key.map((column) => columns.find((known) => known.name === column)!.column)
  const rows = { relation: { op: 'scan', stream: name, key } as const, result: 'keyed' as const, key, rowKey, isRetracted: true }
  return { ...source, ...rows, table: undefined }
}

class SelectReader {
  readonly #select: Node
  readonly #source: Source
  readonly #scope: Scope
  readonly #aggregates: Aggregate[] = []
  readonly #lags: Lag[] = []
  readonly #frames: Framed[] = []
  #ranking: Ranking | null = null
  readonly #isModel: boolean
  readonly #handsOnArrival: boolean
  /** Rows of groups go where they no longer fulfil a condition. */
  #loses = false
  /** Conditions of WHERE on the bounds of a hop or a session, which hold for groups as they do for their rows. */
  #ofWindow: readonly Expression[] = []
  /** Of sessions: which rows the aggregates see. */
  #counted: Expression | null = null
  /** What windows of the source or of the groups are: set where rows are grouped or numbered by a time that is known to close. */
  #window: Window | null

  /** `known`: columns that are not null in the rows that WHERE leaves. */
  constructor(select: Node, source: Source, known: ReadonlySet<string>, { isModel, isLookup, known: computed }: Reading) {
    this.#select = select
    this.#source = source
    this.#isModel = isModel
    this.#handsOnArrival = isLookup === true && !isModel
    this.#window = source.window
    this.#scope = {
      column: (names, node) => source.column(names, node, known),
      special: (node) => this.#special(node),
      ...(computed ? { compute: (node: Node) => readComputed(node, source, computed) } : {}),
    }
  }

  read(): Rows {
    const input = this.#filtered()
    const outputs = this.#outputs()
    const having = this.#select['having'] ? readCondition(this.#select['having'] as Node, this.#scope) : null
    const qualify = this.#select['qualify'] as Node | null
    const limit = qualify ? readLimit(qualify, this.#select, (node) => this.#rankOf(node)) : null
    const groups = this.#groups(outputs)
    const before = [...this.#lags, ...this.#frames]
    const beside = groups ? 'GROUP BY' : limit ? 'QUALIFY' : this.#isDistinct ? 'DISTINCT' : null
    if (before.length > 0 && beside) refuse(`OVER (...) beside ${beside}`, this.#select, 'write one of them in a subquery')
    if (groups) return this.#grouped(input, groups, outputs, having, limit)
    if (having) refuse('HAVING without GROUP BY', this.#select)
    const nested = before.length > 0 ? outputs.find(({ value }) => isNestedValue(value.type)) : undefined
    if (nested) refuse(`OVER (...) beside the column "${nested.name}", which is nested,`, this.#select, `leave "${nested.name}" out`)
    if (this.#ofWindow.length > 0) refuse('WHERE over the bounds of this window', this.#select['where_clause'] as Node, IN_HAVING)
    if (limit) return this.#topped(input, outputs, limit)
    if (this.#isDistinct) return this.#distinct(input, outputs)
    return this.#plain(before.length > 0 ? this.#withRowsBefore(input) : input, outputs)
  }

  /** Columns of the rows as they come. */
  #plain(input: Relation, outputs: readonly NamedExpression[]): Rows {
    const { result, key } = this.#source
    const window = this.#window
    if (window && window.kind !== 'tumble')
      refuse(`${window.kind}(...) without GROUP BY`, this.#select, 'GROUP BY the key of the session, window_start and window_end')
    const columns = [...outputs, ...this.#arrival(outputs)].map(({ name, value }) => ({ name, value: this.#beforeGroup(value) }))
    const root: Relation = { op: 'project', input, columns }
    const { rowKey } = this.#source
    if (rowKey) return this.#rowsThatGo(input, columns, rowKey)
    if (this.#isModel && key.includes(UNSELECTED))
      refuse(
        'rows that are replaced by what the subquery does not select',
        this.#select,
        'select every column that it groups or partitions by',
      )
    const keys = this.#source.columns.map(({ column }) => column).filter(({ name }) => key.includes(name))
    if (result === 'keyed') {
      const unselected = key.filter((name) => name === UNSELECTED)
      const rows = this.#result(root, 'keyed', [...this.#keyNames(keys, outputs), ...unselected], this.#source.isRetracted)
      return this.#loses ? { ...rows, loses: true } : rows
    }
    // Rows of lag wait for its time: how long another time may lag behind the watermark is not known.
    const [lag] = [...this.#lags, ...this.#frames]
    const times = new Map(lag ? (lag.time.op === 'column' ? [[lag.time.name, lag.delayUs]] : []) : this.#source.times)
    if (window) times.set('window_start', (window.delayUs ?? 0) + window.widthUs).set('window_end', window.delayUs ?? 0)
    return this.#result(root, lag ? 'closing' : result, [], false, times, outputs)
  }

  /** When a row came, for a lookup above, where it is not selected. */
  #arrival(outputs: readonly NamedExpression[]): NamedExpression[] {
    const { arrival, columns } = this.#source
    const column = this.#handsOnArrival ? columns.find((known) => known.column.name === arrival)?.column : undefined
    return column && !outputs.some(({ value }) => sameExpression(value, column)) ? [{ name: ARRIVAL, value: column }] : []
  }

  #rowsThatGo(input: Relation, columns: readonly NamedExpression[], key: readonly ColumnExpression[]): Rows {
    const { columns: own, isRetracted } = this.#source
    const missing = key.filter((column) => !columns.some(({ value }) => sameExpression(value, column)))
    if (this.#isModel && missing.length > 0) {
      const called = missing.map(({ name }) => own.find(({ column }) => column.name === name)?.name ?? 'the key of the subquery')
      refuse('a selection of rows that can go without the whole of their key', this.#select, `select ${called.join(', ')} as well`)
    }
    const carried = carryKey(columns, key)
    const names = carried.rowKey.map(({ name }) => name).filter((name) => !isHidden(name))
    return this.#result({ op: 'project', input, columns: carried.columns }, 'keyed', names, isRetracted, new Map(), [], carried.rowKey)
  }

  #special(node: Node): Expression | undefined {
    if (node.class === 'WINDOW' && node['function_name'] === 'lag') return this.#lagOf(node)
    if (node.class === 'WINDOW') return this.#framedOf(node) ?? this.#rankOf(node)
    const aggregate = readAggregate(node, this.#scope, this.#aggregates.length)
    if (!aggregate) return undefined
    const same = this.#aggregates.find((known) => sameAggregate(known, aggregate))
    if (!same) this.#aggregates.push(aggregate)
    const { name, type, function: called } = same ?? aggregate
    return { op: 'column', name, type, optional: called !== 'count' && called !== 'approx_count_distinct' }
  }

  #rankOf(node: Node): Expression {
    const ranking = readRanking(node, this.#select)
    if (this.#ranking !== null && !isSameNode(this.#ranking.node, node)) refuse('a second window function', node)
    this.#ranking = ranking
    return { op: 'column', name: RANK, type: LONG, optional: false }
  }

  #lagOf(node: Node): Expression {
    const lag = readLag(node, this.#source, this.#scope, this.#lags.length)
    this.#checkOneTime(lag, node)
    this.#lags.push(lag)
    return { op: 'column', name: lag.column.name, type: lag.column.value.type, optional: true }
  }

  #framedOf(node: Node): Expression | undefined {
    const framed = readFramed(node, this.#source, this.#scope, this.#frames.length)
    if (!framed) return undefined
    this.#checkOneTime(framed, node)
    this.#frames.push(framed)
    const { name, type, function: called } = framed.aggregate
    return { op: 'column', name, type, optional: called !== 'count' }
  }

  #checkOneTime({ time }: Over, node: Node): void {
    const [first] = [...this.#lags, ...this.#frames]
    if (first && !sameExpression(first.time, time))
      refuse(`${calledOf(node)}(...) over a second time`, node, 'write one of them in a subquery')
  }

  /** Rows with values of those before them: one operator for all that stand over the same rows, and the next over its rows. */
  #withRowsBefore(input: Relation): Relation {
    if (this.#source.result === 'keyed') refuse('OVER (...) of rows that are replaced', this.#select)
    const ties = this.#ties()
    const before = [...this.#lags, ...this.#frames]
    const alike = Map.groupBy(before, (own) => JSON.stringify([own.partition, 'frame' in own ? own.frame : null]))
    return [...alike.values()].reduce<Relation>((rows, own) => {
      const { partition, time, delayUs } = own[0]!
      const over = { input: rows, partition, time, delayUs, ties }
      const frames = own.filter((one) => 'frame' in one)
      if (frames.length > 0) return { ...over, op: 'frame', frame: frames[0]!.frame, aggregates: frames.map(({ aggregate }) => aggregate) }
      return { ...over, op: 'lag', columns: own.flatMap((one) => ('column' in one ? [one.column] : [])) }
    }, input)
  }

  /** What puts rows in order that nothing else does: the log, or else all of their columns. */
  #ties(): Expression[] {
    const columns = this.#source.columns.map(({ column }) => column)
    const byLog = LOG_ORDER.map((name) => columns.find((column) => column.name === name))
    return this.#source.isLogged && byLog.every((column) => column !== undefined) ? byLog : columns
  }

  #filtered(): Relation {
    const { relation, result, key, rowKey, isRetracted, loses } = this.#source
    this.#loses = loses === true
    const where = this.#select['where_clause'] as Node | null
    if (!where) return relation
    const condition = readCondition(where, this.#scope)
    if (this.#aggregates.length > 0) refuse('an aggregate in WHERE', where, 'write it in HAVING')
    const window = this.#source.window
    if (window?.kind === 'session') return this.#filteredSessions(relation, this.#ofRows(condition, where), window.by)
    if (window) return filtered(relation, this.#ofRows(condition, where))
    const isOfKey = [...columnsIn([condition])].every((name) => key.includes(name))
    if (result === 'keyed' && !rowKey && !isOfKey && isRetracted && isPlain(this.#select)) this.#loses = true
    else if (result === 'keyed' && !rowKey && !isOfKey)
      refuse('WHERE over rows that are replaced, which would have to leave the table again', where, AS_VIEW)
    return { op: 'filter', input: relation, where: condition }
  }

  /** Sessions are of all rows, as FROM stands before WHERE: only what is said of the key alone takes whole sessions out. */
  #filteredSessions(input: Relation, conditions: readonly Expression[], by: Expression): Relation {
    const isOfKey = (part: Expression): boolean => by.op === 'column' && [...columnsIn([part])].every((name) => name === by.name)
    this.#counted = allOf(conditions.filter((part) => !isOfKey(part)))
    return filtered(input, conditions.filter(isOfKey))
  }

  /** What is said of rows; of windows that are known row by row too. What is said of other windows alone is said of the groups. */
  #ofRows(condition: Expression, where: Node): readonly Expression[] {
    if (this.#source.window?.kind === 'tumble') return [this.#beforeGroup(condition)]
    const isOfWindow = (part: Expression): boolean => {
      const read = [...columnsIn([part])]
      return read.length > 0 && read.every((name) => name === 'window_start' || name === 'window_end')
    }
    const parts = conjuncts(condition)
    this.#ofWindow = parts.filter(isOfWindow)
    const rest = parts.filter((part) => !isOfWindow(part))
    for (const part of rest) this.#source.checkBeforeWindow(part, where)
    return rest
  }

  #outputs(): NamedExpression[] {
    const list = nodes(this.#select['select_list'])
    return list.flatMap((node, index) => {
      if (node.class === 'STAR') return this.#source.star(node, this.#isPassing, (changed) => readExpression(changed, this.#scope))
      const isColumn = this.#isPassing && node.class === 'COLUMN_REF'
      const whole = isColumn ? this.#source.lookUp(node['column_names'] as string[]) : null
      if (whole && isNestedValue(whole.type)) return [{ name: nameOf(node, index), value: whole }]
      const value = readExpression(node, this.#scope)
      if (value.op === 'interval') refuse('an interval as a column', node)
      return [{ name: nameOf(node, index), value }]
    })
  }

  /** Rows of one stream as they come, which may have nested columns: nothing is done with them. */
  get #isPassing(): boolean {
    const select = this.#select
    const isGrouped = nodes(select['group_expressions']).length > 0 || select['aggregate_handling'] === 'FORCE_AGGREGATES'
    return this.#isModel && this.#source.relation.op === 'scan' && !this.#window && !isGrouped && !select['qualify'] && !this.#isDistinct
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
    const read = columnsIn([value])
    return read.has(RANK) || this.#aggregates.some(({ name }) => read.has(name))
  }

  /** Whether the value is a bound of the window, as the group names it. */
  #boundOf(value: Expression): string | null {
    if (value.op !== 'column') return null
    if (this.#window?.kind === 'instant') return sameExpression(value, this.#window.time) ? 'window_start' : null
    return this.#source.isBound(value) ? value.name : null
  }

  /** Rows that come when the watermark allows are grouped by their time: a group is complete when it has passed. */
  #closeBy(values: readonly Expression[]): void {
    const { result, times, window } = this.#source
    if (window || result !== 'closing') return
    const delays = values.flatMap((value) => {
      const delayUs = value.op === 'column' ? times.get(value.name) : undefined
      return delayUs === undefined ? [] : [{ time: value, delayUs }]
    })
    const [best] = delays.sort((a, b) => a.delayUs - b.delayUs)
    if (best) this.#window = { kind: 'instant', time: best.time, delayUs: best.delayUs }
  }

  #grouped(
    input: Relation,
    groups: readonly Expression[],
    outputs: readonly NamedExpression[],
    having: Expression | null,
    limit: number | null,
  ): Rows {
    if (this.#isDistinct) refuse('DISTINCT beside GROUP BY', this.#select, 'every group is one row already')
    this.#closeBy(groups)
    const window = this.#window
    const keys = this.#keysOf(groups)
    if (window) this.#checkWindowKeys(groups, keys)
    const over = (value: Expression): Expression => this.#overGroup(value, keys)
    const counted = this.#counted ? [{ ...COUNTED, where: this.#counted }] : []
    const aggregates = this.#aggregates.map((aggregate) => ({
      ...aggregate,
      of: aggregate.of.map((value) => this.#beforeGroup(value)),
      where: allOf([this.#counted, aggregate.where].flatMap((where) => (where ? [this.#beforeGroup(where)] : []))),
    }))
    if (!window && keys.length === 0 && aggregates.length === 0) refuse('a group by nothing without an aggregate', this.#select)
    let relation: Relation = this.#groupOver(input, keys, [...aggregates, ...counted])
    if (this.#counted) relation = { op: 'filter', input: relation, where: HAS_ROWS }
    relation = filtered(relation, this.#ofWindow.map(over))
    if (having) relation = { op: 'filter', input: relation, where: over(having) }
    if (limit !== null) {
      if (!window || window.kind === 'session') refuse('QUALIFY over groups without tumble or hop', this.#select['qualify'] as Node)
      relation = { ...this.#top(relation, limit, over, true), overGroups: true }
    }
    const rows = this.#ofGroups(relation, keys, outputs)
    return having && !window && !this.#source.rowKey ? { ...rows, loses: true } : rows
  }

  #groupOver(input: Relation, keys: readonly NamedExpression[], aggregates: readonly Aggregate[]): GroupRelation {
    const { rowKey } = this.#source
    const group: GroupRelation = { op: 'group', input, window: this.#window, keys, aggregates, ...this.#replacing(keys) }
    return rowKey ? overLatest(group, rowKey) : group
  }

  #keysOf(groups: readonly Expression[]): NamedExpression[] {
    const free = groups.filter((value) => this.#boundOf(value) === null)
    return free.map((value, i) => ({ name: `#k${i}`, value: this.#beforeGroup(value) }))
  }

  /** Groups over rows that are replaced: what is taken back must be known, and no group may become empty. */
  #replacing(keys: readonly NamedExpression[]): { readonly replaces?: true } {
    const { result, key, isRetracted, rowKey, loses } = this.#source
    if (result !== 'keyed') return {}
    if (loses) refuse('a group over groups that a condition takes away', this.#select, 'write FILTER (WHERE ...) of the aggregates')
    if (!isRetracted) refuse('a group over rows that are replaced by QUALIFY', this.#select, 'group over a group: max(...), arg_max(...)')
    for (const { value } of keys)
      if (!rowKey && [...columnsIn([value])].some((name) => !key.includes(name)))
        refuse(
          'a group by what may change in rows that are replaced',
          this.#select,
          key.length === 0
            ? 'what is below gives one row: leave GROUP BY out'
            : `group by columns of the inner key: ${key.filter((name) => name !== UNSELECTED).join(', ')}`,
        )
    for (const { function: called, distinct } of this.#aggregates)
      if (distinct || !REMOVABLE.includes(called))
        refuse(
          `${called}(${distinct ? 'DISTINCT ' : ''}...) over rows that are replaced`,
          this.#select,
          rowKey && distinct
            ? `group over the rows of SELECT DISTINCT: SELECT a, ${called}(b) FROM (SELECT DISTINCT a, b FROM ...) GROUP BY a`
            : `use ${REMOVABLE.join(', ')}`,
        )
    return { replaces: true }
  }

  /** The columns over groups, and what becomes of them. */
  #ofGroups(relation: Relation, keys: readonly NamedExpression[], outputs: readonly NamedExpression[]): Rows {
    const window = this.#window
    const columns = outputs.map(({ name, value }) => ({ name, value: this.#overGroup(value, keys) }))
    if (!window) {
      const names = this.#keyNames(
        keys.map(({ value }) => value),
        outputs,
      )
      const key = keys.map(({ name, value }): ColumnExpression => ({ op: 'column', name, type: value.type, optional: isOptional(value) }))
      const carried = this.#source.rowKey ? carryKey(columns, key) : { columns, rowKey: undefined }
      return this.#result({ op: 'project', input: relation, columns: carried.columns }, 'keyed', names, true, new Map(), [], carried.rowKey)
    }
    const root: Relation = { op: 'project', input: relation, columns }
    const delayUs = window.delayUs ?? 0
    const times = new Map<string, number>()
    if (window.kind === 'instant') times.set('window_start', delayUs)
    else times.set('window_end', delayUs)
    if (window.kind === 'tumble' || window.kind === 'hop') times.set('window_start', delayUs + window.widthUs)
    return this.#result(root, 'closing', [], false, times, columns)
  }

  /** Bounds of a tumbling window by the row's own time. */
  #beforeGroup(value: Expression): Expression {
    const { window } = this.#source
    if (!window) return value
    const bounds: Record<string, Expression> | undefined = window.kind === 'tumble' ? tumbleBounds(window) : undefined
    return replaceColumns(value, (name) => {
      if (name !== 'window_start' && name !== 'window_end') return undefined
      return bounds?.[name] ?? refuse(`an expression over ${name} of ${window.kind}(...) before the groups`, this.#select)
    })
  }

  /** Groups of a window stay apart by its start; those of a session by its key and nothing else. */
  #checkWindowKeys(groups: readonly Expression[], keys: readonly NamedExpression[]): void {
    const window = this.#window
    if (!groups.some((value) => this.#boundOf(value) !== null))
      refuse(`${window!.kind}(...) without grouping by window_start`, this.#select)
    if (window!.kind !== 'session') return
    const isKey = (value: Expression): boolean => sameExpression(value, window!.by)
    if (keys.length !== 1 || !keys.every(({ value }) => isKey(value)))
      refuse('a session that is not grouped by its key, window_start and window_end', this.#select, 'group by these and nothing else')
  }

  /** Over the result of the group: keys and aggregates are its columns. */
  #overGroup(value: Expression, keys: readonly NamedExpression[]): Expression {
    const key = keys.find((candidate) => sameExpression(candidate.value, value))
    if (key) return { op: 'column', name: key.name, type: value.type, optional: isOptional(key.value) }
    const bound = this.#boundOf(value)
    if (bound !== null) return { op: 'column', name: bound, type: value.type, optional: false }
    if (value.op === 'column') {
      if (value.name === RANK || this.#aggregates.some(({ name }) => name === value.name)) return value
      return refuse(
        `"${value.name}", which is neither grouped by nor in an aggregate,`,
        this.#select,
        'GROUP BY ALL groups by every plain column',
      )
    }
    return mapChildren(value, (inner) => this.#overGroup(inner, keys))
  }

  /** Over groups: the start or the end of their window. */
  #isGroupBound(value: Expression): boolean {
    if (value.op !== 'column' || !this.#window) return false
    return value.name === 'window_start' || (value.name === 'window_end' && this.#window.kind !== 'instant')
  }

  #top(input: Relation, limit: number, over: (value: Expression) => Expression, isWindowed: boolean): TopRelation {
    const { node, function: called } = this.#ranking!
    const partition = nodes(node['partitions']).map((child) => over(readExpression(child, this.#scope)))
    const isByWindow = partition.some((value) => this.#boundOf(value) !== null || this.#isGroupBound(value))
    if (isWindowed && !isByWindow)
      refuse('QUALIFY of a window that is not partitioned by window_start', node, 'add PARTITION BY window_start')
    const order = nodes(node['orders']).map((item) => readOrder(item, (child) => over(readExpression(child, this.#scope))))
    if (order.length === 0) refuse(`${called}() without ORDER BY`, node)
    return {
      op: 'top',
      input,
      window: null,
      partition: partition.filter((value) => this.#boundOf(value) === null && !this.#isGroupBound(value)),
      order,
      function: called,
      limit,
      name: RANK,
    }
  }

  /** Rows themselves, the first of each partition: for each window, or for good. */
  #topped(input: Relation, outputs: readonly NamedExpression[], limit: number): Rows {
    const qualify = this.#select['qualify'] as Node
    if (this.#isDistinct) refuse('DISTINCT beside QUALIFY', this.#select)
    if (this.#source.result === 'keyed')
      refuse(
        'QUALIFY over rows that are replaced',
        qualify,
        this.#source.rowKey ? 'GROUP BY with min(...) or max(...), or put it into a view' : 'number the rows of the stream, or of windows',
      )
    this.#closeBy(nodes(this.#ranking!.node['partitions']).map((child) => readExpression(child, this.#scope)))
    const window = this.#window
    if (window?.kind === 'session') refuse('QUALIFY over sessions', qualify)
    const ties = this.#source.isLogged ? {} : { ties: this.#ties() }
    const top: TopRelation = { ...this.#top(input, limit, (value) => value, window !== null), window, ...ties }
    const root: Relation = { op: 'project', input: top, columns: outputs }
    if (window) return this.#result(root, 'closing', [], false, this.#timesOfTop(window), outputs)
    if (top.function === 'rank')
      refuse('rank() without a window, where rows would have to leave the table again', qualify, 'use row_number()')
    if (top.partition.length === 0) refuse('QUALIFY without PARTITION BY', qualify)
    const rank = outputs.find(({ value }) => value.op === 'column' && value.name === RANK)
    if (limit > 1 && !rank) refuse('a top of several rows without its rank as a column', qualify, 'select row_number() OVER (...) AS rank')
    const key = this.#keyNames(top.partition, outputs)
    return this.#result(root, 'keyed', limit > 1 ? [...key, rank!.name] : key)
  }

  #timesOfTop(window: Window): ReadonlyMap<string, number> {
    const delayUs = window.delayUs ?? 0
    if (window.kind === 'instant') return new Map(window.time.op === 'column' ? [[window.time.name, delayUs]] : [])
    const widthUs = window.kind === 'session' ? window.gapUs : window.widthUs
    const own = window.time.op === 'column' ? [[window.time.name, delayUs + widthUs] as const] : []
    return new Map([...own, ['window_start', delayUs + widthUs], ['window_end', delayUs]])
  }

  #distinct(input: Relation, outputs: readonly NamedExpression[]): Rows {
    const values = outputs.map(({ value }) => value)
    this.#closeBy(values)
    const window = this.#window
    if (window && (window.kind === 'session' || !values.some((value) => this.#boundOf(value) !== null)))
      refuse(`DISTINCT over ${window.kind}(...) without window_start`, this.#select)
    const keys = this.#keysOf(values)
    return this.#ofGroups(this.#groupOver(input, keys, []), keys, outputs)
  }

  /** The output columns that are the key of a keyed result; of a model, all of the key. */
  #keyNames(key: readonly Expression[], outputs: readonly NamedExpression[]): string[] {
    return key.flatMap((value) => {
      const output = outputs.find((candidate) => sameExpression(candidate.value, value))
      if (!output && !this.#isModel) return [UNSELECTED]
      if (!output) return refuse('grouping or partitioning by what is not selected', this.#select, 'select every column of the key')
      return [output.name]
    })
  }

  #result(
    relation: Relation,
    result: Rows['result'],
    key: readonly string[],
    isRetracted = false,
    times: ReadonlyMap<string, number> = new Map(),
    values: readonly NamedExpression[] = [],
    rowKey?: readonly ColumnExpression[],
  ): Rows {
    const rows = { relation, result, key, isRetracted, times, values, rowKey }
    return outputRows(rows, this.#source, this.#isModel ? null : this.#select)
  }
}

function filtered(input: Relation, conditions: readonly Expression[]): Relation {
  const where = allOf(conditions)
  return where ? { op: 'filter', input, where } : input
}

const sameAggregate = ({ name: _a, ...a }: Aggregate, { name: _b, ...b }: Aggregate): boolean => JSON.stringify(a) === JSON.stringify(b)
