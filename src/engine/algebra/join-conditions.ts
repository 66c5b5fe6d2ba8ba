// The conditions of a join, taken apart: equal keys, distances between times of the two sides, what one side's rows must fulfil by
// themselves, and what is left for the pair. Which distance bounds the join is `join-bounds.ts`.
import { call, type Expression, type IntervalExpression } from './expression.ts'
import { comparison } from './functions.ts'
import { isKept, type Join, sideOf } from './join-sides.ts'
import { fixedMicros } from './read-expression.ts'

/** Equal values, of the left and of the right. */
export type Key = readonly [Expression, Expression]

/** How far a time of the right lies after one of the left, both named as the sides have them. */
export interface Distance {
  readonly left: string
  readonly right: string
  /** At least and at most. */
  readonly fromUs: number
  readonly untilUs: number
}

export interface Conditions {
  readonly keys: readonly Key[]
  /** An equality of two times is a key as well. */
  readonly distances: readonly Distance[]
  /** Of the left and of the right side alone. */
  readonly alone: readonly [readonly Expression[], readonly Expression[]]
  readonly rest: readonly Expression[]
}

export function takeApart(conditions: readonly Expression[], { kind, sides }: Join): Conditions {
  const keys: Key[] = []
  const distances: Distance[] = []
  const alone: [Expression[], Expression[]] = [[], []]
  const rest: Expression[] = []
  for (const condition of conditions) {
    const key = keyOf(condition, sides)
    const distance = distanceOf(condition, sides)
    const side = sideOf(condition, sides)
    if (key) keys.push(key)
    if (distance) distances.push(distance)
    if (key || distance) continue
    // What an outer side's own rows must fulfil decides about pairs, not about whether the row is there.
    if (side !== null && !isKept(side, kind)) alone[side].push(condition)
    else rest.push(condition)
  }
  return { keys, distances, alone, rest }
}

function keyOf(condition: Expression, sides: Join['sides']): Key | null {
  if (condition.op !== 'call' || condition.name !== '=') return null
  const [a, b] = condition.of as Key
  const [sideA, sideB] = [sideOf(a, sides), sideOf(b, sides)]
  if (sideA === 0 && sideB === 1) return [a, b]
  return sideA === 1 && sideB === 0 ? [b, a] : null
}

/** A comparison of a time of one side with a time of the other, moved by constants. */
function distanceOf(condition: Expression, sides: Join['sides']): Distance | null {
  if (condition.op !== 'call' || !['=', '<', '<=', '>', '>='].includes(condition.name)) return null
  const [a, b] = condition.of.map((side) => timeOf(side, sides))
  if (!a || !b || a.side === b.side) return null
  const isLeftFirst = a.side === 0
  const [left, right] = isLeftFirst ? [a, b] : [b, a]
  const names = { left: left.name, right: right.name }
  // left + l ? right + r, so that right - left ? l - r.
  const at = left.offsetUs - right.offsetUs
  if (condition.name === '=') return { ...names, fromUs: at, untilUs: at }
  const strictUs = condition.name === '<' || condition.name === '>' ? 1 : 0
  const isLeftLess = (condition.name[0] === '<') === isLeftFirst
  if (isLeftLess) return { ...names, fromUs: at + strictUs, untilUs: Number.POSITIVE_INFINITY }
  return { ...names, fromUs: Number.NEGATIVE_INFINITY, untilUs: at - strictUs }
}

interface MovedTime {
  readonly side: 0 | 1
  readonly name: string
  readonly offsetUs: number
}

function timeOf(expression: Expression, sides: Join['sides']): MovedTime | null {
  if (expression.op === 'call' && expression.name === 'add_interval') {
    const inner = timeOf(expression.of[0]!, sides)
    const micros = fixedMicros(expression.of[1] as IntervalExpression)
    return inner && micros !== undefined ? { ...inner, offsetUs: inner.offsetUs + micros } : null
  }
  if (expression.op !== 'column') return null
  const side = sides[0].times.has(expression.name) ? 0 : sides[1].times.has(expression.name) ? 1 : null
  return side === null ? null : { side, name: expression.name, offsetUs: 0 }
}

/** The distance as a condition of the pair again. */
export function conditionsOf({ left, right, fromUs, untilUs }: Distance, sides: Join['sides']): readonly Expression[] {
  const columnOf = (side: 0 | 1, name: string): Expression => sides[side].columns.find(({ column }) => column.name === name)!.column
  const test = (name: '>=' | '<=', micros: number): Expression => {
    const interval = { op: 'interval', months: 0, days: 0, micros, type: { kind: 'interval' } } as const
    const moved = call('add_interval', [columnOf(0, left), interval], { kind: 'timestamp' }, false)
    return comparison(name)([columnOf(1, right), moved]) as Expression
  }
  return [...(Number.isFinite(fromUs) ? [test('>=', fromUs)] : []), ...(Number.isFinite(untilUs) ? [test('<=', untilUs)] : [])]
}
