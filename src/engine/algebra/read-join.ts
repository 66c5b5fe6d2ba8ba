// Joins of a live model. The condition is taken apart into equal keys, a bound between the times of the two sides, and what is
// left; the bound decides how long rows are kept. Conditions of one side alone are filters of that side.
import type { MillraceError } from '../../core/errors.ts'
import { type Node, walk } from '../ast.ts'
import { isExact, isInteger } from './coerce.ts'
import { allOf, BOOLEAN, call, columnsIn, conjuncts, type Expression, type IntervalExpression } from './expression.ts'
import { comparison } from './functions.ts'
import { fixedMicros, readCondition, type Scope } from './read-expression.ts'
import { refuse } from './refuse.ts'
import type { JoinBound, JoinRelation, JoinSide, NamedExpression, Relation } from './relation.ts'
import { LOG_ORDER, type NamedColumn, type Rows, type Source, sourceOf } from './source.ts'

/** What the SELECT says about the rows that it reads. */
export interface Wanted {
  /** Names of columns, in lower case, that it reads; null where it reads all of them. */
  readonly used: ReadonlySet<string> | null
  /** Parts of its WHERE clause. A join takes out those that belong to it. */
  readonly where: Node[]
}

const NEAREST = 'write a JOIN b ON a.key = b.key AND b.time BETWEEN a.time AND a.time + INTERVAL 10 MINUTE'
const LOOKUP = 'write FROM stream s JOIN table t ON s.column = t.key, or LEFT JOIN'

const KINDS: Readonly<Record<string, JoinRelation['kind']>> = { INNER: 'inner', LEFT: 'left', RIGHT: 'right', FULL: 'full' }

/** One side with its columns under names that no other side has, only those that are read. */
function prepare(rows: Rows, used: ReadonlySet<string> | null, reads: readonly string[]): Rows {
  const isUsed = ({ name }: NamedColumn): boolean => used === null || used.has(name.toLowerCase()) || reads.includes(name)
  const isJoined = new Set(rows.columns.map(({ from }) => from)).size > 1
  const nameOf = ({ from, column }: NamedColumn): string => (isJoined ? column.name : `${from}.${column.name}`)
  const kept = rows.columns.filter(isUsed)
  const renamed = new Map(kept.map((column) => [column.column.name, nameOf(column)]))
  const columns = kept.map((column): NamedColumn => ({ ...column, column: { ...column.column, name: nameOf(column) } }))
  const projected = kept.map((column): NamedExpression => ({ name: nameOf(column), value: column.column }))
  const times = new Map([...rows.times].flatMap(([name, delay]) => (renamed.has(name) ? [[renamed.get(name)!, delay] as const] : [])))
  const relation: Relation = { op: 'project', input: rows.relation, columns: projected }
  // A key of which a part is not read cannot be the key of this join.
  const unique = rows.unique.every((name) => renamed.has(name)) ? rows.unique.map((name) => renamed.get(name)!) : []
  const arrival = rows.arrival && renamed.get(rows.arrival)
  const table = rows.table && { name: rows.table.name, key: rows.table.key.flatMap((name) => renamed.get(name) ?? []) }
  return { ...rows, relation, columns, times, unique, arrival, table }
}

/** Columns of a side that a join reads, whoever else does. */
function readsOf(rows: Rows, isOrdered: boolean): readonly string[] {
  const order = isOrdered || rows.unique.length > 0 || rows.table ? LOG_ORDER : []
  const arrival = rows.columns.filter(({ column }) => column.name === rows.arrival).map(({ name }) => name)
  return [...order, ...arrival, ...(rows.table?.key ?? [])]
}

export function joinRows(node: Node, leftRows: Rows, rightRows: Rows, { used, where }: Wanted): Rows {
  const froms = [leftRows, rightRows].map(({ columns }) => new Set(columns.map(({ from }) => from)))
  const ofRight = new Set([...froms[1]!].map((from) => from.toLowerCase()))
  for (const from of froms[0]!)
    if (ofRight.has(from.toLowerCase())) refuse(`"${from}" on both sides of a join`, node, 'give each side an alias of its own')
  const isLatest = node['ref_type'] === 'ASOF'
  const kind = KINDS[String(node['join_type'])] ?? refuse(`${String(node['join_type'])} JOIN`, node, NEAREST)
  if (node['ref_type'] !== 'REGULAR' && !isLatest && node['ref_type'] !== 'CROSS') refuse(`${String(node['ref_type'])} JOIN`, node, NEAREST)
  if (leftRows.table && !rightRows.table && !isLatest && (kind === 'inner' || kind === 'right')) {
    // A lookup is a lookup on whichever side the table is written.
    const swapped = joinRows({ ...node, join_type: kind === 'inner' ? 'INNER' : 'LEFT' }, rightRows, leftRows, { used, where })
    const isOfTable = ({ from }: NamedColumn): boolean => froms[0]!.has(from)
    return {
      ...swapped,
      columns: inPlace([...swapped.columns.filter(isOfTable), ...swapped.columns.filter((column) => !isOfTable(column))]),
    }
  }
  checkSides(node, kind, leftRows, rightRows, isLatest)
  const left = prepare(leftRows, used, readsOf(leftRows, false))
  const right = prepare(rightRows, used, readsOf(rightRows, isLatest))
  const both = sourceOf({ ...left, columns: [...left.columns, ...right.columns] }, null)
  const scope: Scope = { column: (path, at) => both.column(path, at), special: () => undefined }
  const using = (node['using_columns'] as readonly string[] | undefined) ?? []
  if (using.length > 0 && kind === 'full') refuse('USING in a FULL JOIN', node, 'write ON a.key = b.key, and select coalesce(a.key, b.key)')
  const named = using.map((name, i) => usingOf(node, name, [left, right], isLatest && i === using.length - 1 ? '>=' : '='))
  const on = node['condition'] ? conjuncts(readCondition(node['condition'] as Node, scope)) : named
  const claimed = kind === 'inner' && !isLatest ? claim(where, both, scope).flatMap(conjuncts) : []
  const rows = new Joining(node, kind, left, right).read([...on, ...claimed], isLatest)
  if (using.length === 0) return rows
  // Without a qualifier the name of USING is the column of the side whose rows are all there.
  const other = froms[kind === 'right' ? 0 : 1]!
  const isSecond = ({ from, name }: NamedColumn): boolean =>
    other.has(from) && using.some((one) => one.toLowerCase() === name.toLowerCase())
  return {
    ...rows,
    columns: inPlace(rows.columns.map((column) => (isSecond(column) ? { ...column, isQualified: true as const } : column))),
  }
}

/** In `*` the column that a name of USING means stands where the first of the two does. */
function inPlace(columns: readonly NamedColumn[]): readonly NamedColumn[] {
  const placed = [...columns]
  for (const [at, { name, isQualified }] of columns.entries()) {
    const other = placed.findIndex((column) => !column.isQualified && column.name.toLowerCase() === name.toLowerCase())
    if (isQualified && other > at) [placed[at], placed[other]] = [placed[other]!, placed[at]!]
  }
  return placed
}

/** One column of USING as a comparison. */
function usingOf(node: Node, name: string, sides: readonly Rows[], sign: '=' | '>='): Expression {
  const compared = comparison(sign)(sides.map((rows) => sourceOf(rows, null).column([name], node)))
  return typeof compared === 'string' ? refuse(`USING (${name}) ${compared}`, node, 'write ON a.key = CAST(b.key AS ...)') : compared
}

function checkSides(node: Node, kind: JoinRelation['kind'], left: Rows, right: Rows, isLatest: boolean): void {
  if (left.result === 'keyed' || right.result === 'keyed')
    refuse(
      'a join with rows that are replaced',
      node,
      left.rowKey || right.rowKey ? `look up in the table itself: ${LOOKUP}` : 'join the stream, or window the subquery',
    )
  if (left.table && right.table)
    refuse(`a join of the tables "${left.table.name}" and "${right.table.name}"`, node, 'join them in a model that is not live')
  if (left.table) refuse(`the table "${left.table.name}" on the left of a join`, node, LOOKUP)
  if (right.table && (isLatest || (kind !== 'inner' && kind !== 'left')))
    refuse(`${isLatest ? 'an ASOF' : `a ${kind}`} join with the table "${right.table.name}"`, node, LOOKUP)
}

/** Takes out the conditions that read nothing but these columns; what DuckDB must compute stays where it is. */
function claim(where: Node[], both: Source, scope: Scope): Expression[] {
  const isOwn = (part: Node): boolean => {
    let reads = true
    walk(part, (node) => {
      const path = node['column_names'] as string[] | undefined
      if (node.class === 'COLUMN_REF' && path) reads &&= both.knows(path)
    })
    return reads
  }
  const own = where.filter(isOwn).flatMap((part) => {
    const condition = readable(part, scope)
    return condition ? [{ part, condition }] : []
  })
  where.splice(0, where.length, ...where.filter((part) => !own.some((one) => one.part === part)))
  return own.map(({ condition }) => condition)
}

/** What is refused is refused again by who reads it after the join, who may have DuckDB compute it. */
function readable(part: Node, scope: Scope): Expression | null {
  try {
    return readCondition(part, scope)
  } catch (error) {
    if ((error as MillraceError).code === 'MR_PLAN_LIVE_SHAPE') return null
    throw error
  }
}

interface Difference {
  readonly left: string
  readonly right: string
  /** Right minus left, at least and at most. */
  readonly fromUs: number
  readonly untilUs: number
  readonly isStrict: boolean
}

/** The column that the value is, or is without loss: other keys would be other values. */
function keyColumn(value: Expression): string | null {
  if (value.op === 'column') return value.name
  const isWider = value.op === 'cast' && isInteger(value.of.type) && isExact(value.type)
  return isWider ? keyColumn(value.of) : null
}

class Joining {
  readonly #node: Node
  readonly #kind: JoinRelation['kind']
  readonly #sides: readonly [Rows, Rows]
  readonly #names: readonly [ReadonlySet<string>, ReadonlySet<string>]

  constructor(node: Node, kind: JoinRelation['kind'], left: Rows, right: Rows) {
    this.#node = node
    this.#kind = kind
    this.#sides = [left, right]
    const namesOf = (rows: Rows): ReadonlySet<string> => new Set(rows.columns.map(({ column }) => column.name))
    this.#names = [namesOf(left), namesOf(right)]
  }

  read(conditions: readonly Expression[], isLatest: boolean): Rows {
    const keys: (readonly [Expression, Expression])[] = []
    const differences: Difference[] = []
    const alone: [Expression[], Expression[]] = [[], []]
    const rest: Expression[] = []
    for (const condition of conditions) {
      const key = this.#keyOf(condition)
      const difference = this.#differenceOf(condition)
      const side = this.#sideOf(condition)
      if (key) keys.push(key)
      if (difference) differences.push(difference)
      if (key || difference) continue
      // What an outer side's own rows must fulfil decides about pairs, not about whether the row is there.
      if (side !== null && !this.#isKept(side)) alone[side].push(condition)
      else rest.push(condition)
    }
    const bound = this.#sides[1].table ? this.#lookup() : isLatest ? this.#latest(differences) : this.#bound(differences, keys)
    // A version that a condition takes out would show the one before it: the pair is judged instead.
    if (bound.on.kind === 'lookup') rest.push(...alone[1].splice(0), ...this.#otherThanKey(keys))
    // A row that a condition took from the unique side would let its partners wait for ever: the pair is judged instead.
    const unique = bound.on.kind === 'unbounded' ? bound.on.unique : null
    if (unique) rest.push(...alone[unique === 'left' ? 0 : 1].splice(0))
    if (isLatest && rest.length > 0) refuse('a further condition in ASOF JOIN', this.#node, 'write it in WHERE, or in a subquery')
    if (keys.length === 0) refuse('a join without equal keys', this.#node, NEAREST)
    const side = (of: 0 | 1): JoinSide => {
      const { relation, columns, times } = this.#sides[of]
      const name = bound.times?.[of]
      const column = columns.find((one) => one.column.name === name)?.column ?? null
      const filter = allOf(alone[of])
      const input: Relation = filter ? { op: 'filter', input: relation, where: filter } : relation
      return { input, keys: keys.map((key) => key[of]), time: column, delayUs: name === undefined ? 0 : (times.get(name) ?? 0) }
    }
    const relation: JoinRelation = {
      op: 'join',
      kind: this.#kind,
      left: side(0),
      right: side(1),
      on: bound.on,
      where: allOf([...rest, ...this.#others(differences, bound.times)]),
    }
    return this.#rows(relation)
  }

  /** Rows of the side are given out even without a partner. */
  #isKept(side: 0 | 1): boolean {
    return this.#kind === 'full' || this.#kind === (side === 0 ? 'left' : 'right')
  }

  /** 0 for what reads the left alone, 1 for the right alone. */
  #sideOf(expression: Expression): 0 | 1 | null {
    const read = [...columnsIn([expression])]
    if (read.length === 0) return null
    if (read.every((name) => this.#names[0].has(name))) return 0
    return read.every((name) => this.#names[1].has(name)) ? 1 : null
  }

  #keyOf(condition: Expression): readonly [Expression, Expression] | null {
    if (condition.op !== 'call' || condition.name !== '=') return null
    const [a, b] = condition.of as readonly [Expression, Expression]
    const [sideA, sideB] = [this.#sideOf(a), this.#sideOf(b)]
    if (sideA === 0 && sideB === 1) return [a, b]
    return sideA === 1 && sideB === 0 ? [b, a] : null
  }

  /** A comparison of a time of one side with a time of the other, moved by constants. */
  #differenceOf(condition: Expression): Difference | null {
    if (condition.op !== 'call' || !['=', '<', '<=', '>', '>='].includes(condition.name)) return null
    const [a, b] = condition.of.map((side) => this.#timeOf(side))
    if (!a || !b || a.side === b.side) return null
    const [left, right] = a.side === 0 ? [a, b] : [b, a]
    const isLeftFirst = a.side === 0
    const names = { left: left.name, right: right.name }
    // left + l ? right + r, so that right - left ? l - r.
    const at = left.offsetUs - right.offsetUs
    const isStrict = condition.name === '<' || condition.name === '>'
    if (condition.name === '=') return { ...names, fromUs: at, untilUs: at, isStrict: false }
    const isLeftLess = (condition.name[0] === '<') === isLeftFirst
    if (isLeftLess) return { ...names, fromUs: at + (isStrict ? 1 : 0), untilUs: Number.POSITIVE_INFINITY, isStrict }
    return { ...names, fromUs: Number.NEGATIVE_INFINITY, untilUs: at - (isStrict ? 1 : 0), isStrict }
  }

  #timeOf(expression: Expression): { readonly side: 0 | 1; readonly name: string; readonly offsetUs: number } | null {
    if (expression.op === 'call' && expression.name === 'add_interval') {
      const inner = this.#timeOf(expression.of[0]!)
      const micros = fixedMicros(expression.of[1] as IntervalExpression)
      return inner && micros !== undefined ? { ...inner, offsetUs: inner.offsetUs + micros } : null
    }
    if (expression.op !== 'column') return null
    const side = this.#sides[0].times.has(expression.name) ? 0 : this.#sides[1].times.has(expression.name) ? 1 : null
    return side === null ? null : { side, name: expression.name, offsetUs: 0 }
  }

  /** Which two times bound the pairs, and how. */
  #bound(
    differences: readonly Difference[],
    keys: readonly (readonly [Expression, Expression])[],
  ): { readonly on: JoinBound; readonly times?: readonly [string, string] } {
    const pairs = Map.groupBy(differences, ({ left, right }) => `${left}\n${right}`)
    const delay = ({ left, right }: Difference): number => this.#sides[0].times.get(left)! + this.#sides[1].times.get(right)!
    const bounded = [...pairs.values()]
      .map((pair) => ({
        times: [pair[0]!.left, pair[0]!.right] as const,
        fromUs: Math.max(...pair.map(({ fromUs }) => fromUs)),
        untilUs: Math.min(...pair.map(({ untilUs }) => untilUs)),
        delay: delay(pair[0]!),
      }))
      .filter(({ fromUs, untilUs }) => Number.isFinite(fromUs) && Number.isFinite(untilUs))
      .sort((a, b) => a.untilUs - a.fromUs - (b.untilUs - b.fromUs) || a.delay - b.delay)
    const [best] = bounded
    if (best) return { on: { kind: 'interval', fromUs: best.fromUs, untilUs: best.untilUs }, times: best.times }
    if (this.#kind !== 'inner') return refuse(`a ${this.#kind} join without bounds between the times of both sides`, this.#node, NEAREST)
    return { on: { kind: 'unbounded', unique: this.#uniqueSide(keys) } }
  }

  /** The side whose declared unique columns are all of its keys. */
  #uniqueSide(keys: readonly (readonly [Expression, Expression])[]): 'left' | 'right' | null {
    const isUnique = (side: 0 | 1): boolean => {
      const { unique } = this.#sides[side]
      const own = keys.map((key) => key[side]).map((value) => (value.op === 'column' ? value.name : null))
      return unique.length > 0 && unique.every((name) => own.includes(name)) && own.every((name) => name !== null && unique.includes(name))
    }
    return isUnique(1) ? 'right' : isUnique(0) ? 'left' : null
  }

  /** Rows come out as they come in, each with the row of its key as it was then. */
  #lookup(): { readonly on: JoinBound; readonly times: readonly [string, string] } {
    const [left, right] = this.#sides
    if (left.arrival === undefined)
      return refuse(
        `a join with the table "${right.table!.name}" of rows that do not tell when they came`,
        this.#node,
        'join the table to the stream itself, below windows and groups; or select _ingested_at in the subquery',
      )
    const [arrival] = LOG_ORDER
    const ties = LOG_ORDER.map((name) => right.columns.find((one) => one.name === name)!.column)
    const since = right.columns.find(({ name }) => name === arrival)!.column.name
    return { on: { kind: 'lookup', table: right.table!.name, ties }, times: [left.arrival, since] }
  }

  /** Takes the equalities out that are not of the table's key, which must be there as a whole; answers them as conditions. */
  #otherThanKey(keys: (readonly [Expression, Expression])[]): Expression[] {
    const { name, key } = this.#sides[1].table!
    const own = key.map((column) => keys.find(([, value]) => keyColumn(value) === column))
    if (own.includes(undefined)) {
      const names = key.map((column) => this.#sides[1].columns.find((one) => one.column.name === column)!.name)
      refuse(
        `a join with the table "${name}" that is not by its key (${names.join(', ')})`,
        this.#node,
        `write ${names.map((column) => `s.x = t.${column}`).join(' AND ')}, cast on the side of the stream where types differ`,
      )
    }
    const others = keys.filter((pair) => !own.includes(pair))
    keys.splice(0, keys.length, ...(own as (readonly [Expression, Expression])[]))
    return others.map((pair) => call('=', pair, BOOLEAN))
  }

  #latest(differences: readonly Difference[]): { readonly on: JoinBound; readonly times: readonly [string, string] } {
    const [difference, other] = differences
    const isPast = difference && difference.fromUs === Number.NEGATIVE_INFINITY && (difference.untilUs === 0 || difference.untilUs === -1)
    if (!difference || other || !isPast)
      return refuse(
        'this ASOF JOIN',
        this.#node,
        'write a ASOF JOIN b ON a.key = b.key AND a.time >= b.time, over the times of both streams',
      )
    if (this.#kind !== 'inner' && this.#kind !== 'left')
      return refuse(`ASOF ${this.#kind} JOIN`, this.#node, 'ASOF JOIN and ASOF LEFT JOIN are')
    const { columns, isLogged } = this.#sides[1]
    const ordering = isLogged ? LOG_ORDER.map((name) => columns.find((one) => one.name === name)!) : columns
    const ties = ordering.map(({ column }) => column)
    return { on: { kind: 'latest', isStrict: difference.untilUs === -1, ties }, times: [difference.left, difference.right] }
  }

  /** Bounds between other times are conditions like others. */
  #others(differences: readonly Difference[], times: readonly [string, string] | undefined): Expression[] {
    return differences
      .filter(({ left, right, fromUs, untilUs }) => (times?.[0] !== left || times[1] !== right) && fromUs !== untilUs)
      .flatMap(({ left, right, fromUs, untilUs }) => this.#conditionOf(left, right, fromUs, untilUs))
  }

  #conditionOf(left: string, right: string, fromUs: number, untilUs: number): Expression[] {
    const columnOf = (side: 0 | 1, name: string): Expression => this.#sides[side].columns.find(({ column }) => column.name === name)!.column
    const test = (name: '>=' | '<=', micros: number): Expression => {
      const interval = { op: 'interval', months: 0, days: 0, micros, type: { kind: 'interval' } } as const
      const moved = call('add_interval', [columnOf(0, left), interval], { kind: 'timestamp' }, false)
      return comparison(name)([columnOf(1, right), moved]) as Expression
    }
    return [...(Number.isFinite(fromUs) ? [test('>=', fromUs)] : []), ...(Number.isFinite(untilUs) ? [test('<=', untilUs)] : [])]
  }

  #rows(relation: JoinRelation): Rows {
    const [left, right] = this.#sides
    const isLeftOptional = this.#kind === 'right' || this.#kind === 'full'
    const isRightOptional = this.#kind === 'left' || this.#kind === 'full'
    const columnsOf = (rows: Rows, isOptional: boolean): NamedColumn[] =>
      rows.columns.map((column) => (isOptional ? { ...column, column: { ...column.column, optional: true } } : column))
    const isLookup = relation.on.kind === 'lookup'
    const isWaiting = this.#kind !== 'inner' && !isLookup
    const hasFinal = left.result === 'closing' || right.result === 'closing' || isWaiting || relation.on.kind === 'latest'
    return {
      relation,
      columns: [...columnsOf(left, isLeftOptional), ...columnsOf(right, isRightOptional)],
      times: this.#times(relation, isLeftOptional, isRightOptional),
      result: hasFinal ? 'closing' : 'append',
      key: [],
      isRetracted: false,
      unique: [],
      isLogged: false,
      arrival: isLookup ? left.arrival : undefined,
    }
  }

  /** How far behind the watermark pairs may still come: as long as rows wait for a partner. */
  #times({ on, left, right }: JoinRelation, isLeftOptional: boolean, isRightOptional: boolean): ReadonlyMap<string, number> {
    if (on.kind === 'unbounded') return new Map()
    if (on.kind === 'lookup') return this.#sides[0].times
    const [leftName, rightName] = [left, right].map(({ time }) => (time?.op === 'column' ? time.name : ''))
    if (on.kind === 'latest') return new Map([[leftName!, Math.max(left.delayUs, right.delayUs)]])
    const leftDelay = Math.max(left.delayUs, right.delayUs + on.untilUs)
    const rightDelay = Math.max(right.delayUs, left.delayUs - on.fromUs)
    return new Map([
      ...(isLeftOptional ? [] : [[leftName!, leftDelay] as const]),
      ...(isRightOptional ? [] : [[rightName!, rightDelay] as const]),
    ])
  }
}
