// What bounds the pairs of a join, and so how long its rows are kept: an interval between times of both sides, the newest row before
// (ASOF), the key of a table at the time of the row, or nothing. Each bound says which of the conditions are still to be fulfilled.
import { isExact, isInteger } from './coerce.ts'
import { BOOLEAN, type ColumnExpression, call, type Expression } from './expression.ts'
import type { Conditions, Key } from './join-conditions.ts'
import type { Join } from './join-sides.ts'
import { refuse } from './refuse.ts'
import type { JoinBound } from './relation.ts'
import { LOG_ORDER, type Rows } from './source.ts'

export const NEAREST_JOIN = 'write a JOIN b ON a.key = b.key AND b.time BETWEEN a.time AND a.time + INTERVAL 10 MINUTE'

export interface Bounded {
  readonly on: JoinBound
  /** Names of the columns that it is between, left and right; absent where no time bounds the pairs. */
  readonly times?: readonly [string, string]
  /** What of the conditions is not in the bound; distances between other times are still among them. */
  readonly conditions: Conditions
}

/** @throws MR_PLAN_LIVE_SHAPE. */
export function boundJoin(join: Join, conditions: Conditions, isLatest: boolean): Bounded {
  if (join.sides[1].table) return lookup(join, conditions)
  if (isLatest) return latest(join, conditions)
  const bounded = interval(join, conditions)
  if (bounded) return bounded
  // A row of the left has one partner at most where the right is unique: the pair is the row.
  const isRow = join.kind === 'semi' && uniqueSide(join, conditions.keys) === 'right'
  if (join.kind !== 'inner' && !isRow) {
    const called = String(join.node['join_type']).toLowerCase()
    refuse(`${called === 'anti' ? 'an' : 'a'} ${called} join without bounds between the times of both sides`, join.node, NEAREST_JOIN)
  }
  return unbounded(join, conditions)
}

/** The two times that lie closest to each other. */
function interval({ sides }: Join, conditions: Conditions): Bounded | null {
  const pairs = Map.groupBy(conditions.distances, ({ left, right }) => `${left}\n${right}`)
  const bounded = [...pairs.values()]
    .map((pair) => {
      const { left, right } = pair[0]!
      return {
        times: [left, right] as const,
        fromUs: Math.max(...pair.map(({ fromUs }) => fromUs)),
        untilUs: Math.min(...pair.map(({ untilUs }) => untilUs)),
        delayUs: sides[0].times.get(left)! + sides[1].times.get(right)!,
      }
    })
    .filter(({ fromUs, untilUs }) => Number.isFinite(fromUs) && Number.isFinite(untilUs))
    .sort((a, b) => a.untilUs - a.fromUs - (b.untilUs - b.fromUs) || a.delayUs - b.delayUs)
  const [best] = bounded
  return best ? { on: { kind: 'interval', fromUs: best.fromUs, untilUs: best.untilUs }, times: best.times, conditions } : null
}

function unbounded(join: Join, conditions: Conditions): Bounded {
  const unique = uniqueSide(join, conditions.keys)
  const on = { kind: 'unbounded', unique } as const
  if (!unique) return { on, conditions }
  // A row that a condition took from the unique side would let its partners wait for ever: the pair is judged instead.
  const [left, right] = conditions.alone
  const alone = unique === 'left' ? ([[], right] as const) : ([left, []] as const)
  return { on, conditions: { ...conditions, alone, rest: [...conditions.rest, ...(unique === 'left' ? left : right)] } }
}

/** The side whose declared unique columns are all of its keys. */
function uniqueSide({ sides }: Join, keys: readonly Key[]): 'left' | 'right' | null {
  const isUnique = (side: 0 | 1): boolean => {
    const { unique } = sides[side]
    const own = keys.map((key) => key[side]).map((value) => (value.op === 'column' ? value.name : null))
    return unique.length > 0 && unique.every((name) => own.includes(name)) && own.every((name) => name !== null && unique.includes(name))
  }
  return isUnique(1) ? 'right' : isUnique(0) ? 'left' : null
}

/** Rows come out as they come in, each with the row of its key as it was then. */
function lookup({ node, sides }: Join, conditions: Conditions): Bounded {
  const [{ arrival }, { columns, table }] = sides
  const { name, key } = table!
  if (arrival === undefined)
    return refuse(
      `a join with the table "${name}" of rows that do not tell when they came`,
      node,
      'join the table to the stream itself, below windows and groups; or select _ingested_at in the subquery',
    )
  const ties = inLogOrder(columns)
  const own = key.map((column) => conditions.keys.find(([, value]) => keyColumn(value) === column))
  if (!own.every((pair) => pair !== undefined)) {
    const names = key.map((column) => columns.find((one) => one.column.name === column)!.name)
    return refuse(
      `a join with the table "${name}" that is not by its key (${names.join(', ')})`,
      node,
      `write ${names.map((column) => `s.x = t.${column}`).join(' AND ')}, cast on the side of the stream where types differ`,
    )
  }
  const others = conditions.keys.filter((pair) => !own.includes(pair)).map((pair) => call('=', pair, BOOLEAN))
  // A version that a condition takes out would show the one before it: the pair is judged instead.
  const [left, right] = conditions.alone
  return {
    on: { kind: 'lookup', table: name, ties },
    times: [arrival, ties[0]!.name],
    conditions: { ...conditions, keys: own, alone: [left, []], rest: [...conditions.rest, ...right, ...others] },
  }
}

/** The column that the value is, or is without loss: other keys would be other values. */
function keyColumn(value: Expression): string | null {
  if (value.op === 'column') return value.name
  const isWider = value.op === 'cast' && isInteger(value.of.type) && isExact(value.type)
  return isWider ? keyColumn(value.of) : null
}

function latest({ node, kind, sides }: Join, conditions: Conditions): Bounded {
  const [distance, other] = conditions.distances
  const isPast = distance && distance.fromUs === Number.NEGATIVE_INFINITY && (distance.untilUs === 0 || distance.untilUs === -1)
  if (!distance || other || !isPast)
    return refuse('this ASOF JOIN', node, 'write a ASOF JOIN b ON a.key = b.key AND a.time >= b.time, over the times of both streams')
  if (kind !== 'inner' && kind !== 'left') return refuse(`ASOF ${kind} JOIN`, node, 'ASOF JOIN and ASOF LEFT JOIN are')
  if (conditions.rest.length > 0) refuse('a further condition in ASOF JOIN', node, 'write it in WHERE, or in a subquery')
  const { columns, isLogged } = sides[1]
  const ties = isLogged ? inLogOrder(columns) : columns.map(({ column }) => column)
  const on = { kind: 'latest', isStrict: distance.untilUs === -1, ties } as const
  return { on, times: [distance.left, distance.right], conditions }
}

const inLogOrder = (columns: Rows['columns']): readonly ColumnExpression[] =>
  LOG_ORDER.map((name) => columns.find((column) => column.name === name)!.column)
