// What the expressions of a SELECT call beside functions of their row: aggregates, values of rows before (lag, frames) and the rank of
// QUALIFY. Each call stands in its expression as a column that an operator fills in; which those are is known when all of the
// expressions are read. What a call may be is `read-aggregate.ts` and `read-window-function.ts`.
import { isSameNode, type Node, nodes } from '../ast.ts'
import { BOOLEAN, call, columnsIn, type Expression, LONG, sameExpression } from './expression.ts'
import { readAggregate } from './read-aggregate.ts'
import { readExpression, type Scope } from './read-expression.ts'
import {
  asCount,
  calledOf,
  type Framed,
  isOfRank,
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
import type { Aggregate, OrderBy } from './relation.ts'
import type { Source } from './source.ts'

const TRUE: Expression = { op: 'constant', value: true, type: BOOLEAN }

/** The rank that QUALIFY compares, as the operators name it. */
export const RANK = '#rank'

/** The first `limit` rows of each partition by their rank; expressions over rows, or over groups of them. */
export interface Rank extends Ranking {
  readonly limit: number
  readonly partition: readonly Expression[]
  readonly order: readonly OrderBy[]
}

export class SelectCalls {
  /** What expressions of the SELECT are read with. */
  readonly scope: Scope
  readonly #select: Node
  readonly #source: Source
  readonly #aggregates: Aggregate[] = []
  readonly #lags: Lag[] = []
  readonly #frames: Framed[] = []
  #ranking: Ranking | null = null

  /** `columns`: what else names and expressions mean. */
  constructor(select: Node, source: Source, columns: Omit<Scope, 'special'>) {
    this.#select = select
    this.#source = source
    this.scope = { ...columns, special: (node) => this.#read(node) }
  }

  /** Of the calls so far, each once. */
  get aggregates(): readonly Aggregate[] {
    return this.#aggregates
  }

  /** Of the calls so far: values of rows before, all over one time. */
  get before(): readonly (Lag | Framed)[] {
    return [...this.#lags, ...this.#frames]
  }

  /** The column is an aggregate or the rank. */
  has(name: string): boolean {
    return name === RANK || this.#aggregates.some((aggregate) => aggregate.name === name)
  }

  /** The value is one of groups, or needs the rank. */
  areIn(value: Expression): boolean {
    return [...columnsIn([value])].some((name) => this.has(name))
  }

  /** What QUALIFY says of a rank; null where it says nothing of one. */
  readRank(): Rank | null {
    const qualify = this.#select['qualify'] as Node | null
    if (!qualify || !isOfRank(qualify, this.#select)) return null
    const limit = readLimit(qualify, this.#select, (node) => this.#rankOf(node))
    const ranking = this.#ranking!
    const read = (node: Node): Expression => readExpression(node, this.scope)
    const partition = nodes(ranking.node['partitions']).map(read)
    const order = nodes(ranking.node['orders']).map((item) => readOrder(item, read))
    if (order.length === 0) refuse(`${ranking.function}() without ORDER BY`, ranking.node)
    return { ...ranking, limit, partition, order }
  }

  #read(node: Node): Expression | undefined {
    if (node.class === 'WINDOW' && node['function_name'] === 'lag') return this.#lagOf(node)
    if (node.class === 'WINDOW') return this.#framedOf(asCount(node, this.#select, this.#source, this.scope) ?? node) ?? this.#rankOf(node)
    const aggregate = readAggregate(node, this.scope, this.#aggregates.length)
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
    const lag = readLag(node, this.#source, this.scope, this.#lags.length)
    this.#checkOneTime(lag, node)
    const { column, otherwise } = lag
    const before: Expression = { op: 'column', name: this.#lagged(lag), type: column.value.type, optional: true }
    if (!otherwise) return before
    // A value that is null is none that is not there.
    const isThere = this.#lagged({ ...lag, column: { name: `#lag${this.#lags.length}`, value: TRUE, offset: column.offset } })
    const test = call('is_null', [{ op: 'column', name: isThere, type: BOOLEAN, optional: true }], BOOLEAN)
    return { op: 'case', when: [{ test, value: otherwise }], else: before, type: before.type, optional: true }
  }

  /** The column of the call, which is made once. */
  #lagged(lag: Lag): string {
    const same = this.#lags.find((known) => sameLag(known, lag))
    if (!same) this.#lags.push(lag)
    return (same ?? lag).column.name
  }

  #framedOf(node: Node): Expression | undefined {
    const framed = readFramed(node, this.#source, this.scope, this.#frames.length)
    if (!framed) return undefined
    this.#checkOneTime(framed, node)
    const same = this.#frames.find((known) => sameFramed(known, framed))
    if (!same) this.#frames.push(framed)
    const { name, type, function: called } = (same ?? framed).aggregate
    return { op: 'column', name, type, optional: called !== 'count' }
  }

  #checkOneTime({ time }: Over, node: Node): void {
    const [first] = this.before
    if (first && !sameExpression(first.time, time))
      refuse(`${calledOf(node)}(...) over a second time`, node, 'write one of them in a subquery')
  }
}

const sameAggregate = ({ name: _a, ...a }: Aggregate, { name: _b, ...b }: Aggregate): boolean => JSON.stringify(a) === JSON.stringify(b)

const sameOver = (a: Over, b: Over): boolean => JSON.stringify([a.partition, a.time]) === JSON.stringify([b.partition, b.time])

const sameLag = (a: Lag, b: Lag): boolean =>
  sameOver(a, b) && a.column.offset === b.column.offset && sameExpression(a.column.value, b.column.value)

const sameFramed = (a: Framed, b: Framed): boolean =>
  sameOver(a, b) && JSON.stringify(a.frame) === JSON.stringify(b.frame) && sameAggregate(a.aggregate, b.aggregate)
