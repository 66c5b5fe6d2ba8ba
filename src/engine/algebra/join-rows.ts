// The rows of a join: the operator over both sides, its columns, and how far its times may lie behind the watermark.
import { allOf, BOOLEAN, call, TIMESTAMP } from './expression.ts'
import type { Bounded } from './join-bounds.ts'
import { conditionsOf } from './join-conditions.ts'
import { isKept, type Join } from './join-sides.ts'
import { filtered, type JoinRelation, type JoinSide, type NamedExpression } from './relation.ts'
import { ARRIVAL, type NamedColumn, type Rows } from './source.ts'

/** All columns of the left, then all of the right. */
export function rowsOfJoin(join: Join, bounded: Bounded): Rows {
  const [left, right] = join.sides
  const relation = relationOf(join, bounded)
  // A side lacks where the other is given out without a partner.
  const isOptional = [isKept(1, join.kind), isKept(0, join.kind)] as const
  const columnsOf = (side: 0 | 1): readonly NamedColumn[] =>
    join.sides[side].columns.map((column) => (isOptional[side] ? { ...column, column: { ...column.column, optional: true } } : column))
  const isLookup = relation.on.kind === 'lookup'
  const isWaiting = join.kind !== 'inner' && join.kind !== 'semi' && !isLookup
  const hasFinal = left.result === 'closing' || right.result === 'closing' || isWaiting || relation.on.kind === 'latest'
  return {
    relation,
    columns: [...columnsOf(0), ...columnsOf(1)],
    times: isLookup ? left.times : timesOf(relation, isOptional),
    result: hasFinal ? 'closing' : 'append',
    key: [],
    isRetracted: false,
    unique: [],
    isLogged: false,
    arrival: isLookup ? left.arrival : undefined,
  }
}

/** A pair came when the later of its rows did, which is when it is given out; rows that come out by the watermark tell no such time. */
export function withArrival({ kind, sides }: Join, rows: Rows): Rows {
  const arrivals = sides.map(({ columns, arrival }) => columns.find(({ column }) => column.name === arrival)?.column)
  if (rows.arrival !== undefined || kind !== 'inner' || rows.result !== 'append' || !arrivals.every((one) => one !== undefined)) return rows
  // Like no other's: a side may be such pairs itself.
  const name = `${ARRIVAL} of ${arrivals.map((one) => one.name).join(' and ')}`
  const column = { op: 'column', name, type: TIMESTAMP, optional: false } as const
  const projected = rows.columns.map((own): NamedExpression => ({ name: own.column.name, value: own.column }))
  const later: NamedExpression = { name, value: call('greatest', arrivals, TIMESTAMP) }
  return {
    ...rows,
    relation: { op: 'project', input: rows.relation, columns: [...projected, later] },
    columns: [...rows.columns, { from: '', name: ARRIVAL, column }],
    arrival: name,
  }
}

/** Of a SEMI JOIN the rows of the left that have a partner, of an ANTI JOIN, whose pairs are those of a LEFT JOIN, those that have none. */
export function leftOf({ kind, sides }: Join, { times }: Bounded, { relation, columns, ...rows }: Rows): Rows {
  const isOfRight = ({ column }: NamedColumn): boolean => column.name === times?.[1]
  const left = columns.slice(0, sides[0].columns.length)
  // The time of a row of the right is there whenever the row is.
  const witness = columns.slice(left.length).find(isOfRight)
  const alone = kind === 'left' ? [call('is_null', [witness!.column], BOOLEAN)] : []
  const projected = left.map(({ column }): NamedExpression => ({ name: column.name, value: column }))
  const own = new Set(left.map(({ column }) => column.name))
  return {
    ...rows,
    relation: { op: 'project', input: filtered(relation, alone), columns: projected },
    columns: left,
    times: new Map([...rows.times].filter(([name]) => own.has(name))),
  }
}

function relationOf({ kind, sides }: Join, { on, times, conditions }: Bounded): JoinRelation {
  const { keys, distances, alone, rest } = conditions
  const side = (of: 0 | 1): JoinSide => {
    const { relation, columns, times: delays } = sides[of]
    const name = times?.[of]
    return {
      input: filtered(relation, alone[of]),
      keys: keys.map((key) => key[of]),
      time: columns.find(({ column }) => column.name === name)?.column ?? null,
      delayUs: name === undefined ? 0 : (delays.get(name) ?? 0),
    }
  }
  // Distances between other times are conditions like others; where the times are equal they are a key.
  const others = distances
    .filter(({ left, right, fromUs, untilUs }) => (times?.[0] !== left || times[1] !== right) && fromUs !== untilUs)
    .flatMap((distance) => conditionsOf(distance, sides))
  // By a key that the right side has once there is one pair.
  const pairs = kind === 'semi' && on.kind !== 'interval' ? 'inner' : kind
  return { op: 'join', kind: pairs, left: side(0), right: side(1), on, where: allOf([...rest, ...others]) }
}

/** How far behind the watermark pairs may still come: as long as rows wait for a partner. */
function timesOf({ on, left, right }: JoinRelation, isOptional: readonly [boolean, boolean]): ReadonlyMap<string, number> {
  if (on.kind !== 'latest' && on.kind !== 'interval') return new Map()
  const [leftName, rightName] = [left, right].map(({ time }) => (time?.op === 'column' ? time.name : ''))
  if (on.kind === 'latest') return new Map([[leftName!, Math.max(left.delayUs, right.delayUs)]])
  const leftDelayUs = Math.max(left.delayUs, right.delayUs + on.untilUs)
  const rightDelayUs = Math.max(right.delayUs, left.delayUs - on.fromUs)
  return new Map([
    ...(isOptional[0] ? [] : [[leftName!, leftDelayUs] as const]),
    ...(isOptional[1] ? [] : [[rightName!, rightDelayUs] as const]),
  ])
}
